//go:build ignore
// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// TCP, as the kernel sees it: tcp.send, tcp.send.bytes, tcp.accept; and the
// path depth of http.request.
//
//	write(2), sendto(2), sendfile(2) ...
//	    tcp_sendmsg_locked   the socket is locked; once for each segment to fill
//	    |
//	    sock_send_length     the socket has taken so many bytes
//
//	SYN_RECV ▶ ESTABLISHED (inet_sock_set_state) ──── tcp.accept ──── net.newTCPConn
//
// None of these is on the path of any other system call, as tracepoints of
// system calls would be: a process that is not watched pays for one look-up
// when it sends, and nothing otherwise.

#include "gotherm.h"
#include "task.h"

// A send that a thread is in. It stays when the thread is out of it, until
// there is no room: a thread that sends sends again.
struct sending {
	u64 start, socket;
	// How long it took, once it is over.
	u64 took;
	// How deep the kernel's stack was, and what that follows from: the system
	// call, and who answers it for this kind of socket (struct proto).
	u32 depth, call;
	u64 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct sending);
} sendings SEC(".maps");

static const volatile struct sending no_sending;

// As deep as depths are told apart.
#define MAX_DEPTH 32

struct stack {
	u64 frames[MAX_DEPTH];
};

// Only the length of what is written here is used, so that it does not matter
// who else writes.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack);
} stacks SEC(".maps");

// Returns how many frames the kernel stack has, at most MAX_DEPTH; 0 when
// that is not known.
static __always_inline u32 kernel_depth(void *ctx)
{
	u32 zero = 0;
	struct stack *stack = bpf_map_lookup_elem(&stacks, &zero);
	long bytes = stack ? bpf_get_stack(ctx, stack, sizeof(*stack), 0) : 0;

	return bytes > 0 ? bytes / sizeof(u64) : 0;
}

// Notes with a send how deep the kernel's stack is. To walk it is dear, some
// microseconds, so that is done only where this thread came another way last time.
static __always_inline void see_depth(void *ctx, struct sending *s, struct sock *socket)
{
	u32 call = SYSCALL_NUMBER(user_registers());
	u64 protocol = (u64)socket->__sk_common.skc_prot;

	if (s->depth && s->call == call && s->protocol == protocol)
		return;
	s->depth = kernel_depth(ctx);
	s->call = call;
	s->protocol = protocol;
}

// Returns the request that the goroutine on this thread is serving, or 0. In a
// system call, the register of g is as the goroutine left it.
static __always_inline struct request *current_request(struct process *proc, struct serving *at, u32 slot)
{
	return wanted(proc, HTTP_REQUEST) ? request_of(proc, at, slot, current_g_register()) : 0;
}

SEC("tp_btf/tcp_sendmsg_locked")
int tcp_sending(u64 *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct process *proc;
	struct serving *at;
	struct sending *s;
	struct request *r;
	u32 slot;

	proc = enter_task(RUN_TCP_SENDING, &slot);
	at = proc && proc->points & (1 << HTTP_REQUEST | 1 << TCP_SEND) ? bpf_map_lookup_elem(&servings, &slot) : 0;
	if (!at)
		return 0;
	s = bpf_map_lookup_elem(&sendings, &thread);
	if (!s) {
		bpf_map_update_elem(&sendings, &thread, (const void *)&no_sending, BPF_ANY);
		s = bpf_map_lookup_elem(&sendings, &thread);
		if (!s)
			return 0;
	} else if (wanted(proc, TCP_SEND) && s->socket == ctx[0] && s->start >= at->sends_since) {
		// A further segment of a send that is known.
		return 0;
	}
	see_depth(ctx, s, (struct sock *)ctx[0]);
	r = current_request(proc, at, slot);
	if (r && s->depth > r->depth)
		r->depth = s->depth;
	if (wanted(proc, TCP_SEND)) {
		s->socket = ctx[0];
		s->start = bpf_ktime_get_ns();
	}
	return 0;
}

// Takes note that this thread is out of its send on a socket, and returns it;
// 0 when it was not seen to begin.
static __attribute__((noinline)) struct sending *sending_on(struct serving *at, u64 socket)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sending *s = bpf_map_lookup_elem(&sendings, &thread);

	if (!s || s->socket != socket)
		return 0;
	s->socket = 0;
	s->took = bpf_ktime_get_ns() - s->start;
	return s->start >= at->sends_since ? s : 0;
}

SEC("tp_btf/sock_send_length")
int tcp_sent(u64 *ctx)
{
	struct sock *socket = (struct sock *)ctx[0];
	struct key key = {.point = TCP_SEND};
	struct process *proc;
	struct serving *at;
	struct sending *s;
	struct request *r;
	u64 g = 0;
	u32 slot;

	proc = enter_task(RUN_TCP_SENT, &slot);
	at = proc && proc->points & (1 << TCP_SEND | 1 << TCP_SEND_BYTES) ? bpf_map_lookup_elem(&servings, &slot) : 0;
	if (!at || socket->sk_protocol != IPPROTO_TCP)
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	s = sending_on(at, ctx[0]);
	if (s)
		key.depth = s->depth + 1;
	r = current_request(proc, at, slot);
	if (r) {
		g = current_g_register();
		key.word = route_of(slot, at, r);
	}
	if (s && wanted(proc, TCP_SEND))
		hit(&key, s->took, proc->rate_limit_ns, g, r ? r->extra : 0);
	key.point = TCP_SEND_BYTES;
	if ((s32)ctx[1] > 0 && wanted(proc, TCP_SEND_BYTES))
		hit(&key, (s32)ctx[1], proc->rate_limit_ns, g, r ? r->extra : 0);
	return 0;
}

// When connections that nobody has accepted yet were established, by socket.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} established SEC(".maps");

// In whatever task the packet arrives: whose the connection will be is not
// known yet.
SEC("tp_btf/inet_sock_set_state")
int tcp_established(u64 *ctx)
{
	u64 socket = ctx[0], now;

	if ((s32)ctx[1] != TCP_SYN_RECV || (s32)ctx[2] != TCP_ESTABLISHED)
		return 0;
	now = bpf_ktime_get_ns();
	bpf_map_update_elem(&established, &socket, &now, BPF_ANY);
	return 0;
}

// At the push of net.newTCPConn(fd, ...), of a connection that was accepted or
// dialled.
SEC("uprobe.multi")
int tcp_accept(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns(), socket, *since;
	struct key key = {.point = TCP_ACCEPT};
	struct process *proc;
	struct serving *at;
	u32 slot;

	proc = enter(ctx, RUN_TCP_ACCEPT, &slot);
	at = proc && wanted(proc, TCP_ACCEPT) ? bpf_map_lookup_elem(&servings, &slot) : 0;
	if (!at)
		return 0;
	socket = socket_of(read_half(GO_ARG1(ctx) + at->netfd_sysfd));
	since = socket ? bpf_map_lookup_elem(&established, &socket) : 0;
	// None: it was dialled.
	if (!since)
		return 0;
	key.slot = slot;
	key.node = bpf_get_numa_node_id() + 1;
	hit(&key, now - *since, proc->rate_limit_ns, GO_G(ctx), 0);
	bpf_map_delete_elem(&established, &socket);
	return 0;
}
