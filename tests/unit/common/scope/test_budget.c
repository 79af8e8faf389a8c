/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <weir/budget.h>
#include <weir/status.h>

#include "common/base/clock.h"

static void test_none_is_for_ever(void **state)
{
	const struct weir_budget none = weir_budget_none();

	(void)state;
	assert_true(weir_budget_remaining_ns(&none) == UINT64_MAX);
	assert_false(weir_budget_expired(&none));
	assert_int_equal(weir_budget_check(&none), WEIR_OK);
}

static void test_a_child_never_extends(void **state)
{
	struct weir_budget run = weir_budget_at(NULL, 1000), item, call;

	(void)state;
	run.cause = WEIR_CAUSE_RUN_DEADLINE;
	item = weir_budget_at(&run, 2000);
	assert_int_equal(item.deadline_ns, 1000);
	assert_int_equal(item.cause, WEIR_CAUSE_RUN_DEADLINE);
	item = weir_budget_at(&run, 500);
	assert_int_equal(item.deadline_ns, 500);
	assert_int_equal(item.cause, WEIR_CAUSE_ITEM_DEADLINE);
	call = weir_budget_at(&item, WEIR_FOREVER);
	assert_int_equal(call.deadline_ns, 500);
	call = weir_budget_within(&item, 3600 * NS_PER_S);
	assert_int_equal(call.deadline_ns, 500);
}

static void test_what_is_left(void **state)
{
	const struct weir_budget past = weir_budget_at(NULL, 1), now = weir_budget_at(NULL, WEIR_NOW);
	const struct weir_budget later = weir_budget_within(NULL, 3600 * NS_PER_S);
	uint64_t left_ns = weir_budget_remaining_ns(&later);

	(void)state;
	assert_int_equal(weir_budget_remaining_ns(&past), 0);
	assert_true(weir_budget_expired(&past) && weir_budget_expired(&now));
	assert_true(left_ns <= 3600 * NS_PER_S && left_ns > 3000 * NS_PER_S);
	assert_true(weir_budget_remaining_ns(&later) <= left_ns);
}

static void test_a_duration_past_the_end_of_time(void **state)
{
	(void)state;
	assert_true(weir_budget_within(NULL, UINT64_MAX).deadline_ns == WEIR_FOREVER);
	assert_true(weir_budget_within(NULL, UINT64_MAX - 1).deadline_ns == WEIR_FOREVER);
}

static void count_one(void *data)
{
	++*(int *)data;
}

static void test_the_expiry_is_called_once(void **state)
{
	int n = 0;
	struct weir_expiry expiry = { .function = count_one, .data = &n };
	struct weir_budget past = weir_budget_at(NULL, 1), later = weir_budget_within(NULL, 3600 * NS_PER_S), child;

	(void)state;
	later.expiry = &expiry;
	assert_int_equal(weir_budget_check(&later), WEIR_OK);
	assert_int_equal(n, 0);
	past.expiry = &expiry;
	assert_true(weir_budget_expired(&past)); /* only says so */
	assert_int_equal(n, 0);
	child = weir_budget_within(&past, NS_PER_S); /* does not inherit it */
	assert_int_equal(weir_budget_check(&child), WEIR_EXPIRED);
	assert_int_equal(n, 0);
	assert_int_equal(weir_budget_check(&past), WEIR_EXPIRED);
	assert_int_equal(weir_budget_check(&past), WEIR_EXPIRED);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_is_for_ever),
		cmocka_unit_test(test_a_child_never_extends),
		cmocka_unit_test(test_what_is_left),
		cmocka_unit_test(test_a_duration_past_the_end_of_time),
		cmocka_unit_test(test_the_expiry_is_called_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
