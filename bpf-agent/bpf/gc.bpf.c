//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The garbage collector: gc.stw, gc.stw.stopping, gc.stw.stopped, gc.cycle,
// gc.mark, gc.assist.
//
//	stopTheWorldWithSema          startTheWorldWithSema
//	|                    |        |push              |RET
//	started ──stopping── finished ───────stopped──── now
//	|────────────────────── gc.stw ──────────────────|
//	       ▲   ▲    ▲
//	       gcstopm: a P gives up; the last is whom the pause waited for
//
// All four times are the runtime's own: it hands them from the one function to
// the other, and what remains is to read them at startTheWorldWithSema. So the
// sum over gc.stw is what the runtime says of itself. They are of the clock
// that bpf_ktime_get_ns reads.
//
// A collection is between two stops of the world, whose times are these:
//
//	sweep termination             mark termination
//	started ── now                started ────── now, handed to startTheWorldWithSema
//	           |───── gc.mark ────|
//	|───────────────── gc.cycle ─────────────────|
//
// When there is work left at mark termination, marking is taken up again: then
// no now is handed over, and gc.mark ends at the next one.

#include "gotherm.h"
#include "begun.h"
#include "heap.h"

#define COLLECTIONS (1 << GC_STW | 1 << GC_STW_STOPPING | 1 << GC_STW_STOPPED | 1 << GC_CYCLE | 1 << GC_MARK | 1 << GC_ASSIST)

// stwReason of the runtime, in all releases that have it.
#define MARK_TERMINATION 1
#define SWEEP_TERMINATION 2

// A world that is being started again. There is one at a time in a process,
// for the runtime holds worldsema from stop to start.
struct starting {
	u64 started, finished;
	u32 reason, open;
	// When the collection that is going on began, and when its marking did; 0
	// when that was not seen.
	u64 cycle, marking;
	// Of its events: a P plus one, and the heap.
	u64 extra[NUM_EXTRAS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct starting);
} starting SEC(".maps");

// The last P that gave up. When two of them do so within nanoseconds, this may
// mix them; it can't hold anything older, since a P writes before it stops.
struct last_stop {
	u64 time;
	u16 node, cpu;
	u32 p;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct last_stop);
} last_stops SEC(".maps");

// Returns the number of the P of the thread that runs this, -1 when unknown.
static __always_inline u32 current_p(struct pt_regs *ctx, struct process *proc)
{
	u64 m = read_word(GO_G(ctx) + proc->g_m);
	u64 p = m ? read_word(m + proc->m_p) : 0;

	return p ? read_half(p + proc->p_id) : -1;
}

// At the push of runtime.gcstopm(), on the thread of a P that stops for a
// world that is being stopped.
SEC("uprobe.multi")
int gc_stop(struct pt_regs *ctx)
{
	struct last_stop *last;
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_GC_STOP, &slot);
	last = proc ? bpf_map_lookup_elem(&last_stops, &slot) : 0;
	if (!last)
		return 0;
	last->time = bpf_ktime_get_ns();
	last->node = bpf_get_numa_node_id() + 1;
	last->cpu = bpf_get_smp_processor_id() + 1;
	last->p = current_p(ctx, proc);
	return 0;
}

// At the push of runtime.startTheWorldWithSema(now, worldStop{reason,
// startedStopping, finishedStopping, stoppingCPUTime}). The world stands still:
// what is read of the heap is of one moment.
SEC("uprobe.multi")
int gc_start(struct pt_regs *ctx)
{
	struct process *proc;
	struct collector *where;
	struct key key = {};
	struct starting *s;
	u64 now;
	u32 slot;

	proc = enter(ctx, RUN_GC_START, &slot);
	where = proc ? bpf_map_lookup_elem(&collectors, &slot) : 0;
	s = where ? bpf_map_lookup_elem(&starting, &slot) : 0;
	// What is not wanted is not left open either, to be closed by a later RET.
	if (!s || !(proc->points & COLLECTIONS))
		return 0;
	now = GO_ARG1(ctx);
	s->reason = (u8)GO_ARG2(ctx);
	s->started = GO_ARG3(ctx);
	s->finished = where->hands_finished ? GO_ARG4(ctx) : bpf_ktime_get_ns();
	s->open = 1;
	s->extra[0] = current_p(ctx, proc) + 1;
	see_heap(slot, s->extra);
	if (s->reason == SWEEP_TERMINATION) {
		s->cycle = s->started;
		s->marking = 0;
	}
	if (s->reason != MARK_TERMINATION || !now)
		return 0;
	key.slot = slot;
	if (s->cycle && wanted(proc, GC_CYCLE)) {
		key.point = GC_CYCLE;
		hit(&key, now - s->cycle, 0, 0, s->extra);
	}
	if (s->marking && wanted(proc, GC_MARK)) {
		key.point = GC_MARK;
		hit(&key, s->started - s->marking, 0, 0, s->extra);
	}
	s->cycle = 0;
	s->marking = 0;
	return 0;
}

