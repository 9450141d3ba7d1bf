//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Lets a test ask the kernel's side for the bucket of a value.

#include "gotherm.h"

struct bucket_question {
	u64 value;
	u64 bucket;
};

SEC("syscall")
int ask_bucket(struct bucket_question *q)
{
	q->bucket = bucket_of(q->value);
	return 0;
}

char __license[] SEC("license") = "Dual MIT/GPL";
