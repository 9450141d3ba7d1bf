//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Requests that net/http serves: http.request.
//
//	serverHandler.ServeHTTP                          HTTP/1: connReader.abortPendingRead
//	|push                                            |push   HTTP/2: the last defer of runHandler
//	|───── handler ───── answer is written and sent ─|
//	                     ▲ tcp_sendmsg_locked: tcp.bpf.c
//
// net/http takes back the read of a connection that it has under way during a
// request when the request is over and its answer flushed, but also when the
// handler has panicked, and when it hijacks the connection: the one place that
// every request over HTTP/1 comes by once, after its last send. HTTP/2 has a
// goroutine for each request, which the last defer ends in all cases.
//
// Both ends are on the goroutine of the request, so a request is known by its
// g: that takes no read of the target's memory, which can fail. The kernel's
// view of a thread that sends finds it in the same way.

#include "gotherm.h"
#include "words.h"
#include "headers.h"

// Where the programs find a request's parts.
struct serving {
	// What began before is not of this watching: bpf_ktime_get_ns when the
	// points were last wanted and none was before.
	u64 requests_since, sends_since;
	u32 request_method, request_url, url_path, request_header;
	// Request.Pattern, or Request.pat and in it pattern.str; pattern_known
	// says which: 0 neither, 1 the string, 2 the pointer.
	u32 request_pattern, pattern_str, pattern_known;
	struct map_layout headers;
	// Of net.newTCPConn's argument: the file descriptor.
	u32 netfd_sysfd;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, struct serving);
} servings SEC(".maps");

// A request that is being served.
struct request {
	u64 start, goid;
	// Of its events: the trace id, high and low.
	u64 extra[NUM_EXTRAS];
	// The *http.Request, which lives at least as long.
	u64 request;
	// The string that its route was last made of, and the route.
	u64 pattern[2];
	u32 route;
	// The deepest kernel stack of its sends.
	u32 depth;
};

// By goroutine_key. What a process leaves behind, and the one request whose
// connection was hijacked from another goroutine, falls out when there is no
// room.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct request);
} requests SEC(".maps");

static const volatile struct request no_request;

// Whether the kernel says when it sends: written before the programs are
// loaded. Else depths are not known.
const volatile bool sends_seen;

// How many routes were made of paths, for want of a pattern.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SLOTS);
	__type(key, u32);
	__type(value, u32);
} path_routes SEC(".maps");

// A client can ask for any path: past so many, they share a route.
#define MAX_PATH_ROUTES 100

// Returns the request that a goroutine is serving, or 0. The kernel may call it
// with what is no goroutine: it is then not found.
static __attribute__((noinline)) struct request *request_of(struct process *proc, struct serving *at, u32 slot, u64 g)
{
	u64 key = goroutine_key(slot, g), goid;
	struct request *r = bpf_map_lookup_elem(&requests, &key);

	if (!r || r->start < at->requests_since)
		return 0;
	// A new goroutine can have the g of one that has ended.
	goid = read_word(g + proc->g_goid);
	return goid && r->goid && goid != r->goid ? 0 : r;
}

// The longest method and path that a route is made of.
#define METHOD_BYTES 7
#define PATH_BYTES 40

// Returns how many of the first n bytes of a path are its first segment, with
// the slash on either side of it; 0 when they can't be read. It is a global
// function so that the verifier does not walk what follows for each length.
__attribute__((noinline)) u32 first_segment(u64 path, u64 n)
{
	struct draft *d = draft(0);
	u8 *text = (u8 *)d;

	if (!d || n > PATH_BYTES || bpf_probe_read_user(text, n, (void *)path))
		return 0;
	for (u32 i = 1; i < PATH_BYTES; i++)
		if (text[i] == '/')
			return i + 1;
	return n;
}

// Makes a route of a request that has no pattern: "GET /users/…" of
// "GET /users/42". Past the first segment there may be anything.
static __attribute__((noinline)) u32 route_of_path(u32 slot, struct serving *at, struct request *r)
{
	struct draft *d;
	u8 *text;
	u64 path[2], string[2];
	u32 from, n, *made;

	path[0] = read_word(r->request + at->request_url);
	if (!path[0] || bpf_probe_read_user(path, sizeof(path), (void *)(path[0] + at->url_path)))
		return 0;
	n = path[1] < PATH_BYTES ? path[1] : PATH_BYTES;
	if (n)
		n = first_segment(path[0], n);
	if (!n != !path[1])
		return 0;
	n &= 63;
	d = draft(0);
	text = (u8 *)d;
	if (!d || bpf_probe_read_user(string, sizeof(string), (void *)(r->request + at->request_method)))
		return 0;
	from = string[1] < METHOD_BYTES ? string[1] : METHOD_BYTES;
	from &= 7;
	if (from && bpf_probe_read_user(text, from, (void *)string[0]))
		return 0;
	text[from++] = ' ';
	if (n && bpf_probe_read_user(text + from, n, (void *)path[0]))
		return 0;
	if (n < path[1]) {
		text[from + n] = 0xe2; // "…"
		text[from + n + 1] = 0x80;
		text[from + n + 2] = 0xa6;
	}
	made = bpf_map_lookup_elem(&path_routes, &slot);
	n = made ? intern_few(slot, &d->word, made, MAX_PATH_ROUTES) : 0;
	if (n)
		return n;
	d = draft(0);
	if (!d)
		return 0;
	d->word.bytes[0] = 0xa680e2;
	return intern(slot, &d->word);
}

