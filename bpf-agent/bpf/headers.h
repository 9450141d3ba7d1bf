// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The trace id of a request: from its header "traceparent", which is
// https://www.w3.org/TR/trace-context/, or from a pprof label "trace_id" or
// "traceid". Maps of Go are hashed with a seed and by CPU instructions that
// programs don't have, so they are walked, as far as a request has headers.
#pragma once

#include "gotherm.h"
#include "words.h"

// How maps lie in memory.
struct map_layout {
	u32 kind;
	// Of MAP_SWISS: table.groups. The rest has been the same in all releases.
	u32 table_groups;
};

enum {
	MAP_UNKNOWN,
	MAP_SWISS, // src/internal/runtime/maps
	MAP_BUCKETS, // src/runtime/map.go up to Go 1.23
};

#define GROUP_SLOTS 8
// As many groups or buckets are walked: 256 slots.
#define MAX_GROUPS 32
#define MAX_OVERFLOWS 2

// Little-endian, as amd64 and arm64 are.
#define EIGHT(a, b, c, d, e, f, g, h) \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 | (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)

#define TRACEPARENT_BYTES 11
#define TRACEPARENT_FIRST EIGHT('T', 'r', 'a', 'c', 'e', 'p', 'a', 'r')
#define TRACEPARENT_LAST EIGHT('e', 'n', 't', 0, 0, 0, 0, 0)
#define TRACE_ID EIGHT('t', 'r', 'a', 'c', 'e', '_', 'i', 'd')
#define TRACEID EIGHT('t', 'r', 'a', 'c', 'e', 'i', 'd', 0)

enum keyed {
	BY_HEADER,
	BY_LABEL,
};

// Says whether the bytes at an address, as many as the name has, are the name of the header.
static __always_inline bool is_traceparent(u64 at)
{
	u64 text[2] = {};

	return !bpf_probe_read_user(text, TRACEPARENT_BYTES, (void *)at) && text[0] == TRACEPARENT_FIRST && text[1] == TRACEPARENT_LAST;
}

// Says whether the string at an address is the name that is looked for. Like
// what follows it is a global function, so that the verifier walks it once.
__attribute__((noinline)) u32 is_name(u64 at, u32 by)
{
	u64 text[2];

	if (bpf_probe_read_user(text, sizeof(text), (void *)at))
		return false;
	if (by == BY_HEADER)
		return text[1] == TRACEPARENT_BYTES && is_traceparent(text[0]);
	if (text[1] == 8)
		return read_word(text[0]) == TRACE_ID;
	if (text[1] == 7) {
		u64 first = 0;

		return !bpf_probe_read_user(&first, 7, (void *)text[0]) && first == TRACEID;
	}
	return false;
}

#define EACH_BYTE 0x0101010101010101ull

// Reads 8 lower-case hexadecimal digits, each a byte of text; says whether they
// are. All eight at once, and without a branch, for the verifier walks both
// ways of each: a digit is right if it is written like this.
static __always_inline bool eight_digits(u64 text, u64 *value)
{
	u64 letters = text >> 6 & EACH_BYTE;
	u64 digits = (text & EACH_BYTE * 15) + letters * 9;
	u64 above_9 = (digits + EACH_BYTE * 6) >> 4 & EACH_BYTE;

	*value = __builtin_bswap64(digits);
	*value = (*value | *value >> 4) & 0x00ff00ff00ff00ffull;
	*value = (*value | *value >> 8) & 0x0000ffff0000ffffull;
	*value = (*value | *value >> 16) & 0xffffffff;
	return !(digits & EACH_BYTE * 0xf0) && text == digits + EACH_BYTE * '0' + above_9 * ('a' - '0' - 10);
}

// Reads 16 lower-case hexadecimal digits; says whether they are.
static __attribute__((noinline)) u32 hexadecimal(const u8 *text, u64 *value)
{
	u64 high, low;

	if (!eight_digits(*(const u64 *)text, &high) || !eight_digits(*(const u64 *)(text + 8), &low))
		return false;
	*value = high << 32 | low;
	return true;
}

