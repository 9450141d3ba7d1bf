// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Which goroutine a thread runs, for programs that are not handed Go's
// registers: of tracepoints, and those that sample.
//
//	thread-local storage ──▶ g ──▶ g.m ──▶ m.curg
//
// The g of a thread is not always the goroutine's: the scheduler and signal
// handlers have their own, for their own stacks. So the way is through m.curg,
// and it is believed if the goroutine says that it is on that m.
#pragma once

#include "gotherm.h"

// What a thread does, of which a program wants to know the goroutine.
enum holder {
	// It could not be read, as where the kernel just moves a page between NUMA
	// nodes, or it is changing.
	HOLDER_UNKNOWN,
	// It runs a goroutine, or the runtime on behalf of one.
	HOLDER_GOROUTINE,
	// The runtime looks for a goroutine to run, or idles.
	HOLDER_SCHEDULER,
	// It is no thread of Go's, but of a C library's.
	HOLDER_FOREIGN,
};

#if defined(__TARGET_ARCH_x86)

// Of the kernel's: the loader finds where they are.
struct thread_struct {
	unsigned long fsbase;
} __attribute__((preserve_access_index));

struct task_struct {
	struct thread_struct thread;
} __attribute__((preserve_access_index));

// Reads the g of this thread; 0 when it has none. Says whether that worked.
static __always_inline bool g_of_thread(struct process *proc, u64 *g)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 storage = task->thread.fsbase;

	*g = 0;
	// Nothing of Go's has begun to run on it.
	if (!storage)
		return true;
	return !bpf_probe_read_user(g, sizeof(*g), (void *)(storage + proc->tls_g));
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline bool g_of_thread(struct process *proc, u64 *g)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	*g = GO_G(regs);
	return true;
}

#endif

// Says what this thread does, and which goroutine that is for.
static __always_inline enum holder goroutine_of_thread(struct process *proc, u64 *goroutine)
{
	u64 g, m, of;

	*goroutine = 0;
	if (!g_of_thread(proc, &g))
		return HOLDER_UNKNOWN;
	if (!g)
		return HOLDER_FOREIGN;
	if (bpf_probe_read_user(&m, sizeof(m), (void *)(g + proc->g_m)) || !m ||
	    bpf_probe_read_user(&g, sizeof(g), (void *)(m + proc->m_curg)))
		return HOLDER_UNKNOWN;
	if (!g)
		return HOLDER_SCHEDULER;
	if (bpf_probe_read_user(&of, sizeof(of), (void *)(g + proc->g_m)) || of != m)
		return HOLDER_UNKNOWN;
	*goroutine = g;
	return HOLDER_GOROUTINE;
}
