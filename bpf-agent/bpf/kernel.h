// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// What the programs need of the kernel's types, and no more. The programs are
// handed registers and read the target's memory, so no vmlinux.h is needed:
// pt_regs is the one layout that the kernel promises not to change. Who reads
// another structure says which of its fields, and the loader finds them.
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef _Bool bool;

#define true 1
#define false 0

typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_RB_NO_WAKEUP = 1,
};

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

// Registers of Go's internal calling convention.
#define GO_ARG1(ctx) ((ctx)->ax)
#define GO_ARG2(ctx) ((ctx)->bx)
#define GO_ARG3(ctx) ((ctx)->cx)
#define GO_ARG4(ctx) ((ctx)->di)
#define GO_RESULT1(ctx) ((ctx)->ax)
#define GO_G(ctx) ((ctx)->r14)
// Of a thread that is in a system call.
#define SYSCALL_NUMBER(ctx) ((ctx)->orig_ax)

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	unsigned long regs[31];
	unsigned long sp, pc, pstate;
};

#define GO_ARG1(ctx) ((ctx)->regs[0])
#define GO_ARG2(ctx) ((ctx)->regs[1])
#define GO_ARG3(ctx) ((ctx)->regs[2])
#define GO_ARG4(ctx) ((ctx)->regs[3])
#define GO_RESULT1(ctx) ((ctx)->regs[0])
#define GO_G(ctx) ((ctx)->regs[28])
#define SYSCALL_NUMBER(ctx) ((ctx)->regs[8])

#else
#error "no calling convention for this architecture"
#endif

#include <bpf/bpf_helpers.h>
