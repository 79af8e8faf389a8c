/* SPDX-License-Identifier: Apache-2.0 */
/* What a gather keeps of items: as many as have a place, those that run ahead of their copies, and those whose copy may still come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/unit/worker/operators/gathers.h"
#include "worker/operators/joins.h"

static void test_bound(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 1, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 2, 2, "2"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 3);
	/* 2 is closed until its copy comes. */
	assert_int_equal(host.entries.n, 1);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 5, 0, "5"), WEIR_HELD);
	for (uint64_t i = 6; i < 8; i++) {
		gather_set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
		assert_int_equal(host.entries.n, i == 6 ? 7 : 9);
	}
	fake_host_deinit(&host);
}

/* Whose time is over while its copy waits for a place has had its result, whatever comes in between. */
static void test_over_while_the_copy_waits(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 3, 1, "a"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 1, "a"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 4);
	for (uint64_t i = 5; i < 50; i++) {
		gather_set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "a", 1), WEIR_HELD);
	}
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_OK);
	gather_pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 4);
	fake_host_deinit(&host);
}

/* Branches answer in any order, and far ahead of the copies that wait for a place: these have it as soon as others are whole. */
static void test_branches_run_ahead(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	for (uint64_t i = 200; i > 2; i--) {
		assert_int_equal(gather_answer(&host, i, 1, "a"), WEIR_HELD);
		assert_int_equal(gather_answer(&host, i, 2, "b"), WEIR_HELD);
	}
	assert_int_equal(gather_answer(&host, 1, 1, "a"), WEIR_HELD);
	fake_host_turn_end(&host);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 201, 0, "201"), WEIR_WAIT);
	for (uint64_t i = 3; i <= 200; i++)
		assert_int_equal(gather_answer(&host, i, 0, "1"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 1, 2, "b"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 199);
	assert_int_equal(gather_answer(&host, 201, 0, "201"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 202, 1, "202"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 202, 0, "202"), WEIR_WAIT);
	fake_host_deinit(&host);
	/* Where nobody brings the item itself each first answer takes a place. */
	gather_begin(&host, "emit", "drop", 2);
	host.input_names[0] = "c";
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 1, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 2, "3"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 2, 2, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 3, 2, "3"), WEIR_HELD);
	fake_host_deinit(&host);
}

/* Copies that are dropped on the way: their items have results in time, answers beyond the bound wait, and whoever has a join goes on. */
static void test_copies_that_never_come(void **state)
{
	struct fake_host host;

	(void)state;
	joins_limits.n_ahead = 3;
	gather_begin(&host, "emit", "reject", 2);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(gather_answer(&host, i, 1, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 1, "x"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 1, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 5, 2, "x"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD); /* it is not ahead any more */
	assert_int_equal(gather_answer(&host, 5, 2, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 6, 2, "x"), WEIR_WAIT);
	fake_host_turn_end(&host);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 6, 2, "x"), WEIR_WAIT);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 5);
	for (uint64_t i = 7; i <= 9; i++) {
		gather_set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	}
	fake_host_deinit(&host);
	joins_limits.n_ahead = 65536;
}

/* Items 1 to n, each answered by one branch alone, have their results. */
static void end_without_copies(struct fake_host *host, uint64_t n)
{
	for (uint64_t i = 1; i <= n; i++) {
		gather_set_mark(host, i, host->now_ns);
		host->input = 1;
		assert_int_equal(fake_host_process_item(host, "x", 1), WEIR_HELD);
		fake_host_turn_end(host);
		gather_pass_time(host, 1);
	}
	gather_pass_time(host, 100);
	assert_int_equal(fake_host_items(host), n);
}

/* Of those that wait for their copies as many are remembered as may be, the youngest. */
static void test_the_oldest_are_forgotten(void **state)
{
	struct fake_host host;

	(void)state;
	joins_limits.n_ended = 5;
	for (int kill = 0; kill < 2; kill++) {
		gather_begin(&host, "emit", "reject", 2);
		assert_int_equal(fake_host_open(&host), 0);
		end_without_copies(&host, 200);
		assert_int_equal(host.entries.n, 5);
		if (kill) {
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
		}
		gather_set_mark(&host, 198, START_NS + 197 * NS_PER_MS); /* in the middle: it leaves the list */
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "198", 3), WEIR_REJECTED);
		host.input = 2;
		assert_int_equal(fake_host_process_item(&host, "198", 3), WEIR_REJECTED);
		gather_set_mark(&host, 300, host.now_ns);
		assert_int_equal(fake_host_process_item(&host, "300", 3), WEIR_HELD);
		gather_pass_time(&host, 100);
		assert_int_equal(host.entries.n, 5);
		gather_set_mark(&host, 196, START_NS + 195 * NS_PER_MS); /* the oldest made room for it */
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "196", 3), WEIR_HELD);
		gather_set_mark(&host, 197, START_NS + 196 * NS_PER_MS);
		assert_int_equal(fake_host_process_item(&host, "197", 3), WEIR_REJECTED);
		fake_host_deinit(&host);
	}
	joins_limits.n_ended = 65536;
}

/* A copy that comes, when another answer had ended the item, leaves the list wherever it is in it. */
static void test_copies_come_in_any_order(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	end_without_copies(&host, 97);
	assert_int_equal(host.entries.n, 97);
	for (uint64_t i = 0; i < 97; i++) {
		uint64_t number = 1 + i * 35 % 97;

		gather_set_mark(&host, number, START_NS + (number - 1) * NS_PER_MS);
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "copy", 4), WEIR_OK);
		assert_int_equal(host.entries.n, 96 - i);
	}
	assert_int_equal(fake_host_items(&host), 97);
	fake_host_deinit(&host);
}

/* Nor do they take the state from those who are still to be joined. */
static void test_the_ended_leave_room(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	host.state_bytes = 32768; /* for 300 of them */
	assert_int_equal(fake_host_open(&host), 0);
	end_without_copies(&host, 2000);
	assert_in_range(host.entries.n, 100, 32768 * 7 / 8 / 69);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_over_while_the_copy_waits),
		cmocka_unit_test(test_branches_run_ahead),
		cmocka_unit_test(test_copies_that_never_come),
		cmocka_unit_test(test_the_oldest_are_forgotten),
		cmocka_unit_test(test_copies_come_in_any_order),
		cmocka_unit_test(test_the_ended_leave_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
