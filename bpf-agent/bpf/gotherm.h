// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// How one hit of a measurement point is accounted. Every hit goes exactly one
// of three ways, so that hits = carried + counted:
//
//	hit ──▶ due, and room in the ring? ──yes──▶ carried: an event in the ring
//	             │ no
//	             ▼
//	        room in heat? ──yes──▶ counted, with all its dimensions
//	             │ no
//	             ▼
//	        counted under its process and point only ("coarse"): always has room
//
// Counters only grow while a process lives; user space takes differences. So a
// count can't fall between a read and a deletion.
//
// Uprobe programs can be preempted, and another one can then run on the same
// CPU: per-CPU values are changed by atomic adds as well, there is no per-CPU
// scratch memory, and no function uses 64 bytes of stack: to those, kernels
// since 6.13 give a stack per CPU, and have been seen to panic.
#pragma once

#include "kernel.h"

#define MAX_SLOTS 256
#define MAX_POINTS 8
#define NUM_BUCKETS 242

// The measurement points, in the order of probe.Catalogue.
enum point {
	GC_STW,
	GC_STW_STOPPING,
	GC_STW_STOPPED,
	SCHED_LATENCY,
	GOROUTINE_CREATE,
	GOROUTINE_EXIT,
	NUM_POINTS,
};

// A process that is watched has a slot: its number in all maps.
struct process {
	// Address of runtime.sched.timeToRun.
	u64 time_to_run;
	// Least time between two events of a point that are carried.
	u64 rate_limit_ns;
	// One bit for each enum point that is wanted of this process. A link is on
	// a file: it fires in all processes that run it.
	u32 points;
	u32 g_m, g_goid, g_startpc, m_curg, m_p, p_id;
	u32 unused;
};

// What tells series apart, and the bucket. Numbers of nodes and CPUs are
// shifted by one, and a function is a program counter; 0 means not split.
struct key {
	u64 function;
	u16 node, cpu;
	u8 slot, point, reason, bucket;
};

struct count {
	u64 count, sum;
};

struct event {
	struct key key;
	u64 time, value, goid;
	// The P, for points that know it.
	u32 p, unused;
};

struct tally {
	u64 hits, carried, counted, coarse;
};

struct slot_tallies {
	struct tally of[MAX_POINTS];
};

struct coarse_count {
	u64 sum;
	u64 count[NUM_BUCKETS];
};

struct last_carried {
	u64 time[MAX_POINTS];
};

// Thread group id to slot. Programs fire in all processes that run a file;
// this is where those that are not watched leave.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, u32);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct last_carried);
} pacing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

// User space sizes it by the number of CPUs.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct key);
	__type(value, struct count);
} heat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS * MAX_POINTS);
	__type(key, u32);
	__type(value, struct coarse_count);
} coarse SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct slot_tallies);
} tallies SEC(".maps");

// The bounds of pkg/heat, written before the programs are loaded. The ones
// past the last are the greatest number, so that nothing lies over them.
const volatile u64 bounds[256];

static const volatile struct count nothing;

// Returns the bucket of a value: how many bounds lie below it. It is a global
// function so that the verifier walks its 256 ways once, and not in each caller.
__attribute__((noinline)) u32 bucket_of(u64 value)
{
	u32 i = 0;

#pragma unroll
	for (u32 step = 128; step; step >>= 1)
		if (value > bounds[(i + step - 1) & 255])
			i += step;
	return i;
}

static __always_inline u64 read_word(u64 address)
{
	u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)address))
		return 0;
	return word;
}

static __always_inline u32 read_half(u64 address)
{
	u32 half = 0;

	if (bpf_probe_read_user(&half, sizeof(half), (void *)address))
		return -1;
	return half;
}

static __always_inline bool find_slot(u32 *slot)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u32 *found = bpf_map_lookup_elem(&slots, &tgid);

	if (!found)
		return false;
	*slot = *found;
	return true;
}

static __always_inline bool wanted(struct process *proc, enum point point)
{
	return proc->points & (1 << point);
}

// Says whether an event of a point may be carried now, and if so, notes it.
// Two CPUs may both be told yes at once: the limit is a pace, not a lock.
static __always_inline bool due(u32 slot, u8 point, u64 limit, u64 now)
{
	struct last_carried *last = bpf_map_lookup_elem(&pacing, &slot);

	if (!last || point >= MAX_POINTS)
		return false;
	if (now - last->time[point] < limit)
		return false;
	last->time[point] = now;
	return true;
}

static __always_inline bool carry(struct key *key, u64 value, u64 goid, u32 p, u64 now)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return false;
	e->key = *key;
	e->time = now;
	e->value = value;
	// Straight into the ring: 0 where it can't be read.
	e->goid = 0;
	if (goid && bpf_probe_read_user(&e->goid, sizeof(e->goid), (void *)goid))
		e->goid = 0;
	e->p = p;
	e->unused = 0;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return true;
}

static __always_inline bool count(struct key *key, u64 value)
{
	struct count *c = bpf_map_lookup_elem(&heat, key);

	if (!c) {
		// Zero, for another CPU may be faster: then this does nothing.
		bpf_map_update_elem(&heat, key, (const void *)&nothing, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&heat, key);
		if (!c)
			return false;
	}
	// The sum first: whoever sees the count then sees the sum too.
	__sync_fetch_and_add(&c->sum, value);
	__sync_fetch_and_add(&c->count, 1);
	return true;
}

static __always_inline void count_coarsely(struct key *key, u64 value)
{
	u32 i = key->slot * MAX_POINTS + key->point;
	struct coarse_count *c = bpf_map_lookup_elem(&coarse, &i);
	u32 bucket = key->bucket;

	if (!c || bucket >= NUM_BUCKETS)
		return;
	__sync_fetch_and_add(&c->sum, value);
	__sync_fetch_and_add(&c->count[bucket], 1);
}

// Accounts one hit. goid is the address of the id of the goroutine that the
// event is about, or 0; limit is the least time between two events.
static __attribute__((noinline)) int hit(struct key *key, u64 value, u64 limit, u64 goid, u32 p)
{
	u32 slot = key->slot;
	struct slot_tallies *all = bpf_map_lookup_elem(&tallies, &slot);
	struct tally *tally;
	u64 now;

	if (!all || key->point >= NUM_POINTS)
		return 0;
	tally = &all->of[key->point];
	__sync_fetch_and_add(&tally->hits, 1);
	now = bpf_ktime_get_ns();
	if ((!limit || due(slot, key->point, limit, now)) && carry(key, value, goid, p, now)) {
		__sync_fetch_and_add(&tally->carried, 1);
		return 0;
	}
	key->bucket = bucket_of(value);
	if (!count(key, value)) {
		count_coarsely(key, value);
		__sync_fetch_and_add(&tally->coarse, 1);
	}
	__sync_fetch_and_add(&tally->counted, 1);
	return 0;
}
