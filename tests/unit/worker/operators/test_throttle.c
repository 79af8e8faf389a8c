/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define BEGIN_NS (5 * NS_PER_S)

struct pace {
	const char *option; /* "rate" or "every" */
	int64_t value, burst;
	const char *beyond;
};

static void begin(struct fake_host *host, const struct pace *pace)
{
	fake_host_init(host, &throttle_operator_callbacks);
	fake_host_option_number(host, pace->option, pace->value);
	if (pace->burst)
		fake_host_option_number(host, "burst", pace->burst);
	fake_host_option_string(host, "beyond", pace->beyond ? pace->beyond : "wait");
	host->now_ns = BEGIN_NS;
	assert_int_equal(fake_host_open(host), 0);
}

/* Gives the same item until it is postponed, and commits; what is postponed is undone, as by the runtime. Returns how many passed. */
static uint64_t pour(struct fake_host *host)
{
	uint64_t before = fake_host_items(host);
	int r;

	while ((r = fake_host_process(host, "x", 1)) == WEIR_OK)
		fake_host_commit(host);
	assert_int_equal(r, WEIR_WAIT);
	fake_host_kill(host);
	assert_int_equal(fake_host_open(host), 0);
	return fake_host_items(host) - before;
}

/* In virtual time, asked only when it wants to be: never more than rate x t + burst, and in the long run no less. */
static void test_a_rate_is_kept_to_the_item(void **state)
{
	static const struct pace paces[] = {
		{ "rate", 1, 1, NULL },         { "rate", 3, 1, NULL },        { "rate", 7, 20, NULL },
		{ "rate", 1000, 0, NULL },      { "rate", 12345, 5, NULL },    { "rate", 250000, 0, NULL },
		{ "every", NS_PER_S, 2, NULL }, { "every", 7777777, 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paces) / sizeof(paces[0]); i++) {
		const struct pace *pace = &paces[i];
		uint64_t gain = *pace->option == 'r' ? (uint64_t)pace->value : 1;
		uint64_t price = *pace->option == 'r' ? NS_PER_S : (uint64_t)pace->value;
		uint64_t burst = pace->burst ? (uint64_t)pace->burst : gain / 10, passed = 0;
		struct fake_host host;

		begin(&host, pace);
		assert_int_equal(pour(&host), burst);
		while (host.now_ns < BEGIN_NS + 3 * NS_PER_S) {
			assert_true(host.postponed_ns > host.now_ns);
			host.now_ns = host.postponed_ns;
			passed += pour(&host);
			assert_int_equal(passed, (host.now_ns - BEGIN_NS) * gain / price);
		}
		fake_host_deinit(&host);
	}
}

/* Not for each token of a high rate: those of a millisecond, or what there is room for. */
static void test_who_waits_is_woken_for_several_tokens(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, &(struct pace){ "rate", 250000, 0, NULL });
	(void)pour(&host);
	assert_int_equal(host.postponed_ns - BEGIN_NS, NS_PER_MS);
	fake_host_deinit(&host);
	begin(&host, &(struct pace){ "rate", 250000, 10, NULL });
	(void)pour(&host);
	assert_int_equal(host.postponed_ns - BEGIN_NS, 40 * NS_PER_MS / 1000);
	fake_host_deinit(&host);
}

static void test_a_pause_is_worth_a_burst_and_no_more(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, &(struct pace){ "rate", 10, 4, NULL });
	assert_int_equal(pour(&host), 4);
	host.now_ns += 250 * NS_PER_MS;
	assert_int_equal(pour(&host), 2);
	host.now_ns += 3600 * NS_PER_S;
	assert_int_equal(pour(&host), 4);
	assert_int_equal(host.postponed_ns - host.now_ns, 100 * NS_PER_MS);
	fake_host_deinit(&host);
}

/* Dead for a while or at once: what has paid has paid, what was not committed has not, and the time counts once. */
static void test_a_kill_fills_no_bucket(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, &(struct pace){ "rate", 10, 4, NULL });
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fake_host_process(&host, "x", 1), WEIR_OK);
		if (i < 2)
			fake_host_commit(&host);
	}
	fake_host_kill(&host); /* the third never happened */
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(pour(&host), 2);
	fake_host_kill(&host);
	host.now_ns += 150 * NS_PER_MS;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(pour(&host), 1);
	host.now_ns += 50 * NS_PER_MS; /* with the half token from before */
	assert_int_equal(pour(&host), 1);
	fake_host_deinit(&host);
}

static void test_what_is_beyond_is_rejected_with_a_reason(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, &(struct pace){ "rate", 2, 1, "reject" });
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_REJECTED);
	assert_string_equal(host.reason, "over the rate of 2/s");
	host.now_ns += NS_PER_S / 2;
	assert_int_equal(fake_host_process(&host, "c", 1), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	fake_host_deinit(&host);
	begin(&host, &(struct pace){ "every", (int64_t)(10 * NS_PER_S), 1, "reject" });
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_REJECTED);
	assert_string_equal(host.reason, "over the rate of one in 10.0 s");
	fake_host_deinit(&host);
}

static void test_what_is_beyond_is_dropped(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, &(struct pace){ "rate", 2, 1, "drop" });
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	host.now_ns += NS_PER_S / 2;
	assert_int_equal(fake_host_process(&host, "c", 1), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "c"));
	fake_host_deinit(&host);
}

static void test_what_finds_no_room_pays_nothing(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, &(struct pace){ "rate", 2, 1, NULL });
	host.item_size_max = 3;
	assert_int_equal(fake_host_process(&host, "long", 4), WEIR_TOO_LARGE);
	assert_int_equal(fake_host_process(&host, "ok", 2), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "ok", 2), WEIR_WAIT);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rate_is_kept_to_the_item),
		cmocka_unit_test(test_who_waits_is_woken_for_several_tokens),
		cmocka_unit_test(test_a_pause_is_worth_a_burst_and_no_more),
		cmocka_unit_test(test_a_kill_fills_no_bucket),
		cmocka_unit_test(test_what_is_beyond_is_rejected_with_a_reason),
		cmocka_unit_test(test_what_is_beyond_is_dropped),
		cmocka_unit_test(test_what_finds_no_room_pays_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
