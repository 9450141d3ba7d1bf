//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Tells the agent of each exec on the machine, so that a new process is looked
// at in milliseconds and not with the next scan of /proc. It feeds no
// measurement point, and nothing depends on it: when the ring is full, a notice
// is lost, and the scan sees the process.

#include "gotherm.h"

// Of process ids; 64 KiB has room for 4,096.
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10);
} execs SEC(".maps");

// After exec has succeeded, in the process that called it. A raw tracepoint and
// not one by BTF: it needs no argument.
SEC("raw_tp/sched_process_exec")
int exec_notice(void *ctx)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	bpf_ringbuf_output(&execs, &tgid, sizeof(tgid), 0);
	return 0;
}
