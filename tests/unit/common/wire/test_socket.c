/* SPDX-License-Identifier: Apache-2.0 */
/* The socket factory: options as they are set, and real sockets in a folder of their own. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/wire/socket.h"

struct fixture {
	char folder[32], path[64], endpoint[80];
	void *context, *server;
	void *dealers[4]; /* closed by the teardown if the test did not */
	unsigned n_dealers;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->folder, "/tmp/weir-wire-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	snprintf(f->endpoint, sizeof(f->endpoint), "ipc://%s", f->path);
	assert_int_equal(wire_context_open(8, &f->context), 0);
	assert_int_equal(wire_socket_open(f->context, WIRE_SERVER, &f->server), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	uint64_t before_ns = clock_now_ns();

	zmq_close(f->server);
	while (f->n_dealers)
		zmq_close(f->dealers[--f->n_dealers]);
	assert_int_equal(zmq_ctx_term(f->context), 0);
	assert_true(clock_now_ns() - before_ns < 30 * NS_PER_S);
	unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void *open_dealer(struct fixture *f, enum wire_socket_kind kind)
{
	void *socket;

	assert_int_equal(wire_socket_open(f->context, kind, &socket), 0);
	assert_int_equal(zmq_connect(socket, f->endpoint), 0);
	assert_true(f->n_dealers < 4);
	f->dealers[f->n_dealers++] = socket;
	return socket;
}

static void bind_server(struct fixture *f)
{
	assert_int_equal(zmq_bind(f->server, f->endpoint), 0);
}

/* Whether something can be received, at most wait_ms from now. */
static bool wait_readable(void *socket, int wait_ms)
{
	uint64_t deadline_ns = clock_now_ns() + (uint64_t)wait_ms * NS_PER_MS;
	struct pollfd fd = { .fd = wire_fd(socket), .events = POLLIN };

	while (!wire_readable(socket)) {
		if (clock_now_ns() >= deadline_ns)
			return false;
		poll(&fd, 1, deadline_poll_ms(deadline_ns, clock_now_ns(), 100));
	}
	return true;
}

static int receive(void *socket, struct wire_peer *peer, struct message *message)
{
	char *buffer = NULL;
	int r;

	if (!wait_readable(socket, 30000))
		return WIRE_E_NOTHING;
	r = wire_receive(socket, WIRE_REPLY_SIZE_MAX, peer, message, &buffer);
	free(buffer); /* these tests look at numbers only */
	return r;
}

static int send_ready(void *socket, uint64_t slot)
{
	struct message message = { .type = MESSAGE_READY };

	message.ready.slot = slot;
	return wire_send(socket, &message);
}

static int option_of(void *socket, int option)
{
	int value = -2;
	size_t size = sizeof(value);

	assert_int_equal(zmq_getsockopt(socket, option, &value, &size), 0);
	return value;
}

static int64_t size_max_of(void *socket)
{
	int64_t value = -2;
	size_t size = sizeof(value);

	assert_int_equal(zmq_getsockopt(socket, ZMQ_MAXMSGSIZE, &value, &size), 0);
	return value;
}

static void test_options(void **state)
{
	static const enum wire_socket_kind kinds[] = { WIRE_SERVER, WIRE_WORKER, WIRE_CLIENT };
	struct fixture *f = *state;

	assert_int_equal(zmq_ctx_get(f->context, ZMQ_IO_THREADS), 1);
	assert_int_equal(zmq_ctx_get(f->context, ZMQ_BLOCKY), 0);
	assert_int_equal(zmq_ctx_get(f->context, ZMQ_MAX_SOCKETS), 8);
	for (size_t i = 0; i < 3; i++) {
		void *socket;

		assert_int_equal(wire_socket_open(f->context, kinds[i], &socket), 0);
		assert_int_equal(option_of(socket, ZMQ_TYPE), kinds[i] == WIRE_SERVER ? ZMQ_ROUTER : ZMQ_DEALER);
		assert_int_equal(option_of(socket, ZMQ_LINGER), kinds[i] == WIRE_CLIENT ? 0 : 200);
		assert_int_equal(option_of(socket, ZMQ_SNDHWM), WIRE_QUEUE_MAX);
		assert_int_equal(option_of(socket, ZMQ_RCVHWM), WIRE_QUEUE_MAX);
		assert_int_equal(option_of(socket, ZMQ_SNDTIMEO), 0);
		assert_int_equal(option_of(socket, ZMQ_RCVTIMEO), 0);
		assert_int_equal(option_of(socket, ZMQ_HANDSHAKE_IVL), 2000);
		assert_int_equal(option_of(socket, ZMQ_HEARTBEAT_IVL), 0);
		assert_int_equal(option_of(socket, ZMQ_IMMEDIATE), 0);
		assert_int_equal(size_max_of(socket), kinds[i] == WIRE_CLIENT ? 8 << 20 : 65536);
		if (kinds[i] == WIRE_SERVER)
			assert_int_equal(option_of(socket, ZMQ_BACKLOG), WIRE_BACKLOG);
		else
			assert_int_equal(option_of(socket, ZMQ_RECONNECT_IVL), 10);
		zmq_close(socket);
	}
}

/* There and back; a worker may speak before the server is there, and nothing is lost. */
static void test_there_and_back(void **state)
{
	struct fixture *f = *state;
	void *worker = open_dealer(f, WIRE_WORKER);
	struct wire_peer peer;
	struct message message;

	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(send_ready(worker, i), 0);
	bind_server(f);
	for (uint64_t i = 0; i < 10; i++) {
		assert_int_equal(receive(f->server, &peer, &message), 0);
		assert_int_equal(message.type, MESSAGE_READY);
		assert_int_equal(message.ready.slot, i);
	}
	assert_true(peer.size_bytes > 0);
	message = (struct message){ .type = MESSAGE_DRAIN };
	message.drain.deadline_ns = 99;
	assert_int_equal(wire_send_to(f->server, &peer, &message), 0);
	assert_int_equal(receive(worker, NULL, &message), 0);
	assert_int_equal(message.type, MESSAGE_DRAIN);
	assert_int_equal(message.drain.deadline_ns, 99);
	assert_int_equal(wire_receive(worker, WIRE_SIZE_MAX, NULL, &message, &(char *){ NULL }), WIRE_E_NOTHING);
	assert_int_equal(wire_receive(f->server, WIRE_SIZE_MAX, &peer, &message, &(char *){ NULL }), WIRE_E_NOTHING);
}

/* Nobody listens: the queue fills, the sender hears of it, and closing does not hang on what can't leave. */
static void test_nobody_there(void **state)
{
	struct fixture *f = *state;
	void *worker = open_dealer(f, WIRE_WORKER);
	int n = 0;

	while (n < 10000 && send_ready(worker, 0) == 0)
		n++;
	assert_in_range(n, 1, WIRE_QUEUE_MAX);
	assert_int_equal(send_ready(worker, 0), WIRE_E_BUSY);
}

/* Many more messages than the queue holds, each answered at once: none is refused for want of room. */
static void test_ping_pong(void **state)
{
	struct fixture *f = *state;
	struct wire_peer peer;
	struct message message, order = { .type = MESSAGE_QUERY };
	void *worker;

	bind_server(f);
	worker = open_dealer(f, WIRE_WORKER);
	for (uint64_t i = 0; i < 2000; i++) {
		assert_int_equal(send_ready(worker, i), 0);
		assert_int_equal(receive(f->server, &peer, &message), 0);
		assert_int_equal(message.ready.slot, i);
		assert_int_equal(wire_send_to(f->server, &peer, &order), 0);
		assert_int_equal(receive(worker, NULL, &message), 0);
	}
}

static void test_peer_gone(void **state)
{
	struct fixture *f = *state;
	struct wire_peer peer, nobody = { .size_bytes = 3, .bytes = "abc" };
	struct message message, order = { .type = MESSAGE_QUERY };
	void *worker;
	int r = 0;

	bind_server(f);
	assert_int_equal(wire_send_to(f->server, &nobody, &order), WIRE_E_GONE);
	nobody.size_bytes = 0;
	assert_int_equal(wire_send_to(f->server, &nobody, &order), WIRE_E_GONE);
	worker = open_dealer(f, WIRE_WORKER);
	assert_int_equal(send_ready(worker, 1), 0);
	assert_int_equal(receive(f->server, &peer, &message), 0);
	f->n_dealers = 0;
	zmq_close(worker);
	for (int i = 0; i < 200 && r != WIRE_E_GONE; i++) {
		r = wire_send_to(f->server, &peer, &order);
		poll(NULL, 0, 10);
	}
	assert_int_equal(r, WIRE_E_GONE);
}

/* A peer that does not read: the server hears BUSY, loses nothing in silence, never waits. */
static void test_peer_does_not_read(void **state)
{
	struct fixture *f = *state;
	struct wire_peer peer;
	struct message message, reply = { .type = MESSAGE_REPLY };
	_cleanup_(free) char *body = calloc(1, 60000);
	unsigned n_sent = 0, n_received = 0;
	void *client;
	int r = 0;

	assert_non_null(body);
	memset(body, 'x', 60000);
	reply.reply.body = (struct message_bytes){ body, 60000 };
	bind_server(f);
	client = open_dealer(f, WIRE_CLIENT);
	assert_int_equal(send_ready(client, 0), 0);
	assert_int_equal(receive(f->server, &peer, &message), 0);
	while (n_sent < 100000 && (r = wire_send_to(f->server, &peer, &reply)) == 0)
		n_sent++;
	assert_int_equal(r, WIRE_E_BUSY);
	assert_in_range(n_sent, 1, 1000);
	while (n_received < n_sent && receive(client, NULL, &message) == 0)
		n_received++;
	assert_int_equal(n_received, n_sent);
}

/* Any bytes, as a peer may send that is none of ours. */
static void send_raw(void *socket, const void *data, size_t size_bytes, int flags)
{
	while (zmq_send(socket, data, size_bytes, flags) < 0) {
		assert_true(errno == EAGAIN || errno == EINTR);
		(void)wire_readable(socket);
	}
}

static void send_parts(void *socket, int n_parts, size_t size_bytes)
{
	_cleanup_(free) char *data = calloc(1, size_bytes + 1);

	assert_non_null(data);
	for (int i = 0; i < n_parts; i++)
		send_raw(socket, data, size_bytes, i + 1 < n_parts ? ZMQ_SNDMORE : 0);
}

/* Wrong numbers of parts, empty and senseless ones: each is one refusal, and the next good message comes through. */
static void test_malformed(void **state)
{
	struct fixture *f = *state;
	void *peer_socket;
	struct wire_peer peer;
	struct message message;

	bind_server(f);
	peer_socket = open_dealer(f, WIRE_CLIENT);
	for (int parts = 2; parts <= 64; parts++) {
		send_parts(peer_socket, parts, (size_t)parts % 3);
		assert_int_equal(receive(f->server, &peer, &message), WIRE_E_REFUSED + MESSAGE_E_MALFORMED);
	}
	for (size_t size = 0; size < 100; size++) {
		send_parts(peer_socket, 1, size);
		assert_int_equal(receive(f->server, &peer, &message), WIRE_E_REFUSED + MESSAGE_E_MALFORMED);
	}
	send_raw(peer_socket, "\x92\x09\x01", 3, 0);
	assert_int_equal(receive(f->server, &peer, &message), WIRE_E_REFUSED + MESSAGE_E_VERSION);
	send_raw(peer_socket, "\x92\x02\x63", 3, 0);
	assert_int_equal(receive(f->server, &peer, &message), WIRE_E_REFUSED + MESSAGE_E_UNKNOWN);
	assert_int_equal(send_ready(peer_socket, 77), 0);
	assert_int_equal(receive(f->server, &peer, &message), 0);
	assert_int_equal(message.ready.slot, 77);
}

/* A frame over the limit never gets in: its connection is dropped, others go on. */
static void test_huge(void **state)
{
	struct fixture *f = *state;
	void *bad, *good;
	struct wire_peer peer;
	struct message message;

	bind_server(f);
	bad = open_dealer(f, WIRE_CLIENT);
	good = open_dealer(f, WIRE_CLIENT);
	send_parts(bad, 1, WIRE_SIZE_MAX + 1);
	assert_false(wait_readable(f->server, 100));
	assert_int_equal(send_ready(good, 5), 0);
	assert_int_equal(receive(f->server, &peer, &message), 0);
	assert_int_equal(message.ready.slot, 5);
	/* exactly the limit gets in, and is refused for what it says */
	send_parts(good, 1, WIRE_SIZE_MAX);
	assert_int_equal(receive(f->server, &peer, &message), WIRE_E_REFUSED + MESSAGE_E_MALFORMED);
}

/* As another user: connect and speak once told to. Makes its own ZeroMQ; its parent has used none yet. */
static pid_t spawn_stranger(const char *endpoint, int go_fd)
{
	pid_t pid = fork();
	void *context, *socket;
	char go;

	if (pid != 0)
		return pid;
	alarm(20);
	if (read(go_fd, &go, 1) != 1 || setresuid(65534, 65534, 65534) || wire_context_open(1, &context) ||
	    wire_socket_open(context, WIRE_WORKER, &socket) || zmq_connect(socket, endpoint) || send_ready(socket, 666))
		_exit(1);
	poll(NULL, 0, 300);
	_exit(0);
}

static void test_other_user(void **state)
{
	struct fixture f = { .folder = "/tmp/weir-wire-XXXXXX" };
	struct wire_peer peer;
	struct message message;
	void *worker;
	int go[2], status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(f.folder));
	snprintf(f.path, sizeof(f.path), "%s/s", f.folder);
	snprintf(f.endpoint, sizeof(f.endpoint), "ipc://%s", f.path);
	assert_int_equal(pipe(go), 0);
	pid = spawn_stranger(f.endpoint, go[0]);
	assert_true(pid > 0);
	assert_int_equal(wire_context_open(2, &f.context), 0);
	assert_int_equal(wire_socket_open(f.context, WIRE_SERVER, &f.server), 0);
	bind_server(&f);
	/* open to all, so that only the filter is left to keep the stranger out */
	assert_int_equal(chmod(f.path, 0666), 0);
	assert_int_equal(chmod(f.folder, 0755), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_false(wait_readable(f.server, 300));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	worker = open_dealer(&f, WIRE_WORKER);
	assert_int_equal(send_ready(worker, 1), 0);
	assert_int_equal(receive(f.server, &peer, &message), 0);
	assert_int_equal(message.ready.slot, 1);
	zmq_close(worker);
	zmq_close(f.server);
	zmq_ctx_term(f.context);
	close(go[0]);
	close(go[1]);
	unlink(f.path);
	assert_int_equal(rmdir(f.folder), 0);
}

/* ZeroMQ would abort. A limit on memory has to be in a child; its exit code is the answer. */
static void test_no_threads(void **state)
{
	int status;
	pid_t pid;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its own memory would run out first */
#endif
#ifdef __SANITIZE_THREAD__
	skip();
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit nothing = { 1, 1 };
		void *context;

		_exit(setrlimit(RLIMIT_AS, &nothing) == 0 && wire_context_open(1, &context) == -EAGAIN ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_threads), /* first: no stacks of earlier threads may be left for it */
		cmocka_unit_test(
			test_other_user), /* before the others: it forks, and ZeroMQ must not have been used before */
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ping_pong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_does_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
