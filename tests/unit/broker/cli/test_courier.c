/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever posts never waits, however long the deliverer does. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/courier.h"
#include "common/base/clock.h"

#define LONG_NS (30 * NS_PER_S)

/* Takes a byte from the gate for each delivery: who writes into it lets one through. */
struct reader {
	struct courier *courier;
	int gate_fds[2];
	char got[4096];
	size_t n_got, n_calls;
	_Atomic size_t n_begun;
	sigset_t blocked;
};

static void deliver(void *data, const char *bytes, size_t size_bytes)
{
	struct reader *reader = data;
	char byte;

	reader->n_begun++;
	pthread_sigmask(SIG_SETMASK, NULL, &reader->blocked);
	while (read(reader->gate_fds[0], &byte, 1) != 1)
		;
	memcpy(reader->got + reader->n_got, bytes, size_bytes);
	reader->n_got += size_bytes;
	reader->n_calls++;
}

static void reader_open(struct reader *reader)
{
	*reader = (struct reader){ 0 };
	assert_int_equal(pipe(reader->gate_fds), 0);
	assert_int_equal(courier_new("weir-test", deliver, reader, &reader->courier), 0);
}

static void reader_close(struct reader *reader)
{
	assert_true(courier_free(reader->courier));
	close(reader->gate_fds[0]);
	close(reader->gate_fds[1]);
}

static void let_through(struct reader *reader, size_t n)
{
	static const char bytes[64];

	assert_int_equal(write(reader->gate_fds[1], bytes, n), n);
}

static void wait_busy(struct reader *reader, size_t size_bytes)
{
	/* under way, and nothing behind it */
	while (courier_load_bytes(reader->courier) != size_bytes)
		poll(NULL, 0, 1);
}

static void test_in_order(void **state)
{
	struct reader reader;

	(void)state;
	reader_open(&reader);
	assert_true(courier_idle(reader.courier));
	for (int i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%02d ", i);
		assert_true(courier_post(reader.courier, text, 3, SIZE_MAX));
	}
	assert_false(courier_idle(reader.courier));
	assert_int_equal(courier_load_bytes(reader.courier), 300);
	assert_false(courier_wait(reader.courier, NS_PER_MS, LONG_NS));
	let_through(&reader, 64); /* a delivery each at the most, and there are two: what is under way, and the rest */
	assert_true(courier_wait(reader.courier, LONG_NS, LONG_NS));
	assert_true(courier_idle(reader.courier));
	assert_int_equal(reader.n_got, 300);
	for (int i = 0; i < 100; i++)
		assert_int_equal(atoi(reader.got + 3ul * (size_t)i), i);
	reader_close(&reader);
}

static void test_no_more_than_fits(void **state)
{
	struct reader reader;

	(void)state;
	reader_open(&reader);
	assert_true(courier_post(reader.courier, "larger than the limit", 21, 5)); /* nothing waits */
	while (!reader.n_begun) /* under way: what is posted now waits, and is counted, until the gate opens */
		poll(NULL, 0, 1);
	assert_false(courier_post(reader.courier, "123456", 6, 5));
	assert_true(courier_post(reader.courier, "12345", 5, 5));
	assert_false(courier_post(reader.courier, "6", 1, 5));
	assert_true(courier_post(reader.courier, "7", 1, 64));
	let_through(&reader, 8);
	assert_true(courier_wait(reader.courier, LONG_NS, LONG_NS));
	assert_int_equal(reader.n_got, 27);
	assert_memory_equal(reader.got, "larger than the limit123457", 27);
	reader_close(&reader);
}

static void test_a_nudge(void **state)
{
	struct reader reader;

	(void)state;
	reader_open(&reader);
	courier_nudge(reader.courier);
	assert_false(courier_idle(reader.courier));
	let_through(&reader, 1);
	assert_true(courier_wait(reader.courier, LONG_NS, LONG_NS));
	assert_int_equal(reader.n_calls, 1);
	assert_int_equal(reader.n_got, 0);
	reader_close(&reader);
}

static void test_waits_while_something_moves(void **state)
{
	struct reader reader;
	uint64_t begun_ns = clock_now_ns();

	(void)state;
	reader_open(&reader);
	courier_post(reader.courier, "1", 1, SIZE_MAX);
	assert_false(courier_wait(reader.courier, 20 * NS_PER_MS, LONG_NS)); /* nothing does */
	assert_false(courier_wait(reader.courier, LONG_NS, 20 * NS_PER_MS));
	assert_true(clock_now_ns() - begun_ns >= 40 * NS_PER_MS);
	assert_true(clock_now_ns() - begun_ns < LONG_NS);
	reader_close(&reader); /* in the midst of a delivery */
	assert_int_equal(reader.n_got, 0);
}

static void test_takes_no_signal(void **state)
{
	struct reader reader;

	(void)state;
	reader_open(&reader);
	courier_post(reader.courier, "1", 1, SIZE_MAX);
	wait_busy(&reader, 1);
	let_through(&reader, 1);
	assert_true(courier_wait(reader.courier, LONG_NS, LONG_NS));
	assert_true(sigismember(&reader.blocked, SIGTERM) && sigismember(&reader.blocked, SIGINT));
	assert_true(sigismember(&reader.blocked, SIGWINCH) && sigismember(&reader.blocked, SIGPIPE));
	reader_close(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),        cmocka_unit_test(test_no_more_than_fits),
		cmocka_unit_test(test_a_nudge),         cmocka_unit_test(test_waits_while_something_moves),
		cmocka_unit_test(test_takes_no_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
