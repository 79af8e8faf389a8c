/* SPDX-License-Identifier: Apache-2.0 */
/* Who may say what to the control server; strangers, garbage and floods; that it is private, and silent when idle. */
#include "tests/unit/broker/control/fixture.h"

static void test_worker(void **state)
{
	struct fixture *f = *state;
	struct message message;
	_cleanup_(free) char *buffer = NULL;
	void *worker;

	start(f);
	worker = open_socket(f, WIRE_WORKER);
	send_hello(worker, 2, TOKEN, 16);
	send_ready(worker, 2);
	assert_int_equal(receive(worker, &message, &buffer), 0);
	assert_int_equal(message.type, MESSAGE_DRAIN);
	assert_int_equal(message.drain.deadline_ns, 102);
	assert_true(wait_until(messages_are, f, 1));
	assert_true(atomic_load(&f->supervisor.answered));
	assert_int_equal(atomic_load(&f->supervisor.last_slot), 2);
	assert_int_equal(atomic_load(&f->supervisor.n_hello), 1);
	assert_int_equal(atomic_load(&f->refused), 0);
	stop(f);
}

/* Who did not say hello for a slot can't speak for it; a hello without the token is none. */
static void test_strangers(void **state)
{
	struct fixture *f = *state;
	struct message order = { .type = MESSAGE_CANCEL };
	void *worker, *stranger;

	start(f);
	worker = open_socket(f, WIRE_WORKER);
	stranger = open_socket(f, WIRE_WORKER);
	send_ready(stranger, 1);
	assert_true(wait_until(refused_is, f, 1));
	send_hello(stranger, 1, "0123456789abcdeX", 16);
	send_hello(stranger, 1, TOKEN, 15);
	send_hello(stranger, 1, "", 0);
	send_hello(stranger, N_SLOTS, TOKEN, 16);
	send_hello(stranger, UINT64_MAX, TOKEN, 16);
	send_ready(stranger, 1);
	send_ready(stranger, UINT64_MAX);
	assert_true(wait_until(refused_is, f, 8));
	send_hello(worker, 1, TOKEN, 16);
	send_ready(worker, 1);
	assert_true(wait_until(messages_are, f, 1));
	send_ready(stranger, 1);
	send_ready(worker, 0);
	send_message(worker, &order);
	order.type = MESSAGE_REPLY;
	send_message(worker, &order);
	assert_true(wait_until(refused_is, f, 12));
	assert_int_equal(atomic_load(&f->supervisor.n_message), 1);
	assert_int_equal(atomic_load(&f->n_lines), 1); /* the first is logged, the others wait for ten seconds */
	stop(f);
}

/* 6,000 hostile messages: each is counted, none is answered, and whoever behaves is served meanwhile. */
static void test_hostile(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	char bytes[256];
	void *bad;

	start(f);
	bad = open_socket(f, WIRE_CLIENT);
	srand(3);
	for (unsigned i = 0; i < 6000; i++) {
		int n_parts = i % 65 ? (int)(i % 65) : 1;

		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = (char)rand();
		bytes[0] = (char)(i % 3 ? 0x92 : 0xdd);
		bytes[1] = (char)(i % 2);
		for (int part = 0; part < n_parts; part++)
			send_raw(bad, bytes, 3 + (size_t)rand() % 200, part + 1 < n_parts ? ZMQ_SNDMORE : 0);
		if (i % 1000 == 0)
			assert_int_equal(ask(f, "ping", NULL, 0, &body), REQUEST_DONE);
	}
	assert_true(wait_until(refused_is, f, 6000));
	assert_int_equal(ask(f, "status", NULL, 0, &body), REQUEST_DONE);
	assert_non_null(strstr(text_get(&body), "\"refused\":6000"));
	assert_int_equal(atomic_load(&f->supervisor.n_message), 0);
	assert_int_equal(wire_receive(bad, WIRE_SIZE_MAX, NULL, &(struct message){ 0 }, &(char *){ NULL }),
			 WIRE_E_NOTHING);
	assert_int_equal(atomic_load(&f->n_lines), 1);
	stop(f);
}

