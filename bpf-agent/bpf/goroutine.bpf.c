//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Goroutines: goroutine.create, goroutine.exit, goroutine.lifetime,
// goroutine.wait. They fire for each goroutine, or whenever one waits, which is
// dear: attached on demand, for a while.
//
// All are at calls of runtime.casgstatus(gp, from, to), but goroutine_preempt.

#include "gotherm.h"
#include "status.h"

// At calls with Dead as from: newproc1's. The goroutine has its function by
// then, and since Go 1.24 its id. It becomes Runnable, or Waiting when it is a
// coroutine.
SEC("uprobe.multi")
int goroutine_create(struct pt_regs *ctx)
{
	struct key key = {.point = GOROUTINE_CREATE};
	struct goroutine_facts *facts;
	struct process *proc;
	struct since *since;
	u64 g = GO_ARG1(ctx);
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_CREATE, &slot);
	facts = proc ? bpf_map_lookup_elem(&goroutine_facts, &slot) : 0;
	if (!facts || (u32)GO_ARG2(ctx) != DEAD)
		return 0;
	if (wanted(proc, GOROUTINE_LIFETIME)) {
		since = any_goroutine(slot, g);
		if (since)
			since->created = bpf_ktime_get_ns();
	}
	if (wanted(proc, GOROUTINE_CREATE)) {
		key.slot = slot;
		key.function = function_of(proc, g);
		hit(&key, 1, proc->rate_limit_ns, facts->id_when_created ? g : 0, 0);
	}
	return 0;
}

// At calls from Running to Dead: gdestroy's, up to Go 1.21 goexit0's, before it
// wipes gp.
SEC("uprobe.multi")
int goroutine_exit(struct pt_regs *ctx)
{
	struct key key = {};
	struct goroutine_facts *facts;
	struct process *proc;
	struct since *since;
	u64 g = GO_ARG1(ctx), lifetime;
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_EXIT, &slot);
	facts = proc ? bpf_map_lookup_elem(&goroutine_facts, &slot) : 0;
	if (!facts || (u32)GO_ARG2(ctx) != RUNNING || (u32)GO_ARG3(ctx) != DEAD)
		return 0;
	key.slot = slot;
	key.function = function_of(proc, g);
	if (wanted(proc, GOROUTINE_EXIT)) {
		key.point = GOROUTINE_EXIT;
		hit(&key, 1, proc->rate_limit_ns, g, 0);
	}
	if (wanted(proc, GOROUTINE_LIFETIME)) {
		since = known_goroutine(slot, g);
		if (since && end_since(&since->created, facts->watched.created, bpf_ktime_get_ns(), &lifetime)) {
			key.point = GOROUTINE_LIFETIME;
			hit(&key, lifetime, proc->rate_limit_ns, g, 0);
		}
	}
	return 0;
}

static __always_inline void wait(struct process *proc, u32 slot, u64 g)
{
	struct since *since;

	if (!wanted(proc, GOROUTINE_WAIT))
		return;
	since = any_goroutine(slot, g);
	if (since)
		since->waiting = bpf_ktime_get_ns();
}

// At calls from Running to Waiting by those that park a goroutine: park_m, and a
// coroutine that hands over. (Others put it there for a moment, for the garbage
// collector to look at its stack, and back: it does not wait.)
SEC("uprobe.multi")
int goroutine_park(struct pt_regs *ctx)
{
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_PARK, &slot);
	if (proc && (u32)GO_ARG2(ctx) == RUNNING && (u32)GO_ARG3(ctx) == WAITING)
		wait(proc, slot, GO_ARG1(ctx));
	return 0;
}

// At the push of runtime.preemptPark(gp): it stops for the garbage collector to
// scan its stack, which then readies it. Its status goes another way.
SEC("uprobe.multi")
int goroutine_preempt(struct pt_regs *ctx)
{
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_PREEMPT, &slot);
	if (proc)
		wait(proc, slot, GO_ARG1(ctx));
	return 0;
}

// Accounts the end of a wait. The reason was written when it began.
static __attribute__((noinline)) int waited(struct process *proc, u32 slot, u64 g, u64 duration)
{
	struct goroutine_facts *facts = bpf_map_lookup_elem(&goroutine_facts, &slot);
	struct key key = {.point = GOROUTINE_WAIT};

	if (!facts || !proc)
		return 0;
	key.slot = slot;
	key.reason = read_half(g + facts->g_waitreason);
	key.function = function_of(proc, g);
	return hit(&key, duration, proc->rate_limit_ns, g, 0);
}

// At all calls to Runnable, by whatever makes a goroutine so: ready, newproc1,
// a preemption or a yield, the network poller and the garbage collector, which
// go past ready, the way out of a system call that found no P.
SEC("uprobe.multi")
int goroutine_ready(struct pt_regs *ctx)
{
	struct goroutine_facts *facts;
	struct process *proc;
	struct since *since;
	u64 g = GO_ARG1(ctx), now, duration;
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_READY, &slot);
	facts = proc ? bpf_map_lookup_elem(&goroutine_facts, &slot) : 0;
	if (!facts || (u32)GO_ARG3(ctx) != RUNNABLE)
		return 0;
	now = bpf_ktime_get_ns();
	if (wanted(proc, SCHED_LATENCY_EXACT)) {
		since = any_goroutine(slot, g);
		if (since)
			since->runnable = now;
	} else {
		since = known_goroutine(slot, g);
	}
	if (since && (u32)GO_ARG2(ctx) == WAITING && wanted(proc, GOROUTINE_WAIT) &&
	    end_since(&since->waiting, facts->watched.waiting, now, &duration))
		waited(proc, slot, g, duration);
	return 0;
}
