/* SPDX-License-Identifier: Apache-2.0 */
/* What windows hold: sums that are exact, quantiles and distinct values; items that have no place in them, and what has no room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/base/clock.h"
#include "tests/unit/worker/operators/windows.h"
#include "worker/builtin.h"

/* ---- numbers ---- */

static void test_numbers(void **state)
{
	static const char *const all[] = { "sum",      "sum(.v)", "most",    "max(.v)", "mean",
					   "mean(.v)", "p50",     "p50(.v)", NULL };
	const struct window_setting setting = { .aggregates = all, .size_s = 10, .without = "skip" };
	/* {"t":1, "v": ...} in msgpack */
	static const char item[] = "\x82\xa1t\x01\xa1v";
	struct fake_host host;
	char text[64];

	(void)state;
	windows_begin(&host, &setting);
	/* 64 bits: 2^63-1 twice, and 3: no double has that sum. */
	memcpy(text, item, 6);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(text + 6, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
		assert_int_equal(fake_host_process_item(&host, text, 15), WEIR_HELD);
	}
	memcpy(text + 6, "\xd0\x80", 2); /* -128 */
	assert_int_equal(fake_host_process_item(&host, text, 8), WEIR_HELD);
	assert_int_equal(fake_host_process_item(&host, "\x81\xa1t\x01", 4), WEIR_HELD); /* nothing of it */
	windows_end(&host);
	{
		struct fake_item out = fake_host_item(&host, 0);
		/* sum: 18446744073709551614 - 128; most: 2^63-1 */
		assert_non_null(memmem(out.data, out.size_bytes, "\xa3sum\xcf\xff\xff\xff\xff\xff\xff\xff\x7e", 13));
		assert_non_null(memmem(out.data, out.size_bytes, "\xa4most\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 14));
	}
	fake_host_deinit(&host);

	/* Beyond 64 bits it is a double; a window without numbers has none. */
	windows_begin(&host, &setting);
	memcpy(text + 6, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fake_host_process_item(&host, text, 15), WEIR_HELD);
	windows_end(&host);
	{
		struct fake_item out = fake_host_item(&host, 0);

		assert_non_null(memmem(out.data, out.size_bytes, "\xa3sum\xcb\x43\xf8", 7)); /* 1.5 * 2^64 */
	}
	fake_host_deinit(&host);
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":1}"), WEIR_HELD);
	windows_end(&host);
	windows_assert_left(
		&host, "{\"start\":\"1970-01-01T00:00:00Z\",\"end\":\"1970-01-01T00:00:10Z\",\"sum\":0,\"most\":null,"
		       "\"mean\":null,\"p50\":null}\n");
	fake_host_deinit(&host);
}

/* An eighth ten thousand times, beside a number that is too large to be added to. */
static void test_a_sum_loses_nothing_to_rounding(void **state)
{
	const struct window_setting setting = { .aggregates = windows_count_and_sum, .size_s = 10 };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":1,\"v\":1e17}"), WEIR_HELD);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(windows_give(&host, "{\"t\":1,\"v\":0.125}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":1,\"v\":-1e17}"), WEIR_HELD);
	windows_end(&host);
	windows_assert_left(
		&host,
		"{\"start\":\"1970-01-01T00:00:00Z\",\"end\":\"1970-01-01T00:00:10Z\",\"n\":10002,\"sum\":1250.0}\n");
	fake_host_deinit(&host);
}

static void test_quantiles_and_distinct(void **state)
{
	static const char *const all[] = { "mid",      "p50(.v)", "high",         "p99(.v)", "all",
					   "p100(.v)", "values",  "distinct(.v)", NULL };
	const struct window_setting setting = { .aggregates = all, .size_s = 20, .slide_s = 10 };
	struct fake_host host;
	char text[64];

	(void)state;
	windows_begin(&host, &setting);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"t\":%u,\"v\":%u}", 100 + i / 100, i % 300 + 1);
		assert_int_equal(windows_give(&host, text), WEIR_HELD);
	}
	windows_end(&host);
	assert_int_equal(fake_host_items(&host), 2); /* [90, 110) and [100, 120) */
	for (unsigned i = 0; i < 2; i++) {
		double mid, high, most;
		unsigned values;
		struct fake_item out = fake_host_item(&host, i);

		assert_int_equal(sscanf(strstr(out.data, "\"mid\""),
					"\"mid\":%lf,\"high\":%lf,\"all\":%lf,\"values\":%u", &mid, &high, &most,
					&values),
				 4);
		assert_true(mid > 131 && mid < 136);
		assert_true(high > 292 && high < 301);
		assert_true(most > 296 && most < 304);
		assert_int_equal(values, 300);
	}
	fake_host_deinit(&host);
}