// At each RET of runtime.startTheWorldWithSema, which returns now.
SEC("uprobe.multi")
int gc_started(struct pt_regs *ctx)
{
	struct key key = {};
	struct last_stop *last;
	struct process *proc;
	struct starting *s;
	u64 now = GO_RESULT1(ctx);
	u32 slot;

	proc = enter(ctx, RUN_GC_STARTED, &slot);
	last = proc ? bpf_map_lookup_elem(&last_stops, &slot) : 0;
	s = last ? bpf_map_lookup_elem(&starting, &slot) : 0;
	// Attached between the push and the RET: this one began before we looked.
	if (!s || !s->open)
		return 0;
	s->open = 0;
	if (s->reason == SWEEP_TERMINATION && s->cycle)
		s->marking = now;
	key.slot = slot;
	key.reason = s->reason;
	if (last->time >= s->started && last->time <= s->finished) {
		key.node = last->node;
		key.cpu = last->cpu;
		s->extra[0] = last->p + 1;
	} else {
		// No P had to be waited for: the pause is of the one that stops.
		key.node = bpf_get_numa_node_id() + 1;
		key.cpu = bpf_get_smp_processor_id() + 1;
	}
	if (wanted(proc, GC_STW)) {
		key.point = GC_STW;
		hit(&key, now - s->started, 0, 0, s->extra);
	}
	if (wanted(proc, GC_STW_STOPPING)) {
		key.point = GC_STW_STOPPING;
		hit(&key, s->finished - s->started, 0, 0, s->extra);
	}
	if (wanted(proc, GC_STW_STOPPED)) {
		key.point = GC_STW_STOPPED;
		hit(&key, now - s->finished, 0, 0, s->extra);
	}
	return 0;
}

// At the push of runtime.gcAssistAlloc1(gp, scanWork), on the system stack.
SEC("uprobe.multi")
int gc_assist(struct pt_regs *ctx)
{
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_GC_ASSIST, &slot);
	if (proc && wanted(proc, GC_ASSIST))
		begin(slot, GC_ASSIST, GO_ARG1(ctx));
	return 0;
}

// Notes with an assist what is known of the heap: goal and trigger are those
// that the collection began with.
static __attribute__((noinline)) int see_assist(u32 slot, struct begun *b, u32 p)
{
	struct starting *s = bpf_map_lookup_elem(&starting, &slot);
	struct collector *where = bpf_map_lookup_elem(&collectors, &slot);

	if (!b || !s || !where)
		return 0;
	b->extra[0] = p + 1;
	b->extra[1] = where->controller ? read_word(where->controller + __builtin_offsetof(struct gc_controller, heap_live)) : 0;
	if (!b->extra[1])
		b->extra[1] = s->extra[1];
	b->extra[2] = s->extra[2];
	b->extra[3] = s->extra[3];
	return 0;
}

// In runtime.gcAssistAlloc, right after what it does on the system stack.
SEC("uprobe.multi")
int gc_assisted(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns(), duration = 0;
	struct key key = {.point = GC_ASSIST};
	struct process *proc;
	struct begun *assist;
	u32 slot;

	proc = enter(ctx, RUN_GC_ASSISTED, &slot);
	if (!proc || !wanted(proc, GC_ASSIST))
		return 0;
	assist = end(slot, GC_ASSIST, GO_G(ctx), now, &duration);
	if (!assist)
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	key.function = function_of(proc, GO_G(ctx));
	see_assist(slot, assist, current_p(ctx, proc));
	hit(&key, duration, proc->rate_limit_ns, GO_G(ctx), assist->extra);
	return 0;
}
