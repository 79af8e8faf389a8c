/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "broker/observe/pairs.h"
#include "common/base/clock.h"
#include "tests/unit/broker/observe/made_pace.h"

static void expect(const struct pair *pair, bool full, uint32_t waiter, uint32_t holder, uint64_t waited_ns,
		   uint64_t n_waits)
{
	assert_int_equal(pair->full, full);
	assert_int_equal(pair->waiter, waiter);
	assert_int_equal(pair->holder, holder);
	assert_int_equal(pair->waited_ns, waited_ns);
	assert_int_equal(pair->n_waits, n_waits);
}

/* What is counted is divided by what was seen: three looks of four at the first lane. */
static void test_divided(void **state)
{
	struct made made;
	struct pair *pairs;

	(void)state;
	made_line(&made, "plugin", 2);
	made.before.lanes[0].n_room = 10;
	made_lane(&made, READ_WORK, 0, 0)->n_room = 10 + 30;
	made_lane(&made, READ_WORK, 0, 1)->n_room = 10;
	made.before.workers[0].waited_ns[PACE_FOR_ROOM] = 5 * NS_PER_S;
	made_worker(&made, READ, 0)->waited_ns[PACE_FOR_ROOM] = 5 * NS_PER_S + 800 * NS_PER_MS;
	made_worker(&made, READ, 0)->n_waits[PACE_FOR_ROOM] = 100;
	assert_int_equal(pairs_find(&made.catalog, &made.before, &made.after, &pairs), 2);
	expect(&pairs[0], true, 0, 1, 600 * NS_PER_MS, 75);
	expect(&pairs[1], true, 0, 2, 200 * NS_PER_MS, 25);
	free(pairs);
	made_deinit(&made);
}

/* An empty lane is held by who writes it; one sleep that lasts is one; the longest comes first. */
static void test_empty(void **state)
{
	struct made made;
	struct pair *pairs;

	(void)state;
	made_line(&made, "plugin", 2);
	made_lane(&made, WORK_OUT, 1, 0)->n_item = 100;
	made_worker(&made, OUT, 0)->waited_ns[PACE_FOR_ITEM] = NS_PER_S;
	made_lane(&made, READ_WORK, 0, 0)->n_room = 50;
	made_worker(&made, READ, 0)->waited_ns[PACE_FOR_ROOM] = NS_PER_S / 2;
	made_worker(&made, READ, 0)->n_waits[PACE_FOR_ROOM] = 7;
	assert_int_equal(pairs_find(&made.catalog, &made.before, &made.after, &pairs), 2);
	expect(&pairs[0], false, 3, 2, NS_PER_S, 1);
	expect(&pairs[1], true, 0, 1, NS_PER_S / 2, 7);
	free(pairs);
	made_deinit(&made);
}

/* Seen, and not counted; counted, and not seen where: no pair. */
static void test_nobody(void **state)
{
	struct made made;
	struct pair *pairs;

	(void)state;
	made_line(&made, "plugin", 2);
	made_lane(&made, READ_WORK, 0, 0)->n_room = 50;
	made_worker(&made, OUT, 0)->waited_ns[PACE_FOR_ITEM] = NS_PER_S;
	assert_int_equal(pairs_find(&made.catalog, &made.before, &made.after, &pairs), 0);
	free(pairs);
	made_deinit(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_divided),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
