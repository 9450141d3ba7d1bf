// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Since when goroutines are what they are. The programs that take durations of
// goroutines are at calls of runtime.casgstatus(gp, from, to), through which
// all changes of a goroutine's status go that they are about:
//
//	Dead ──create──▶ Runnable ──run──▶ Running ──exit──▶ Dead
//	                    ▲                │  │
//	                    ├──────yield─────┘  │
//	                    └───ready── Waiting ◀──park
//
// A goroutine's status is the runtime's: where it holds the one for a moment in
// the other's place, as while it marks or moves its stack, this says the same.
#pragma once

#include "gotherm.h"

// src/runtime/runtime2.go, the same in Go 1.21 to 1.27.
#define RUNNABLE 1
#define RUNNING 2
#define WAITING 4
#define DEAD 6

// Times since when a goroutine is what it is; 0 when it is not, or when nobody
// saw it become so.
struct since {
	u64 created, waiting, runnable;
};

// By goroutine_key. The runtime uses its gs again and never frees one, so
// there are as many as were ever alive at once. When this is full, the
// durations of the other goroutines are not taken.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct since);
} goroutines SEC(".maps");

// What these programs know of a process.
struct goroutine_facts {
	// Since when each change is watched without a gap. What began before has
	// perhaps ended, and begun anew, when nobody looked.
	struct since watched;
	u32 g_waitreason;
	// Whether a goroutine has its id by the time that it is created: Go 1.24.
	u32 id_when_created;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct goroutine_facts);
} goroutine_facts SEC(".maps");

static const volatile struct since never;

// Returns what is known of a goroutine, 0 when nothing is.
static __always_inline struct since *known_goroutine(u32 slot, u64 g)
{
	u64 key = goroutine_key(slot, g);

	return bpf_map_lookup_elem(&goroutines, &key);
}

// Returns where to write what is known of a goroutine, 0 when there is no room.
static __always_inline struct since *any_goroutine(u32 slot, u64 g)
{
	u64 key = goroutine_key(slot, g);
	struct since *s = bpf_map_lookup_elem(&goroutines, &key);

	if (!s) {
		bpf_map_update_elem(&goroutines, &key, (const void *)&never, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&goroutines, &key);
	}
	return s;
}

// Ends what began at *start, and returns for how long it was; false when its
// begin was not seen.
static __always_inline bool end_since(u64 *start, u64 watched, u64 now, u64 *duration)
{
	u64 began = *start;

	*start = 0;
	// A time of before the last gap is smaller, and so is 0.
	if (began < watched || !began)
		return false;
	*duration = now - began;
	return true;
}
