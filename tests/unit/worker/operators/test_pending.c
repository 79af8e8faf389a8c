/* SPDX-License-Identifier: Apache-2.0 */
/* What waits, against a plain list of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "worker/operators/pending.h"

#define N 50u

static struct mark mark_of(uint32_t i)
{
	return (struct mark){ .number = i / 2 + 1, .stamp_ns = i, .worker = i % 2 };
}

static void test_against_a_list(void **state)
{
	uint64_t due[2 * N] = { 0 }; /* 0: it is not there */
	struct pending pending;
	uint32_t n = 0;

	(void)state;
	srand(1);
	assert_int_equal(pending_init(&pending, N), 0);
	assert_int_equal(pending_first(&pending), PENDING_NONE);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % (2 * N), number, first;
		struct mark mark = mark_of(i);

		number = pending_find(&pending, &mark);
		assert_int_equal(number != PENDING_NONE, due[i] != 0);
		if (number == PENDING_NONE) {
			uint64_t due_ns = 1 + (uint64_t)rand() % 100;

			number = pending_add(&pending, &mark, due_ns);
			assert_int_equal(number == PENDING_NONE, n == N);
			if (number != PENDING_NONE) {
				due[i] = due_ns;
				n++;
			}
		} else if (rand() % 2) {
			pending_remove(&pending, number);
			due[i] = 0;
			n--;
		} else {
			due[i] = 1 + (uint64_t)rand() % 100;
			pending_move(&pending, number, due[i]);
		}
		assert_int_equal(pending_is_full(&pending), n == N);
		first = pending_first(&pending);
		assert_int_equal(first == PENDING_NONE, n == 0);
		for (uint32_t j = 0; j < 2 * N; j++) {
			mark = mark_of(j);
			number = pending_find(&pending, &mark);
			assert_int_equal(number != PENDING_NONE, due[j] != 0);
			if (number == PENDING_NONE)
				continue;
			assert_int_equal(pending_due_ns(&pending, number), due[j]);
			assert_true(mark_is(pending_mark(&pending, number), &mark));
			assert_true(pending_due_ns(&pending, first) <= due[j]);
		}
	}
	pending_deinit(&pending);
}

/* Wherever something was removed, the others are due in their order. */
static void test_the_order_of_those_that_are_left(void **state)
{
	struct pending pending;

	(void)state;
	srand(2);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t last_ns = 0;

		assert_int_equal(pending_init(&pending, N), 0);
		for (uint32_t i = 0; i < N; i++) {
			struct mark mark = mark_of(i);

			assert_int_not_equal(pending_add(&pending, &mark, 1 + (uint64_t)rand() % 1000), PENDING_NONE);
		}
		for (uint32_t i = 0; i < N; i += 1 + (uint32_t)rand() % 5) {
			struct mark mark = mark_of(i);

			pending_remove(&pending, pending_find(&pending, &mark));
		}
		for (uint32_t first; (first = pending_first(&pending)) != PENDING_NONE;
		     pending_remove(&pending, first)) {
			assert_true(pending_due_ns(&pending, first) >= last_ns);
			last_ns = pending_due_ns(&pending, first);
		}
		pending_deinit(&pending);
	}
}

static void test_one(void **state)
{
	struct mark a = mark_of(1), b = mark_of(2);
	struct pending pending;

	(void)state;
	assert_int_equal(pending_init(&pending, 1), 0);
	assert_int_equal(pending_add(&pending, &a, UINT64_MAX), 0);
	assert_int_equal(pending_add(&pending, &b, 1), PENDING_NONE);
	pending_remove(&pending, 0);
	assert_int_equal(pending_add(&pending, &b, 1), 0);
	assert_int_equal(pending_find(&pending, &a), PENDING_NONE);
	pending_deinit(&pending);
	pending_deinit(&pending);
}

/* What is there keeps its number, is found, and is due in its order, however often there is room for more. */
static void test_growing(void **state)
{
	uint32_t numbers[16 * N];
	struct pending pending;

	(void)state;
	srand(3);
	assert_int_equal(pending_init(&pending, N), 0);
	for (uint32_t i = 0; i < 16 * N; i++) {
		struct mark mark = mark_of(i);

		if (pending_is_full(&pending))
			assert_int_equal(pending_grow(&pending), 0);
		numbers[i] = pending_add(&pending, &mark, 1 + (uint64_t)rand() % 1000);
		assert_true(numbers[i] < pending.n_max);
		for (uint32_t j = 0; j <= i; j++) {
			mark = mark_of(j);
			assert_int_equal(pending_find(&pending, &mark), numbers[j]);
		}
	}
	assert_int_equal(pending.n_max, 16 * N);
	for (uint64_t last_ns = 0; pending.n; pending_remove(&pending, pending_first(&pending))) {
		assert_true(pending_due_ns(&pending, pending_first(&pending)) >= last_ns);
		last_ns = pending_due_ns(&pending, pending_first(&pending));
	}
	/* And with some free. */
	assert_int_equal(pending_grow(&pending), 0);
	for (uint32_t i = 0; i < 32 * N; i++) {
		struct mark mark = mark_of(i);

		assert_int_not_equal(pending_add(&pending, &mark, 1), PENDING_NONE);
	}
	assert_true(pending_is_full(&pending));
	pending_deinit(&pending);
}

/* Up to the limit, also where that is not twice as many; then all is as it was. */
static void test_the_limit(void **state)
{
	struct mark mark = mark_of(0);
	struct pending pending;

	(void)state;
	assert_int_equal(pending_init(&pending, 5), 0);
	assert_int_equal(pending.n_limit, 1 << 24);
	pending.n_limit = 8;
	assert_int_equal(pending_grow(&pending), 0);
	assert_int_equal(pending.n_max, 8);
	for (uint32_t i = 0; i < 8; i++) {
		mark = mark_of(i);
		assert_in_range(pending_add(&pending, &mark, i), 0, 7);
	}
	assert_int_equal(pending_grow(&pending), -E2BIG);
	assert_int_equal(pending_add(&pending, &(struct mark){ .number = 100 }, 1), PENDING_NONE);
	assert_int_not_equal(pending_find(&pending, &mark), PENDING_NONE);
	pending_remove(&pending, pending_find(&pending, &mark));
	assert_int_not_equal(pending_add(&pending, &mark, 1), PENDING_NONE);
	pending_deinit(&pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_the_order_of_those_that_are_left),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
