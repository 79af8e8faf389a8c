/* SPDX-License-Identifier: Apache-2.0 */
/* How long a block is gathered, where its items expire. The rest of block.c is in test_filter.c and test_sink.c. */
#include "tests/unit/worker/exec/exec_test.h"

static void start(struct fake_host *host, const char *const *command)
{
	exec_init(host, &exec_operator_callbacks, command);
}

/* Of ten minutes that its first item has left the program gets a moment; neither an item without a deadline nor a kill puts that off. */
static void test_a_block_is_run_before_an_item_of_it_expires(void **state)
{
	struct fake_host host;
	uint64_t end_ns, due_ns;

	(void)state;
	start(&host, COMMAND("wc", "-l"));
	fake_host_option_number(&host, "block_wait", 24 * 3600 * (int64_t)NS_PER_S);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_true(host.watch_wake_ns > clock_now_ns() + 3600 * NS_PER_S);
	host.budget_ns = end_ns = clock_now_ns() + 600 * NS_PER_S;
	assert_int_equal(exec_item(&host, "y", true), 0);
	due_ns = host.watch_wake_ns;
	assert_in_range(due_ns, end_ns - 25 * NS_PER_MS, end_ns - 1);
	host.budget_ns = end_ns + NS_PER_S;
	assert_int_equal(exec_item(&host, "z", true), 0);
	host.budget_ns = 0;
	assert_int_equal(exec_item(&host, "without", true), 0);
	assert_int_equal(host.watch_wake_ns, due_ns);
	exec_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(exec_produce(&host), 0);
	assert_int_equal(host.watch_wake_ns, due_ns);
	host.budget_ns = clock_now_ns();
	assert_int_equal(exec_item(&host, "late", true), 0);
	assert_int_equal(exec_idle(&host), 0);
	exec_assert_output(&host, "5\n");
	host.budget_ns = 0;
	assert_int_equal(exec_item(&host, "the next block has its own time", true), 0);
	assert_true(host.watch_wake_ns > clock_now_ns() + 3600 * NS_PER_S);
	exec_deinit(&host);
}

/* With little left, an eighth of that. With nothing, at once. */
static void test_a_block_is_not_run_much_before(void **state)
{
	struct fake_host host;
	uint64_t begun_ns;

	(void)state;
	start(&host, COMMAND("wc", "-l"));
	fake_host_option_number(&host, "block_wait", 24 * 3600 * (int64_t)NS_PER_S);
	assert_int_equal(fake_host_open(&host), 0);
	begun_ns = clock_now_ns();
	host.budget_ns = begun_ns + 80 * NS_PER_MS;
	assert_int_equal(exec_item(&host, "x", true), 0);
	assert_in_range(host.watch_wake_ns, begun_ns + 70 * NS_PER_MS, host.budget_ns);
	host.budget_ns = begun_ns;
	assert_int_equal(exec_item(&host, "y", true), 0);
	assert_int_equal(host.watch_wake_ns, begun_ns);
	assert_int_equal(exec_idle(&host), 0);
	exec_assert_output(&host, "2\n");
	exec_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_is_run_before_an_item_of_it_expires),
		cmocka_unit_test(test_a_block_is_not_run_much_before),
	};

	return cmocka_run_group_tests(tests, exec_test_group, NULL);
}
