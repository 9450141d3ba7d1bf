// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// What the programs read of a task and its sockets, in the kernel's memory: the
// fields that they name, which are found by the kernel's own types when the
// programs are loaded.
#pragma once

#include "kernel.h"
#include <bpf/bpf_core_read.h>

#define IPPROTO_TCP 6
#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV 3

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
	struct proto *skc_prot;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct file {
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

// Another name for task_struct: what follows the underscores does not count.
struct task_struct___files {
	struct files_struct *files;
};

#pragma clang attribute pop

// Returns the address of the struct sock of a file descriptor, which must be of
// a socket; 0 when it can't be read.
static __attribute__((noinline)) u64 socket_of(u32 fd)
{
	struct task_struct___files *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = 0;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds) || bpf_probe_read_kernel(&file, sizeof(file), files + fd))
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return (u64)BPF_CORE_READ(socket, sk);
}

// Returns the registers of the thread as they were when it entered the kernel.
static __always_inline struct pt_regs *user_registers(void)
{
	return (struct pt_regs *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
}

// Returns the register that has the goroutine in Go code. In C code it may be
// anything.
static __always_inline u64 current_g_register(void)
{
	return GO_G(user_registers());
}
