/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define BEGIN_NS (5 * NS_PER_S)

static void begin(struct fake_host *host)
{
	fake_host_init(host, &delay_operator_callbacks);
	fake_host_option_number(host, "for", (int64_t)(2 * NS_PER_S));
	host->now_ns = BEGIN_NS;
	assert_int_equal(fake_host_open(host), 0);
}

static int give(struct fake_host *host, uint64_t accepted_ns)
{
	host->accepted_ns = accepted_ns;
	return fake_host_process(host, "x", 1);
}

static void test_an_item_goes_on_when_it_is_due_and_not_before(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host);
	assert_int_equal(give(&host, BEGIN_NS), WEIR_WAIT);
	assert_int_equal(host.postponed_ns, BEGIN_NS + 2 * NS_PER_S);
	host.now_ns = BEGIN_NS + 2 * NS_PER_S - 1;
	assert_int_equal(give(&host, BEGIN_NS), WEIR_WAIT);
	assert_int_equal(fake_host_items(&host), 0);
	host.now_ns++;
	assert_int_equal(give(&host, BEGIN_NS), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
}

/* The stages before it have taken time of it. */
static void test_what_has_been_under_way_waits_for_the_rest_only(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host);
	assert_int_equal(give(&host, BEGIN_NS - 2 * NS_PER_S), WEIR_OK);
	assert_int_equal(give(&host, BEGIN_NS - 3 * NS_PER_S), WEIR_OK);
	assert_int_equal(give(&host, BEGIN_NS - NS_PER_S), WEIR_WAIT);
	assert_int_equal(host.postponed_ns, BEGIN_NS + NS_PER_S);
	fake_host_deinit(&host);
}

static void test_a_kill_changes_no_time(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host);
	assert_int_equal(give(&host, BEGIN_NS), WEIR_WAIT);
	fake_host_kill(&host);
	host.now_ns += NS_PER_S;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, BEGIN_NS), WEIR_WAIT);
	assert_int_equal(host.postponed_ns, BEGIN_NS + 2 * NS_PER_S);
	fake_host_deinit(&host);
}

/* Items that come at a million a second are not worth a wake each. */
static void test_who_waits_is_woken_once_a_millisecond_at_most(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host);
	assert_int_equal(give(&host, BEGIN_NS - 2 * NS_PER_S + 1000), WEIR_WAIT);
	assert_int_equal(host.postponed_ns, BEGIN_NS + NS_PER_MS);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_item_goes_on_when_it_is_due_and_not_before),
		cmocka_unit_test(test_what_has_been_under_way_waits_for_the_rest_only),
		cmocka_unit_test(test_a_kill_changes_no_time),
		cmocka_unit_test(test_who_waits_is_woken_once_a_millisecond_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
