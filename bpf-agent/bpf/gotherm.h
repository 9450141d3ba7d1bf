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

#include "labels.h"

#define MAX_SLOTS 256
#define MAX_POINTS 32
#define MAX_PROGRAMS 48
#define NUM_BUCKETS 242
#define NUM_EXTRAS 4

// The measurement points, in the order of probe.Catalogue.
enum point {
	// gc.bpf.c
	GC_STW,
	GC_STW_STOPPING,
	GC_STW_STOPPED,
	GC_CYCLE,
	GC_MARK,
	GC_ASSIST,
	// alloc.bpf.c
	ALLOC_LATENCY,
	// ksm.bpf.c
	KSM_MERGE,
	// sched.bpf.c
	SCHED_LATENCY,
	SCHED_LATENCY_EXACT,
	// goroutine.bpf.c
	GOROUTINE_CREATE,
	GOROUTINE_EXIT,
	GOROUTINE_LIFETIME,
	GOROUTINE_WAIT,
	// cpu.bpf.c
	ONCPU,
	// http.bpf.c
	HTTP_REQUEST,
	// tcp.bpf.c
	TCP_SEND,
	TCP_SEND_BYTES,
	TCP_ACCEPT,

	NUM_POINTS,
};

// The programs, whose runs are counted for what they cost: as many as are on
// probes of a process, whether or not a run is a hit. probe.programs has them
// by name.
enum program {
	// gc.bpf.c
	RUN_GC_STOP,
	RUN_GC_START,
	RUN_GC_STARTED,
	RUN_GC_ASSIST,
	RUN_GC_ASSISTED,
	// alloc.bpf.c
	RUN_ALLOC,
	RUN_ALLOCATED,
	// ksm.bpf.c
	RUN_KSM_MERGE,
	RUN_KSM_MERGE_ZEROS,
	// sched.bpf.c
	RUN_SCHED_LATENCY,
	RUN_SCHED_RUN,
	// goroutine.bpf.c
	RUN_GOROUTINE_CREATE,
	RUN_GOROUTINE_EXIT,
	RUN_GOROUTINE_PARK,
	RUN_GOROUTINE_PREEMPT,
	RUN_GOROUTINE_READY,
	// cpu.bpf.c
	RUN_ONCPU,
	// http.bpf.c
	RUN_HTTP_BEGIN,
	RUN_HTTP_END,
	RUN_HTTP_LABELLED,
	// tcp.bpf.c
	RUN_TCP_SENDING,
	RUN_TCP_SENT,
	RUN_TCP_ESTABLISHED,
	RUN_TCP_ACCEPT,

	NUM_PROGRAMS,
};

// A process that is watched has a slot: its number in all maps. What only one
// family of programs needs to know of it is in a map of that family.
struct process {
	// The number of the file that it runs, which is the cookie of links on that file.
	u64 file;
	// Where its code begins in memory.
	u64 text;
	// Address of runtime.sched.timeToRun.
	u64 time_to_run;
	// Least time between two events of a point that are carried.
	u64 rate_limit_ns;
	// One bit for each enum point that is wanted of this process. A link is on
	// a file: it fires in all processes that run it.
	u32 points;
	u32 g_m, g_goid, g_startpc, g_labels, m_curg, m_p, p_id;
	// An enum label_layout.
	u32 labels;
	// Where a thread has its g, from where its thread-local storage is.
	s32 tls_g;
};

// What tells series apart, and the bucket. A dimension that is 0 is one that
// is not split by.
struct key {
	// Where a function begins, from the beginning of the code.
	u32 function;
	// A word of words.h: a route, or a label.
	u32 word;
	// Numbers of CPUs, nodes and depths are shifted by one.
	u16 cpu;
	u8 node, depth;
	u8 slot, point, reason, bucket;
};

struct count {
	u64 count, sum;
};

// A record of the ring. Most are no more than this: the shorter they are, the
// longer the ring lasts while its reader is kept from its CPU.
struct event {
	struct key key;
	u64 time, value, goid;
	// The pprof label of the goroutine, a word.
	u32 label;
	u32 unused;
};

// The record of a hit of which more is known.
struct long_event {
	struct event event;
	// Its meaning is the point's: see probe.Point.
	u64 extra[NUM_EXTRAS];
};

