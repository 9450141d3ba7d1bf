//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// All families in one object, for they share their maps.

#include "gotherm.h"

#include "exec.bpf.c"
#include "alloc.bpf.c"
#include "cpu.bpf.c"
#include "gc.bpf.c"
#include "goroutine.bpf.c"
#include "ksm.bpf.c"
#include "sched.bpf.c"
#include "http.bpf.c"
#include "tcp.bpf.c"

// Only what a map or a variable names is kept for bpf2go to see.
const struct event *event_type;
const struct long_event *long_event_type;
const enum point *point_type;
const enum program *program_type;
const enum holder *holder_type;
const enum label_layout *label_layout_type;

// bpf_probe_read_user is for programs that are also under the GPL.
char __license[] SEC("license") = "Dual MIT/GPL";