// Reads a trace id of 32 digits at the beginning of text.
static __always_inline void trace_id(const u8 *text, u64 *extra)
{
	u64 high, low;

	if (!hexadecimal(text, &high) || !hexadecimal(text + 16, &low))
		return;
	extra[0] = high;
	extra[1] = low;
}

#define TRACEPARENT_VALUE 55

// Reads "00-<trace id>-<parent id>-<flags>". Later versions may be longer.
static __attribute__((noinline)) int traceparent(u64 value, u64 *extra)
{
	struct draft *d = draft(0);
	const u8 *text = (const u8 *)d;
	u64 string[2], parent;

	if (!d || bpf_probe_read_user(string, sizeof(string), (void *)value))
		return 0;
	if (string[1] < TRACEPARENT_VALUE || bpf_probe_read_user(d, TRACEPARENT_VALUE, (void *)string[0]))
		return 0;
	if (text[2] != '-' || text[35] != '-' || text[52] != '-')
		return 0;
	if (text[0] == '0' && text[1] == '0' && string[1] != TRACEPARENT_VALUE)
		return 0;
	if (text[0] == 'f' && text[1] == 'f')
		return 0;
	if (!hexadecimal(text + 36, &parent) || !parent)
		return 0;
	trace_id(text + 3, extra);
	return 0;
}

// Reads the value of a label.
static __always_inline void labelled_trace(u64 value, u64 *extra)
{
	struct draft *d = draft(0);
	u64 string[2];

	if (!d || bpf_probe_read_user(string, sizeof(string), (void *)value) || string[1] != 32)
		return;
	if (bpf_probe_read_user(d, 32, (void *)string[0]))
		return;
	trace_id((const u8 *)d, extra);
}

// A group of a map[string][]string: a byte of control for each slot, and the slots.
struct header_slot {
	struct go_string key;
	u64 values, length, capacity;
};

struct header_group {
	u64 control;
	struct header_slot slots[GROUP_SLOTS];
};

_Static_assert(sizeof(struct header_group) <= sizeof(((struct draft *)0)->rest), "a group is read into a draft");

// Returns where the values of the header are, or 0. All slots that are taken
// are read at once, and of their keys only those are looked at that are as long
// as the name. Slots after the last are left alone: in memory that is new to
// the target they may lie in a page that it has not touched, and nobody can read.
__attribute__((noinline)) u64 header_in_group(u64 at)
{
	struct draft *d = draft(0);
	struct header_slot *slots;
	// The upper bit of a byte of control: empty, or deleted.
	u64 taken = ~read_word(at);
	u32 n = 0;

	if (!d)
		return 0;
	for (u32 i = 0; i < GROUP_SLOTS; i++)
		if (taken >> (i * 8 + 7) & 1)
			n = i + 1;
	slots = (struct header_slot *)&d->rest;
	if (bpf_probe_read_user(slots, n * sizeof(*slots), (void *)(at + __builtin_offsetof(struct header_group, slots))))
		return 0;
	for (u32 i = 0; i < GROUP_SLOTS; i++) {
		if (!(taken >> (i * 8 + 7) & 1) || slots[i].key.length != TRACEPARENT_BYTES)
			continue;
		if (is_traceparent(slots[i].key.address))
			return slots[i].values;
	}
	return 0;
}

// Map of src/internal/runtime/maps/map.go, as far as it matters here.
struct swiss_map {
	u64 used, seed, directory, tables;
};

// groupsReference of src/internal/runtime/maps/group.go.
struct swiss_groups {
	u64 data, mask;
};

static __attribute__((noinline)) u64 header_in_swiss(struct map_layout *at, u64 address)
{
	struct swiss_groups groups;
	struct swiss_map map;
	u64 values;

	if (bpf_probe_read_user(&map, sizeof(map), (void *)address) || !map.used)
		return 0;
	if (!map.tables)
		return header_in_group(map.directory);
	// A table has room for 896: more tables are more headers than are walked.
	if (bpf_probe_read_user(&groups, sizeof(groups), (void *)(read_word(map.directory) + at->table_groups)))
		return 0;
	for (u32 i = 0; i < MAX_GROUPS; i++) {
		if (i > groups.mask)
			break;
		values = header_in_group(groups.data + i * sizeof(struct header_group));
		if (values)
			return values;
	}
	return 0;
}