// Returns the route of a request, as far as it is known yet: ServeMux notes the
// pattern in the request when it has matched.
static __attribute__((noinline)) u32 route_of(u32 slot, struct serving *at, struct request *r)
{
	u64 pattern[2] = {}, from = r->request + at->request_pattern;

	if (at->pattern_known == 2) {
		from = read_word(from);
		if (from)
			from += at->pattern_str;
	}
	if (at->pattern_known && from && bpf_probe_read_user(pattern, sizeof(pattern), (void *)from))
		pattern[1] = 0;
	if (r->route && r->pattern[0] == pattern[0] && r->pattern[1] == pattern[1])
		return r->route;
	r->pattern[0] = pattern[0];
	r->pattern[1] = pattern[1];
	r->route = pattern[1] ? word_at(slot, 0, pattern[0], pattern[1]) : route_of_path(slot, at, r);
	return r->route;
}

// At the push of net/http.serverHandler.ServeHTTP(sh, rw, req), on the
// goroutine of the request.
SEC("uprobe.multi")
int http_begin(struct pt_regs *ctx)
{
	struct process *proc;
	struct serving *at;
	struct request *r;
	u32 slot;
	u64 key, header;

	proc = enter(ctx, RUN_HTTP_BEGIN, &slot);
	at = proc && wanted(proc, HTTP_REQUEST) ? bpf_map_lookup_elem(&servings, &slot) : 0;
	if (!at)
		return 0;
	key = goroutine_key(slot, GO_G(ctx));
	bpf_map_update_elem(&requests, &key, (const void *)&no_request, BPF_ANY);
	r = bpf_map_lookup_elem(&requests, &key);
	if (!r)
		return 0;
	r->goid = read_word(GO_G(ctx) + proc->g_goid);
	r->request = GO_ARG4(ctx);
	header = read_word(r->request + at->request_header);
	if (header)
		trace_of_header(&at->headers, header, r->extra);
	r->start = bpf_ktime_get_ns();
	return 0;
}

// At the push of runtime/pprof.runtime_setProfLabel(labels), on the goroutine
// that sets its labels: a trace id among them is that of its request, unless
// the request came with one. When the request ends, they are gone.
SEC("uprobe.multi")
int http_labelled(struct pt_regs *ctx)
{
	struct process *proc;
	struct serving *at;
	struct request *r;
	u32 slot;

	proc = enter(ctx, RUN_HTTP_LABELLED, &slot);
	at = proc && wanted(proc, HTTP_REQUEST) && GO_ARG1(ctx) ? bpf_map_lookup_elem(&servings, &slot) : 0;
	r = at ? request_of(proc, at, slot, GO_G(ctx)) : 0;
	if (r && !r->extra[0] && !r->extra[1])
		trace_of_labels(proc->labels, GO_ARG1(ctx), r->extra);
	return 0;
}

// At the push of what ends a request, on its goroutine: see above.
SEC("uprobe.multi")
int http_end(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns(), id;
	struct key key = {.point = HTTP_REQUEST};
	struct process *proc;
	struct serving *at;
	struct request *r;
	u32 slot;

	proc = enter(ctx, RUN_HTTP_END, &slot);
	at = proc && wanted(proc, HTTP_REQUEST) ? bpf_map_lookup_elem(&servings, &slot) : 0;
	// None: it began before it was watched.
	r = at ? request_of(proc, at, slot, GO_G(ctx)) : 0;
	if (!r)
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	key.word = route_of(slot, at, r);
	if (sends_seen)
		key.depth = r->depth + 1;
	hit(&key, now - r->start, proc->rate_limit_ns, GO_G(ctx), r->extra);
	id = goroutine_key(slot, GO_G(ctx));
	bpf_map_delete_elem(&requests, &id);
	return 0;
}
