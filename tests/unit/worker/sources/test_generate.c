/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void test_count_and_text(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &generate_source_callbacks);
	fake_host_option_number(&host, "count", 1000);
	fake_host_option_string(&host, "text", "<{n}> of {n}{x}");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 1000);
	assert_true(fake_host_item_is(&host, 0, "<1> of 1{x}"));
	assert_true(fake_host_item_is(&host, 999, "<1000> of 1000{x}"));
	assert_int_equal(host.progress_position, 1000);
	assert_int_equal(host.progress_total, 1000);
	fake_host_deinit(&host);
}

static void test_size(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &generate_source_callbacks);
	fake_host_option_number(&host, "count", 2);
	fake_host_option_number(&host, "size", 12);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_true(fake_host_item_is(&host, 1, "item 2xxxxxx"));
	fake_host_deinit(&host);

	fake_host_init(&host, &generate_source_callbacks);
	host.item_size_max = 100;
	fake_host_option_number(&host, "size", 101);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "an item of 101 bytes does not fit the lane, which takes 100"));
	fake_host_deinit(&host);
}

static void test_kill(void **state)
{
	struct fake_host host;
	char expected[32];
	int r;

	(void)state;
	fake_host_init(&host, &generate_source_callbacks);
	fake_host_option_number(&host, "count", 300);
	host.full_after = 7;
	host.room = 7;
	do {
		assert_int_equal(fake_host_open(&host), 0);
		r = fake_host_produce(&host);
		fake_host_turn_end(&host);
		(void)fake_host_produce(&host);
		fake_host_kill(&host);
	} while (r == WEIR_MORE);
	assert_int_equal(r, WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 300);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(expected, sizeof(expected), "item %u", i + 1);
		assert_true(fake_host_item_is(&host, i, expected));
	}
	fake_host_deinit(&host);
}

/* Virtual time: so many items in so many seconds, evenly, and no burst after a pause. */
static void test_rate(void **state)
{
	static const int64_t rates[] = { 1, 3, 7, 1000, 12345, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct fake_host host;
		uint64_t begin_ns = 5 * NS_PER_S, before;

		fake_host_init(&host, &generate_source_callbacks);
		fake_host_option_number(&host, "rate", rates[i]);
		host.now_ns = begin_ns;
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		assert_int_equal(fake_host_items(&host), 1);
		assert_int_equal(host.watch_fd, -1);
		while (host.now_ns < begin_ns + 2 * NS_PER_S - 2 * NS_PER_MS) {
			assert_true(host.watch_wake_ns > host.now_ns);
			host.now_ns = host.watch_wake_ns;
			assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		}
		assert_in_range(fake_host_items(&host), (uint64_t)rates[i] * 2 - (uint64_t)rates[i] / 200,
				(uint64_t)rates[i] * 2 + 1);

		before = fake_host_items(&host);
		host.now_ns += 100 * NS_PER_S;
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		assert_in_range(fake_host_items(&host) - before, 1, (uint64_t)rates[i] / 10 + 1);
		fake_host_deinit(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_and_text),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