// Buckets: 8 bytes of hashes, the keys, the values, the next bucket.
#define MIN_TOP_HASH 5
#define KEYS_BYTES (GROUP_SLOTS * 16)

// Returns where in a bucket and those that it overflows into the value is, or 0.
__attribute__((noinline)) u64 in_buckets(u64 bucket, u32 by)
{
	u32 value_bytes = by == BY_HEADER ? 24 : 16;

	for (u32 overflows = 0; overflows <= MAX_OVERFLOWS; overflows++) {
		u64 hashes;

		if (!bucket)
			return 0;
		hashes = read_word(bucket);
		for (u32 i = 0; i < GROUP_SLOTS; i++)
			if ((u8)(hashes >> i * 8) >= MIN_TOP_HASH && is_name(bucket + 8 + i * 16, by))
				return bucket + 8 + KEYS_BYTES + i * value_bytes;
		bucket = read_word(bucket + 8 + KEYS_BYTES + GROUP_SLOTS * value_bytes);
	}
	return 0;
}

// Returns where in bucket i of a map the value is, or 0. While a map grows, half
// as many old buckets may still have it. It is a global function so that the
// verifier does not walk what may be in each bucket for each that came before.
__attribute__((noinline)) u64 in_bucket(u64 buckets, u64 old_buckets, u32 i, u32 n, u32 by)
{
	u32 bytes = 8 + KEYS_BYTES + GROUP_SLOTS * (by == BY_HEADER ? 24 : 16) + 8;
	u64 found = in_buckets(buckets + i * bytes, by);

	if (!found && old_buckets && i < (n + 1) / 2)
		found = in_buckets(old_buckets + i * bytes, by);
	return found;
}

__attribute__((noinline)) u64 in_map_of_buckets(u64 map, u32 by)
{
	struct go_map of;
	u64 found;
	u32 n;

	if (bpf_probe_read_user(&of, sizeof(of), (void *)map) || !of.count)
		return 0;
	n = of.log_buckets > 5 ? MAX_GROUPS : 1 << of.log_buckets;
	for (u32 i = 0; i < MAX_GROUPS; i++) {
		if (i >= n)
			break;
		found = in_bucket(of.buckets, of.old_buckets, i, n, by);
		if (found)
			return found;
	}
	return 0;
}

// Reads the trace id of a header into extra.
static __always_inline void trace_of_header(struct map_layout *at, u64 header, u64 *extra)
{
	u64 values = 0;

	if (at->kind == MAP_SWISS) {
		values = header_in_swiss(at, header);
	} else if (at->kind == MAP_BUCKETS) {
		values = in_map_of_buckets(header, BY_HEADER);
		if (values)
			values = read_word(values);
	}
	// The first of the strings.
	if (values)
		traceparent(values, extra);
}

// As many labels are walked.
#define TRACE_LABELS 16

// Reads the trace id of the labels of a goroutine into extra. Unlike the label
// of labels.h, it is looked for by name, in maps of any size.
static __always_inline void trace_of_labels(enum label_layout layout, u64 labels, u64 *extra)
{
	u64 value = 0;

	if (layout == LABELS_MAP) {
		labels = read_word(labels);
		if (labels)
			value = in_map_of_buckets(labels, BY_LABEL);
	} else if (layout == LABELS_SLICE) {
		struct go_string list;

		if (bpf_probe_read_user(&list, sizeof(list), (void *)labels))
			return;
		for (u32 i = 0; i < TRACE_LABELS; i++) {
			u64 label = list.address + i * sizeof(struct go_label);

			if (i >= list.length)
				break;
			if (is_name(label, BY_LABEL)) {
				value = label + __builtin_offsetof(struct go_label, value);
				break;
			}
		}
	}
	if (value)
		labelled_trace(value, extra);
}
