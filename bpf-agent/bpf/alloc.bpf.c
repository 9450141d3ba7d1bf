//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Allocation: alloc.latency. It fires for each object, which is the dearest
// there is: attached on demand, and then for a small part of each second.
//
// Functions that allocate call each other. The innermost that is entered last
// is the one that is timed, and what called it then has no beginning any more.

#include "gotherm.h"
#include "begun.h"

// At the push of runtime.mallocgc(size, typ, needzero), or of one that the
// compiler calls instead of it.
SEC("uprobe.multi")
int alloc(struct pt_regs *ctx)
{
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_ALLOC, &slot);
	if (proc && wanted(proc, ALLOC_LATENCY))
		begin(slot, ALLOC_LATENCY, GO_G(ctx));
	return 0;
}

// On the way out of it.
SEC("uprobe.multi")
int allocated(struct pt_regs *ctx)
{
	struct key key = {.point = ALLOC_LATENCY};
	u64 now = bpf_ktime_get_ns(), duration = 0;
	struct process *proc;
	u32 slot;

	proc = enter(ctx, RUN_ALLOCATED, &slot);
	if (!proc || !wanted(proc, ALLOC_LATENCY))
		return 0;
	if (!end(slot, ALLOC_LATENCY, GO_G(ctx), now, &duration))
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	key.function = function_of(proc, GO_G(ctx));
	hit(&key, duration, proc->rate_limit_ns, GO_G(ctx), 0);
	return 0;
}
