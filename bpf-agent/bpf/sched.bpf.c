//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The scheduler: sched.latency, sched.latency.exact.
//
// The street: bpf-agent/probe/catalogue.go says what is attached where; a hit
// becomes a count and perhaps an event here; bpf-agent/ingest/ingest.go takes
// both out of the kernel.

#include "gotherm.h"
#include "pulse.h"
#include "status.h"

// At the cheapest place of runtime.(*timeHistogram).record(h, duration). The
// runtime calls it for one in 8 transitions of a goroutine from runnable to
// running, and for its histograms of pauses.
SEC("uprobe.multi")
int sched_latency(struct pt_regs *ctx)
{
	struct key key = {.point = SCHED_LATENCY};
	s64 duration = GO_ARG2(ctx);
	struct process *proc;
	u64 m, g = 0;
	u32 slot;

	proc = enter(ctx, RUN_SCHED_LATENCY, &slot);
	if (!proc || !wanted(proc, SCHED_LATENCY) || GO_ARG1(ctx) != proc->time_to_run)
		return 0;
	// The scheduler runs on a stack of its own, whose g is not the goroutine:
	// by now m.curg is the one that is about to run.
	m = read_word(GO_G(ctx) + proc->g_m);
	if (m)
		g = read_word(m + proc->m_curg);
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	if (g)
		key.function = function_of(proc, g);
	// A clock that stepped between two CPUs: the runtime counts it as well.
	if (duration < 0)
		duration = 0;
	feel_pulse(slot, duration);
	hit(&key, duration, proc->rate_limit_ns, g, 0);
	return 0;
}

// At calls of runtime.casgstatus(gp, Runnable, Running): execute's, and that of
// a coroutine that hands over to another. They are dear, one for each switch;
// what made gp runnable was seen by goroutine_ready.
SEC("uprobe.multi")
int sched_run(struct pt_regs *ctx)
{
	struct key key = {.point = SCHED_LATENCY_EXACT};
	struct goroutine_facts *facts;
	struct process *proc;
	struct since *since;
	u64 g = GO_ARG1(ctx), latency;
	u32 slot;

	proc = enter(ctx, RUN_SCHED_RUN, &slot);
	if (!proc || (u32)GO_ARG2(ctx) != RUNNABLE || (u32)GO_ARG3(ctx) != RUNNING || !wanted(proc, SCHED_LATENCY_EXACT))
		return 0;
	facts = bpf_map_lookup_elem(&goroutine_facts, &slot);
	since = facts ? known_goroutine(slot, g) : 0;
	if (!since || !end_since(&since->runnable, facts->watched.runnable, bpf_ktime_get_ns(), &latency))
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	key.function = function_of(proc, g);
	hit(&key, latency, proc->rate_limit_ns, g, 0);
	return 0;
}
