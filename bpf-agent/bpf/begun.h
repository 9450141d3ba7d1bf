// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// What has begun and not ended yet, where a duration is taken between two
// places that a goroutine passes: by the address of its g, for a goroutine may
// go on on another thread, and its stack may move.
//
// A beginning whose end is not seen (an early return, a panic) stays until the
// goroutine begins again, or until there is no room; one that is older than the
// moment since when its point is wanted is of another time, and has no end.
#pragma once

#include "gotherm.h"

struct begun_key {
	u64 g;
	u32 slot, point;
};

struct begun {
	u64 time; // 0 when it has ended
	// Of the event that it will be.
	u64 extra[NUM_EXTRAS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct begun_key);
	__type(value, struct begun);
} begun SEC(".maps");

// Since when a point is wanted, by bpf_ktime_get_ns.
struct wanted_since {
	u64 time[MAX_POINTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct wanted_since);
} wanted_since SEC(".maps");

static const volatile struct begun not_begun;

// Notes that a goroutine begins. It does so as the last thing, so that little
// of what watching costs is in the duration.
static __attribute__((noinline)) int begin(u32 slot, u32 point, u64 g)
{
	struct begun_key key = {.g = g, .slot = slot, .point = point};
	struct begun *b = bpf_map_lookup_elem(&begun, &key);

	if (!b) {
		bpf_map_update_elem(&begun, &key, (const void *)&not_begun, BPF_NOEXIST);
		b = bpf_map_lookup_elem(&begun, &key);
		if (!b)
			return 0;
	}
	b->time = bpf_ktime_get_ns();
	return 0;
}

// Ends what a goroutine has begun, at a time. Returns what was noted with its
// beginning, and in duration how long it took; 0 when its beginning was not seen.
static __attribute__((noinline)) struct begun *end(u32 slot, u32 point, u64 g, u64 now, u64 *duration)
{
	struct begun_key key = {.g = g, .slot = slot, .point = point};
	struct begun *b = bpf_map_lookup_elem(&begun, &key);
	struct wanted_since *since = bpf_map_lookup_elem(&wanted_since, &slot);
	u64 began;

	if (!b || !since || !duration || point >= MAX_POINTS)
		return 0;
	began = b->time;
	b->time = 0;
	if (!began || began < since->time[point] || began > now)
		return 0;
	*duration = now - began;
	return b;
}