/* ---- what can't be ---- */

static void refused(struct fake_host *host, const char *text, const char *why)
{
	uint64_t n = host->entries.n;

	assert_int_equal(windows_give(host, text), WEIR_REJECTED);
	assert_string_equal(host->reason, why);
	assert_int_equal(host->entries.n, n);
}

static void test_bad_items(void **state)
{
	static const char *const both[] = { "sum", "sum(.v)", "kinds", "distinct(.d)", NULL };
	static const char *const count[] = { "n", "count", NULL };
	struct window_setting setting = { .aggregates = both, .size_s = 10, .key = ".k" };
	struct fake_host host;
	char text[700];

	(void)state;
	windows_begin(&host, &setting);
	refused(&host, "no JSON", "it has no time (.t)");
	refused(&host, "{\"k\":1,\"v\":1,\"d\":1}", "it has no time (.t)");
	refused(&host, "{\"t\":\"noon\",\"k\":1,\"v\":1,\"d\":1}", "its .t is no time");
	refused(&host, "{\"t\":-5,\"k\":1,\"v\":1,\"d\":1}", "its .t is no time");
	refused(&host, "{\"t\":5,\"v\":1,\"d\":1}", "it has no key (.k)");
	refused(&host, "{\"t\":5,\"k\":1,\"d\":1}", "it has no .v");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":null,\"d\":1}", "it has no .v");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":\"NaN\",\"d\":1}", "its .v is no number");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":[1],\"d\":1}", "its .v is no number");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":1}", "it has no .d");
	snprintf(text, sizeof(text), "{\"t\":5,\"k\":\"%0479d\",\"v\":1,\"d\":1}", 0);
	refused(&host, text, "its key is longer than 480 bytes (.k)");
	snprintf(text, sizeof(text), "{\"t\":5,\"k\":\"%0478d\",\"v\":1,\"d\":1}", 0);
	assert_int_equal(windows_give(&host, text), WEIR_HELD);
	fake_host_deinit(&host);

	setting = (struct window_setting){ .aggregates = count, .size_s = 10, .key = "field(2)", .no_time = true };
	windows_begin(&host, &setting);
	refused(&host, "a \xff", "its key is no UTF-8 (field(2))");
	fake_host_deinit(&host);
}

static void test_no_room(void **state)
{
	static const char *const all[] = { "sum", "sum(.v)", "mid", "p50(.v)", "kinds", "distinct(.v)", NULL };
	const struct window_setting setting = { .aggregates = all, .size_s = 10, .key = ".k" };
	struct fake_host host;
	unsigned n_held = 0, n_refused = 0;
	char text[64];

	(void)state;
	windows_begin(&host, &setting);
	host.state_bytes = 16 * 1024;
	/* New keys, and old ones whose panes grow: both need room. */
	for (unsigned i = 0; i < 3000; i++) {
		int r;

		snprintf(text, sizeof(text), "{\"t\":5,\"k\":%u,\"v\":%u}", i % 40, i * i);
		r = windows_give(&host, text);
		assert_true(r == WEIR_HELD || r == WEIR_REJECTED);
		n_held += r == WEIR_HELD;
		n_refused += r == WEIR_REJECTED;
		if (i % 50 == 0)
			assert_int_equal(fake_host_turn_end(&host), 0);
	}
	assert_true(n_held > 200 && n_refused > 200);
	assert_string_equal(host.reason, "no room for its window: more keys and open windows than state: allows");
	windows_end(&host);
	assert_int_equal(host.n_settled, n_held); /* and nothing of what was refused is in them */
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);
}

static void test_wrong_options(void **state)
{
	static const char *const wrong[] = { "n", "counts", NULL };
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &window_operator_callbacks);
	fake_host_option_list(&host, "aggregates", wrong);
	fake_host_option_number(&host, "size", NS_PER_S);
	fake_host_option_string(&host, "unit", "s");
	fake_host_option_string(&host, "late", "drop");
	fake_host_option_string(&host, "without", "skip");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "aggregates.n: 'counts' is no aggregate: expected count, sum(EXPR)"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_a_sum_loses_nothing_to_rounding),
		cmocka_unit_test(test_quantiles_and_distinct),
		cmocka_unit_test(test_bad_items),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_wrong_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
