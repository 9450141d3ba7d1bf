// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The heap of a process, as its own collector sees it: read from its memory at
// the moment of a hit, which costs one copy. Where that can't be read (its page
// is being moved to another NUMA node), what package mem has polled less than
// some seconds ago stands in for it.
#pragma once

#include "gotherm.h"

// runtime.gcControllerState, up to where it is of use: the same in Go 1.21 to
// 1.27 (src/runtime/mgcpacer.go). Package mem reads it as well.
struct gc_controller {
	u32 gc_percent, unused;
	u64 memory_limit;
	u64 heap_minimum;
	u64 runway;
	u64 cons_mark, last_cons_mark[4];
	u64 gc_percent_heap_goal;
	u64 sweep_dist_min_trigger;
	u64 triggered;
	u64 last_heap_goal;
	u64 heap_live;
	u64 heap_scan;
	u64 last_heap_scan;
	u64 last_stack_scan;
	u64 max_stack_scan;
	u64 globals_scan;
	u64 heap_marked;
	u64 heap_scan_work, stack_scan_work, globals_scan_work;
	u64 bg_scan_credit;
	u64 assist_time, dedicated_mark_time, fractional_mark_time, idle_mark_time;
	u64 mark_start_time;
	u64 dedicated_mark_workers_needed;
	u64 idle_mark_workers;
	u64 assist_work_per_byte, assist_bytes_per_work;
	u64 fractional_utilization_goal;
	u64 heap_in_use, heap_released, heap_free;
	u64 total_alloc, total_free;
	u64 mapped_ready;
};

// The collector of a process, as user space found it.
struct collector {
	// Address of runtime.gcController, 0 when it is not known.
	u64 controller;
	// Says that startTheWorldWithSema is handed when the world had stopped.
	u32 hands_finished;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct collector);
} collectors SEC(".maps");

// The heap of a process as it was polled, in bytes. A trigger is where this
// collection began or, when there is none, where the next one will.
struct live_heap {
	u64 live, goal, trigger;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct live_heap);
} live SEC(".maps");

// Room for a copy. Who sees the heap of a process has stopped its world, and so
// is alone.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct gc_controller);
} controllers SEC(".maps");

static __always_inline u64 at_least(u64 a, u64 b) { return a > b ? a : b; }
static __always_inline u64 at_most(u64 a, u64 b) { return a < b ? a : b; }

// src/runtime/mgcpacer.go: (*gcControllerState).memoryLimitHeapGoal.
static __always_inline u64 memory_limit_goal(struct gc_controller *c)
{
	u64 objects = c->total_alloc - c->total_free;
	u64 others = c->mapped_ready - c->heap_free - objects;
	u64 overage = c->mapped_ready > c->memory_limit ? c->mapped_ready - c->memory_limit : 0;
	u64 goal, headroom;

	if (others + overage >= c->memory_limit)
		return c->heap_marked;
	goal = c->memory_limit - (others + overage);
	headroom = at_least(goal / 100 * 3, 1 << 20);
	goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
	return at_least(goal, c->heap_marked);
}

#define NOT_TRIGGERED (~0ull)

// Sets the extras of an event that are about the heap; the first is not.
// src/runtime/mgcpacer.go: (*gcControllerState).heapGoalInternal, .trigger.
static __attribute__((noinline)) int see_heap(u32 slot, u64 *extra)
{
	struct gc_controller *c = bpf_map_lookup_elem(&controllers, &slot);
	struct collector *where = bpf_map_lookup_elem(&collectors, &slot);
	struct live_heap *polled = bpf_map_lookup_elem(&live, &slot);
	u64 goal, limited, trigger, least = 0, most;

	if (!c || !where || !polled || !extra)
		return 0;
	if (!where->controller || bpf_probe_read_user(c, sizeof(*c), (void *)where->controller)) {
		extra[1] = polled->live;
		extra[2] = polled->goal;
		extra[3] = polled->trigger;
		return 0;
	}
	goal = c->gc_percent_heap_goal;
	limited = memory_limit_goal(c);
	if (limited < goal) {
		goal = limited;
	} else {
		least = c->sweep_dist_min_trigger;
		goal = at_least(goal, least);
		if (c->triggered != NOT_TRIGGERED)
			goal = at_least(goal, c->triggered + (64 << 10));
	}
	trigger = c->triggered;
	if (trigger == NOT_TRIGGERED) {
		if (c->heap_marked >= goal) {
			trigger = goal;
		} else {
			least = at_least(least, at_least(c->heap_marked, (goal - c->heap_marked) / 64 * 45 + c->heap_marked));
			most = (goal - c->heap_marked) / 64 * 61 + c->heap_marked;
			if (goal > 4 << 20)
				most = at_least(most, goal - (4 << 20));
			most = at_least(most, least);
			trigger = c->runway > goal ? least : at_least(goal - c->runway, least);
			trigger = at_most(trigger, most);
		}
	}
	extra[1] = c->heap_live;
	extra[2] = goal;
	extra[3] = trigger;
	return 0;
}
