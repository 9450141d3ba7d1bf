//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Kernel samepage merging: ksm.merge. A thread of the kernel's own merges pages,
// so the process is whose memory it is.

#include "gotherm.h"

// Of the kernel's: the loader finds where they are. What follows ___ is not
// part of a name.
struct task_struct___owner {
	int tgid;
} __attribute__((preserve_access_index));

struct mm_struct___owned {
	struct task_struct___owner *owner;
} __attribute__((preserve_access_index));

static __always_inline int merged(enum program program, struct mm_struct___owned *mm, int error)
{
	struct key key = {.point = KSM_MERGE};
	struct task_struct___owner *owner = 0;
	struct process *proc;
	u32 slot, tgid = 0;

	// A kernel without memory control groups does not know whose it is.
	if (!__builtin_preserve_field_info(((struct mm_struct___owned *)0)->owner, 2 /* BPF_FIELD_EXISTS */))
		return 0;
	if (bpf_probe_read_kernel(&owner, sizeof(owner), &mm->owner) || !owner ||
	    bpf_probe_read_kernel(&tgid, sizeof(tgid), &owner->tgid))
		return 0;
	proc = enter_of(tgid, program, &slot);
	if (!proc || !wanted(proc, KSM_MERGE) || error)
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	hit(&key, 1, proc->rate_limit_ns, 0, 0);
	return 0;
}

// ksm_merge_one_page(pfn, rmap_item, mm, err): a page of zeros.
SEC("tp_btf/ksm_merge_one_page")
int ksm_merge_zeros(u64 *ctx)
{
	return merged(RUN_KSM_MERGE_ZEROS, (void *)ctx[2], ctx[3]);
}

// ksm_merge_with_ksm_page(ksm_page, pfn, rmap_item, mm, err).
SEC("tp_btf/ksm_merge_with_ksm_page")
int ksm_merge(u64 *ctx)
{
	return merged(RUN_KSM_MERGE, (void *)ctx[3], ctx[4]);
}
