//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Goroutines: goroutine.create, goroutine.exit. They fire for each goroutine,
// which is dear: attached on demand, for a while.

#include "gotherm.h"

// At the push of runtime.newproc1(fn *funcval, ...). The goroutine has no id yet.
SEC("uprobe.multi")
int goroutine_create(struct pt_regs *ctx)
{
	struct key key = {.point = GOROUTINE_CREATE};
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_CREATE, &slot);
	if (!proc || !wanted(proc, GOROUTINE_CREATE))
		return 0;
	key.slot = slot;
	key.function = function_at(proc, read_word(GO_ARG1(ctx)));
	hit(&key, 1, proc->rate_limit_ns, 0, 0);
	return 0;
}

// At the push of runtime.gdestroy(gp), before it wipes gp.
SEC("uprobe.multi")
int goroutine_exit(struct pt_regs *ctx)
{
	struct key key = {.point = GOROUTINE_EXIT};
	struct process *proc;
	u64 g = GO_ARG1(ctx);
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_EXIT, &slot);
	if (!proc || !wanted(proc, GOROUTINE_EXIT))
		return 0;
	key.slot = slot;
	key.function = function_at(proc, read_word(g + proc->g_startpc));
	hit(&key, 1, proc->rate_limit_ns, g, 0);
	return 0;
}