struct tally {
	u64 hits, carried, counted, coarse;
	// Of the values of all hits.
	u64 sum;
};

struct slot_tallies {
	struct tally of[MAX_POINTS];
	u64 runs[MAX_PROGRAMS];
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
	__uint(max_entries, 8 << 20);
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

	// What is counted and has no duration is 1.
	if (value <= bounds[0])
		return 0;
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

// Begins every program that is about another process than the one that runs:
// counts its run, and says whether that process is watched.
static __always_inline struct process *enter_of(u32 tgid, enum program program, u32 *slot)
{
	u32 *found = bpf_map_lookup_elem(&slots, &tgid);
	struct slot_tallies *all;

	if (!found)
		return 0;
	*slot = *found;
	all = bpf_map_lookup_elem(&tallies, slot);
	if (!all)
		return 0;
	__sync_fetch_and_add(&all->runs[program], 1);
	return bpf_map_lookup_elem(&processes, slot);
}

// Begins every other program but those of uprobes.
static __always_inline struct process *enter_task(enum program program, u32 *slot)
{
	return enter_of(bpf_get_current_pid_tgid() >> 32, program, slot);
}

// Begins every program of a uprobe. One file can be seen as two, as by two
// containers of one image: a link on either fires in the processes of both.
static __always_inline struct process *enter(void *ctx, enum program program, u32 *slot)
{
	struct process *proc = enter_task(program, slot);

	if (!proc || proc->file != bpf_get_attach_cookie(ctx))
		return 0;
	return proc;
}

// Returns the function that begins at an address, as keys have it.
static __always_inline u32 function_at(struct process *proc, u64 address)
{
	u64 offset = address - proc->text;

	return offset >> 32 ? 0 : offset;
}

// Returns the function that a goroutine was started with.
static __always_inline u32 function_of(struct process *proc, u64 g)
{
	return function_at(proc, read_word(g + proc->g_startpc));
}

// Returns under what maps know a goroutine: the address of its g, with the slot
// in the highest byte, where no address of user space reaches.
static __always_inline u64 goroutine_key(u32 slot, u64 g)
{
	return (u64)slot << 56 | g;
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

// Returns the label of a goroutine, a word. context is that of draft.
static __always_inline u32 label_of(struct process *proc, u32 slot, u64 context, u64 g)
{
	u64 labels;

	if (!g || proc->labels == LABELS_NONE)
		return 0;
	labels = read_word(g + proc->g_labels);
	return labels ? label_in(slot, context, labels, proc->labels) : 0;
}

static __attribute__((noinline)) bool carry(struct key *key, u64 value, u64 g, const u64 *extra, u64 now)
{
	u32 slot = key->slot;
	struct process *proc = bpf_map_lookup_elem(&processes, &slot);
	struct event *e;

	if (!proc)
		return false;
	e = bpf_ringbuf_reserve(&events, extra ? sizeof(struct long_event) : sizeof(*e), 0);
	if (!e)
		return false;
	e->key = *key;
	e->time = now;
	e->value = value;
	// Straight into the ring: 0 where it can't be read.
	e->goid = 0;
	if (g && bpf_probe_read_user(&e->goid, sizeof(e->goid), (void *)(g + proc->g_goid)))
		e->goid = 0;
	if (extra)
		for (u32 i = 0; i < NUM_EXTRAS; i++)
			((struct long_event *)e)->extra[i] = extra[i];
	e->label = key->point == ONCPU ? key->word : label_of(proc, slot, 0, g);
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

// Accounts one hit. g is the address of the goroutine that it is about, or 0;
// extra is NUM_EXTRAS words in a map, or 0; limit is the least time between two events.
static __attribute__((noinline)) int hit(struct key *key, u64 value, u64 limit, u64 g, const u64 *extra)
{
	u32 slot = key->slot;
	struct slot_tallies *all = bpf_map_lookup_elem(&tallies, &slot);
	struct tally *tally;
	u64 now;

	if (!all || key->point >= NUM_POINTS)
		return 0;
	tally = &all->of[key->point];
	__sync_fetch_and_add(&tally->hits, 1);
	__sync_fetch_and_add(&tally->sum, value);
	now = bpf_ktime_get_ns();
	key->bucket = 0;
	if ((!limit || due(slot, key->point, limit, now)) && carry(key, value, g, extra, now)) {
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
