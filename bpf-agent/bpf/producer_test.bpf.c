//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Lets a benchmark make hits as fast as it wants them, by the same code as
// those of probes: into the ring, or into the counters.

#include "gotherm.h"

struct order {
	// How many, of which slot and point.
	u32 hits, slot, point;
	// One in so many is of another key than the one before.
	u32 keys;
	// User memory that holds ids of goroutines, and how many; 0 for none.
	u64 goroutines;
	u32 num_goroutines, unused;
	// 0 carries what the ring has room for, else all are counted.
	u64 rate_limit;
};

struct work {
	struct order *order;
	u64 random;
};

static long produce_one(u32 i, struct work *w)
{
	struct order *o = w->order;
	struct key key = {.slot = o->slot, .point = o->point, .node = 1};
	u64 g = 0;

	// Of Knuth's MMIX; its high bits are good.
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	if (o->keys > 1)
		key.function = 1 + (w->random >> 40) % o->keys;
	if (o->num_goroutines)
		g = o->goroutines + 8 * ((w->random >> 33) % o->num_goroutines);
	// Some microseconds to some milliseconds.
	hit(&key, 1000 + (w->random >> 44), o->rate_limit, g, 0);
	return 0;
}

SEC("syscall")
int produce(struct order *order)
{
	struct work w = {.order = order, .random = bpf_get_prandom_u32()};

	bpf_loop(order->hits, produce_one, &w, 0);
	return 0;
}

static long aggregate_one(u32 i, struct work *w)
{
	struct order *o = w->order;
	struct key key = {.slot = o->slot, .point = o->point, .node = 1};

	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	key.bucket = (w->random >> 33) % 64;
	if (o->keys > 1)
		key.function = 1 + (w->random >> 40) % o->keys;
	count(&key, 1000);
	return 0;
}

// Only the counting.
SEC("syscall")
int aggregate(struct order *order)
{
	struct work w = {.order = order, .random = bpf_get_prandom_u32()};

	bpf_loop(order->hits, aggregate_one, &w, 0);
	return 0;
}

char __license[] SEC("license") = "Dual MIT/GPL";
