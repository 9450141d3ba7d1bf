//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// What package pacer measures the cost of a run with: programs that do what
// those of a costly point do for a hit that is counted, in maps of their own,
// attached to the agent itself.

#include "gotherm.h"

static __always_inline int account(struct process *proc, u32 slot, u64 address)
{
	struct key key = {.point = GOROUTINE_EXIT};

	if (!proc || !wanted(proc, GOROUTINE_EXIT))
		return 0;
	key.slot = slot;
	key.function = function_at(proc, read_word(address));
	// No event is ever due.
	hit(&key, 1, -1, 0, 0);
	return 0;
}

// At an instruction of the agent.
SEC("uprobe.multi")
int calibrate_uprobe(struct pt_regs *ctx)
{
	u32 slot;
	struct process *proc = enter(ctx, RUN_GOROUTINE_EXIT, &slot);

	return account(proc, slot, ctx->sp);
}

// When a thread is given a name.
SEC("tp_btf/task_rename")
int calibrate_tracepoint(u64 *ctx)
{
	u32 slot;
	struct process *proc = enter_task(RUN_GOROUTINE_EXIT, &slot);

	return account(proc, slot, proc ? proc->text : 0);
}

char __license[] SEC("license") = "Dual MIT/GPL";
