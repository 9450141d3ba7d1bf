// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The pulse of a process: how its scheduling events follow each other, of
// which package pacer makes entropy and contention. Each CPU has its own, so
// that no two wait for each other, and a gap is between two events of one CPU.
#pragma once

#include "gotherm.h"

#define NUM_GAPS 32

struct pulse {
	u64 last;
	// Sum of the times that goroutines waited for a P, of the events.
	u64 waited;
	// Gap i lasted 2^i to 2^(i+1) times 1,024 ns; the first and the last have
	// also what is shorter and longer.
	u64 gaps[NUM_GAPS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct pulse);
} pulses SEC(".maps");

// Takes in a scheduling event. Where a program was preempted between the two
// uses of last, a gap is between other events than neighbours.
static __always_inline void feel_pulse(u32 slot, u64 waited)
{
	struct pulse *p = bpf_map_lookup_elem(&pulses, &slot);
	u64 now, gap;
	u32 i = 0;

	if (!p)
		return;
	now = bpf_ktime_get_ns();
	gap = p->last ? (now - p->last) >> 10 : 0;
	__sync_fetch_and_add(&p->waited, waited);
	if (p->last) {
		if (gap >> 32)
			gap = 0xffffffff;
#pragma unroll
		for (u32 step = 16; step; step >>= 1) {
			if (gap >> step) {
				i += step;
				gap >>= step;
			}
		}
		__sync_fetch_and_add(&p->gaps[i & (NUM_GAPS - 1)], 1);
	}
	p->last = now;
}
