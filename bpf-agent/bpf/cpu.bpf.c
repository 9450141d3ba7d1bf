//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Who has the CPUs: oncpu.

#include "gotherm.h"
#include "thread.h"

// On each CPU, at a steady rate of its clock, on top of whatever runs there.
SEC("perf_event")
int oncpu(void *ctx)
{
	struct key key = {.point = ONCPU};
	struct process *proc;
	u64 g;
	u32 slot;

	proc = enter_task(RUN_ONCPU, &slot);
	if (!proc || !wanted(proc, ONCPU))
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	key.cpu = bpf_get_smp_processor_id() + 1;
	key.reason = goroutine_of_thread(proc, &g);
	if (g) {
		key.function = function_of(proc, g);
		key.word = label_of(proc, slot, DRAFT_OF_SAMPLE, g);
	}
	hit(&key, 1, proc->rate_limit_ns, g, 0);
	return 0;
}
