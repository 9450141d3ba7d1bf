// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Words: strings of the target that are dimensions, such as routes and labels.
// A key has room for a number only, so a string is hashed, and the first that
// is seen of it is kept here for user space to read. 0 stands for no word: of
// a string that can't be read, or when there is no room for a new one. The hit
// is then not split by it, and not lost.
#pragma once

#include "kernel.h"

// A longer string is cut.
#define WORD_BYTES 64

struct word {
	u64 bytes[WORD_BYTES / 8];
};

struct word_key {
	u32 slot, word;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct word_key);
	__type(value, struct word);
} words SEC(".maps");

// A word that is being put together, and room after it: for what is put there
// last and is too long, and to read into.
struct draft {
	struct word word, rest[6];
};

// Where a thread puts a string together: there is no stack for it. Programs
// that can interrupt others of the same thread have drafts of their own.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct draft);
} drafts SEC(".maps");

static const volatile struct draft empty_draft;

#define DRAFT_OF_SAMPLE (1ull << 63)

// Returns an empty draft of this thread, or 0. context tells apart programs
// that may run on top of each other: 0, or DRAFT_OF_SAMPLE.
static __always_inline struct draft *draft(u64 context)
{
	u64 who = bpf_get_current_pid_tgid() | context;
	struct draft *d = bpf_map_lookup_elem(&drafts, &who);

	if (!d) {
		bpf_map_update_elem(&drafts, &who, (const void *)&empty_draft, BPF_ANY);
		return bpf_map_lookup_elem(&drafts, &who);
	}
	for (u32 i = 0; i < WORD_BYTES / 8; i++)
		d->word.bytes[i] = 0;
	return d;
}

// Returns under which number the word in a draft goes.
static __always_inline struct word_key word_key(u32 slot, struct word *w)
{
	struct word_key key = {.slot = slot};
	u64 hash = 14695981039346656037ull;

	// FNV-1a over words of eight bytes, folded: it has to spread, not to protect.
	for (u32 i = 0; i < WORD_BYTES / 8; i++)
		hash = (hash ^ w->bytes[i]) * 1099511628211ull;
	hash ^= hash >> 29;
	key.word = hash ^ hash >> 32;
	if (!key.word)
		key.word = 1;
	return key;
}

// Returns the number of the word in a draft.
static __always_inline u32 intern(u32 slot, struct word *w)
{
	struct word_key key = word_key(slot, w);

	if (!bpf_map_lookup_elem(&words, &key) && bpf_map_update_elem(&words, &key, w, BPF_ANY))
		return 0;
	return key.word;
}

// Is intern, but takes no new word when there are limit already; n counts them.
static __always_inline u32 intern_few(u32 slot, struct word *w, u32 *n, u32 limit)
{
	struct word_key key = word_key(slot, w);

	if (bpf_map_lookup_elem(&words, &key))
		return key.word;
	if (*n >= limit || bpf_map_update_elem(&words, &key, w, BPF_ANY))
		return 0;
	__sync_fetch_and_add(n, 1);
	return key.word;
}

// Returns the number of a string of the target.
static __always_inline u32 word_at(u32 slot, u64 context, u64 address, u64 length)
{
	struct draft *d = draft(context);

	if (!d || !address || !length)
		return 0;
	if (length > WORD_BYTES)
		length = WORD_BYTES;
	if (bpf_probe_read_user(&d->word, length, (void *)address))
		return 0;
	return intern(slot, &d->word);
}
