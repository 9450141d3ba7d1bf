// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Labels: the pprof label of a goroutine, as a word "key=value".
//
// A goroutine may have several; a series has room for one. It is the first, in
// the order of keys, that is not the id of a trace or a span: those would make
// a series of each request. g.labels is the runtime's, but what it points to is
// package runtime/pprof's:
//
//	Go 1.24 and later: *struct{ []struct{ key, value string } }, sorted by key
//	until Go 1.23:     *map[string]string, of which those with more than eight
//	                   entries have no one place to look, and count as none
#pragma once

#include "words.h"

// Labels that are looked at of a goroutine, as many as a bucket of a map has.
#define MAX_LABELS 8

// What struct process has of how a binary keeps its labels.
enum label_layout {
	LABELS_NONE, // nothing in the program can set one
	LABELS_SLICE,
	LABELS_MAP,
};

// A Go string.
struct go_string {
	u64 address, length;
};

struct go_label {
	struct go_string key, value;
};

// Says whether a key ends like trace_id, trace.id, traceID, span_id, spanid, or
// is traceparent, by its last eight bytes. It is a global function so that the
// verifier walks it once, and not for each label.
__attribute__((noinline)) u32 names_trace(u64 key, u64 length)
{
	const u64 trace = 0x6563617274ull, span = 0x6e617073ull, id = 0x6469ull, ceparent = 0x746e657261706563ull;
	u64 tail = 0, n = length < 8 ? length : 8;

	if (bpf_probe_read_user(&tail, n, (void *)(key + length - n)) || !n)
		return false;
	tail = tail << 8 * (8 - n) | 0x2020202020202020ull;
	if (tail == ceparent)
		return true;
	if (tail >> 48 != id)
		return false;
	return (tail & 0xffffffffffull) == trace || (tail >> 8 & 0xffffffffffull) == trace ||
	       (tail >> 8 & 0xffffffffull) == span || (tail >> 16 & 0xffffffffull) == span;
}

// Puts "key=value" into a draft. The draft's rest takes what is too long.
static __attribute__((noinline)) bool spell(struct draft *d, struct go_string *key, struct go_string *value)
{
	u64 n = key->length, m = value->length;
	u8 *to = (u8 *)d;

	if (n > WORD_BYTES - 2)
		n = WORD_BYTES - 2;
	if (m > WORD_BYTES - 1)
		m = WORD_BYTES - 1;
	if (bpf_probe_read_user(to, n, (void *)key->address))
		return false;
	to[n] = '=';
	return !bpf_probe_read_user(to + n + 1, m, (void *)value->address);
}

// The label of a slice: the first that does.
static __attribute__((noinline)) bool find_in_slice(struct draft *d, u64 labels)
{
	struct go_label *label = (struct go_label *)d->rest;
	struct go_string list;

	if (bpf_probe_read_user(&list, sizeof(list), (void *)labels))
		return false;
	for (u32 i = 0; i < MAX_LABELS && i < list.length; i++) {
		if (bpf_probe_read_user(label, sizeof(*label), (void *)(list.address + i * sizeof(*label))))
			return false;
		if (label->key.length && !names_trace(label->key.address, label->key.length))
			return true;
	}
	return false;
}

// struct hmap of src/runtime/map.go, as far as it matters here.
struct go_map {
	u64 count;
	u8 flags, log_buckets;
	u16 overflows;
	u32 seed;
	u64 buckets, old_buckets;
};

// The label of a map: the one with the least key by its first eight bytes, for
// a map has no order.
static __attribute__((noinline)) bool find_in_map(struct draft *d, u64 labels)
{
	struct go_label *label = (struct go_label *)d->rest;
	struct go_map *map = (struct go_map *)&d->rest[0].bytes[4];
	u64 *head = &d->rest[1].bytes[0];
	u64 least = -1, bucket;
	u32 found = MAX_LABELS;

	// labels is the address of the map's, and a map is a pointer.
	if (bpf_probe_read_user(&bucket, sizeof(bucket), (void *)labels) ||
	    bpf_probe_read_user(map, sizeof(*map), (void *)bucket))
		return false;
	// The one bucket is without gaps: nothing is ever deleted.
	if (map->log_buckets || map->count > MAX_LABELS)
		return false;
	bucket = map->buckets;
	for (u32 i = 0; i < MAX_LABELS && i < map->count; i++) {
		u64 n;

		if (bpf_probe_read_user(&label->key, sizeof(label->key), (void *)(bucket + 8 + i * 16)))
			return false;
		n = label->key.length < 8 ? label->key.length : 8;
		*head = 0;
		if (!n || bpf_probe_read_user(head, n, (void *)label->key.address) || names_trace(label->key.address, label->key.length))
			continue;
		if (__builtin_bswap64(*head) < least) {
			least = __builtin_bswap64(*head);
			found = i;
		}
	}
	if (found == MAX_LABELS)
		return false;
	return !bpf_probe_read_user(&label->key, sizeof(label->key), (void *)(bucket + 8 + found * 16)) &&
	       !bpf_probe_read_user(&label->value, sizeof(label->value), (void *)(bucket + 8 + (MAX_LABELS + found) * 16));
}

// Returns the word of the label in what g.labels points to; 0 when there is none.
__attribute__((noinline)) u32 label_in(u32 slot, u64 context, u64 labels, u32 layout)
{
	struct draft *d = draft(context);
	struct go_label *label;

	if (!d || !(layout == LABELS_MAP ? find_in_map(d, labels) : find_in_slice(d, labels)))
		return 0;
	label = (struct go_label *)d->rest;
	if (!spell(d, &label->key, &label->value))
		return 0;
	return intern(slot, &d->word);
}