/* Connections that never greet, greet with garbage, or say too much at once. */
static void test_raw_connections(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	_cleanup_(free) char *huge = calloc(1, WIRE_SIZE_MAX + 1);
	int fds[200];

	assert_non_null(huge);
	start(f);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	for (unsigned i = 0; i < 200; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		if (i % 2)
			(void)!send(fds[i], "GET / HTTP/1.1\r\n\r\n\xff\0\0\0\0\0\0\0\x01\x7f", 28, MSG_NOSIGNAL);
		if (i % 4 == 3)
			fds[i] = fd_close(fds[i]);
	}
	send_raw(open_socket(f, WIRE_CLIENT), huge, WIRE_SIZE_MAX + 1, 0);
	assert_int_equal(ask(f, "ping", NULL, 0, &body), REQUEST_DONE);
	for (unsigned i = 0; i < 200; i++)
		fd_close(fds[i]);
	assert_int_equal(ask(f, "ping", NULL, 0, &body), REQUEST_DONE);
	assert_int_equal(atomic_load(&f->refused), 0);
	stop(f);
}

/* A client that asks and asks and never reads: the rest of the loop runs, others are answered, what it misses is counted. */
static void test_flood(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct message request = { .type = MESSAGE_REQUEST };
	void *flooder;

	f->tick = true;
	start(f);
	flooder = open_socket(f, WIRE_CLIENT);
	request.request.verb = (struct message_bytes){ "status", 6 };
	for (unsigned i = 0; i < 5; i++) {
		unsigned n_ticks = atomic_load(&f->n_ticks);
		uint64_t until_ns = clock_now_ns() + BOUND_NS;

		/* the timer of 5 ms goes off during the flood */
		for (unsigned j = 0; j < 4000 || (n_ticks == atomic_load(&f->n_ticks) && clock_now_ns() < until_ns);
		     j++)
			send_message(flooder, &request);
		assert_true(atomic_load(&f->n_ticks) != n_ticks);
		assert_int_equal(ask(f, "ping", NULL, 0, &body), REQUEST_DONE);
	}
	assert_int_equal(ask(f, "status", NULL, 0, &body), REQUEST_DONE);
	assert_null(strstr(text_get(&body), "\"dropped\":0"));
	stop(f);
}

/* When nobody says anything the loop does not turn. */
static void test_idle(void **state)
{
	struct fixture *f = *state;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	uint64_t until_ns = clock_now_ns() + BOUND_NS;
	unsigned before;
	void *worker;

	start(f);
	worker = open_socket(f, WIRE_WORKER);
	send_hello(worker, 0, TOKEN, 16);
	send_ready(worker, 0);
	assert_true(wait_until(messages_are, f, 1));
	assert_int_equal(ask(f, "status", NULL, 0, &body), REQUEST_DONE);
	do { /* until it has turned for the last time */
		before = atomic_load(&f->n_iterations);
		poll(NULL, 0, 500);
	} while (atomic_load(&f->n_iterations) != before && clock_now_ns() < until_ns);
	assert_int_equal(atomic_load(&f->n_iterations), before);
	stop(f);
}

static void test_socket_is_private(void **state)
{
	struct fixture *f = *state;
	mode_t before = umask(0);
	struct rlimit limit;
	struct stat st;

	start(f);
	assert_int_equal(umask(before), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur == limit.rlim_max || limit.rlim_cur >= 524288);
	stop(f);
	assert_int_equal(access(f->path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_worker),
		SERVER_TEST(test_strangers),
		SERVER_TEST(test_hostile),
		SERVER_TEST(test_raw_connections),
		SERVER_TEST(test_flood),
		SERVER_TEST(test_idle),
		SERVER_TEST(test_socket_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
