//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Counts calls of functions, as the agent counts hits, by where the probe is:
// what is set beside count() of bpftrace, by probe.

#include "gotherm.h"

#if defined(__TARGET_ARCH_x86)
#define PC(ctx) ((ctx)->ip)
#elif defined(__TARGET_ARCH_arm64)
#define PC(ctx) ((ctx)->pc)
#endif

SEC("uprobe.multi")
int called(struct pt_regs *ctx)
{
	struct key key = {.point = GOROUTINE_CREATE};
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_GOROUTINE_CREATE, &slot);
	if (!proc || !wanted(proc, GOROUTINE_CREATE))
		return 0;
	key.slot = slot;
	key.function = function_at(proc, PC(ctx));
	// No event is ever due.
	hit(&key, 1, -1, 0, 0);
	return 0;
}

char __license[] SEC("license") = "Dual MIT/GPL";
