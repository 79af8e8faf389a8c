/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "common/memory/doorbell.h"
#include "tests/rings.h"

static int rings(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0);
}

static void test_ring_and_clear(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(doorbell_open(&fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(rings(fd), 0);
	rings_forget(fd); /* does not block when nobody rang */
	doorbell_ring(fd);
	doorbell_ring(fd);
	assert_int_equal(rings(fd), 1);
	rings_forget(fd);
	assert_int_equal(rings(fd), 0);
	close(fd);
}

static void test_full_counter_does_not_block(void **state)
{
	const uint64_t almost = UINT64_MAX - 1;
	int fd;

	(void)state;
	assert_int_equal(doorbell_open(&fd), 0);
	assert_int_equal(write(fd, &almost, sizeof(almost)), sizeof(almost));
	doorbell_ring(fd);
	assert_int_equal(rings(fd), 1);
	close(fd);
}

struct wake_case {
	uint64_t word, need_bytes;
	uint32_t events;
	uint64_t room_bytes;
	int expected;
};

static void test_wake_conditions(void **state)
{
	static const struct wake_case cases[] = {
		{ 0, 0, ARM_DATA | ARM_SPACE, UINT64_MAX, 0 }, /* awake */
		{ 1 << 8 | ARM_DATA, 0, ARM_DATA, 0, 1 },
		{ 1 << 8 | ARM_DATA, 0, ARM_SPACE, UINT64_MAX, 0 }, /* other event */
		{ 1 << 8 | ARM_SPACE, 100, ARM_SPACE, 99, 0 },      /* too little room */
		{ 1 << 8 | ARM_SPACE, 100, ARM_SPACE, 100, 1 },
		{ 1 << 8 | ARM_SPACE, 100, ARM_DATA, UINT64_MAX, 0 },
		{ 1 << 8 | ARM_SPACE | ARM_DATA, 100, ARM_DATA, 0, 1 }, /* either is enough */
		{ 1 << 8 | ARM_SPACE | ARM_DATA, 100, ARM_SPACE, 99, 0 },
		{ UINT64_MAX << 8 | ARM_DATA, 0, ARM_DATA, 0, 1 },
	};
	int fd;

	(void)state;
	assert_int_equal(doorbell_open(&fd), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct segment_armed armed = { 0 };
		struct doorbell_peer peer = { .armed = &armed, .fd = fd };

		store_relaxed(&armed.need_bytes, cases[i].need_bytes);
		store_release(&armed.word, cases[i].word);
		assert_int_equal(doorbell_wake(&peer, cases[i].events, cases[i].room_bytes), cases[i].expected);
		assert_int_equal(rings(fd), cases[i].expected);
		rings_forget(fd);
	}
	close(fd);
}

static void test_rings_once_per_epoch(void **state)
{
	struct segment_armed armed = { 0 };
	struct doorbell_peer peer = { .armed = &armed };

	(void)state;
	assert_int_equal(doorbell_open(&peer.fd), 0);
	for (uint64_t epoch = 1; epoch < 100; epoch++) {
		store_release(&armed.word, epoch << 8 | ARM_DATA);
		assert_int_equal(doorbell_wake(&peer, ARM_DATA, 0), 1);
		for (int again = 0; again < 3; again++)
			assert_int_equal(doorbell_wake(&peer, ARM_DATA, 0), 0);
	}
	/* a sleep that was not worth a ring at first is still rung for when the room suffices */
	store_relaxed(&armed.need_bytes, 4096);
	store_release(&armed.word, UINT64_C(100) << 8 | ARM_SPACE);
	assert_int_equal(doorbell_wake(&peer, ARM_SPACE, 64), 0);
	assert_int_equal(doorbell_wake(&peer, ARM_SPACE, 4096), 1);
	assert_int_equal(doorbell_wake(&peer, ARM_SPACE, 8192), 0);
	close(peer.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_and_clear),
		cmocka_unit_test(test_full_counter_does_not_block),
		cmocka_unit_test(test_wake_conditions),
		cmocka_unit_test(test_rings_once_per_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
