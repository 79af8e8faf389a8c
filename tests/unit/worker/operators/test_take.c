/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void test_the_first_ones_pass_and_then_it_leaves(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &take_operator_callbacks);
	fake_host_option_number(&host, "count", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_false(host.left);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_OK);
	assert_true(host.left);
	assert_int_equal(fake_host_process(&host, "c", 1), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "b"));
	fake_host_deinit(&host);
}

static void test_what_has_passed_survives_kills_and_nothing_else(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &take_operator_callbacks);
	fake_host_option_number(&host, "count", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	fake_host_commit(&host);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_OK);
	fake_host_kill(&host); /* b was not committed: the item comes again */
	host.left = false;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_OK);
	assert_true(host.left);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 0, "a"));
	assert_true(fake_host_item_is(&host, 1, "b"));
	fake_host_deinit(&host);
}

static void test_no_room_takes_nothing(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &take_operator_callbacks);
	fake_host_option_number(&host, "count", 1);
	host.item_size_max = 3;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "long", 4), WEIR_TOO_LARGE);
	assert_false(host.left);
	assert_int_equal(fake_host_process(&host, "ok", 2), WEIR_OK);
	assert_true(host.left);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_ones_pass_and_then_it_leaves),
		cmocka_unit_test(test_what_has_passed_survives_kills_and_nothing_else),
		cmocka_unit_test(test_no_room_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
