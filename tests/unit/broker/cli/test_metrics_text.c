/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text format, read back by a strict reader; and that this reader is strict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/metrics_text.h"
#include "broker/supervise/metrics.h"
#include "common/base/clock.h"
#include "common/scope/cause.h"
#include "tests/unit/broker/cli/prometheus.h"

/* No spec gives a name like the second: but a document must stand even then. */
static char pipeline[] = "orders", read_name[] = "read", odd_name[] = "a \"b\"\\\nc";
static struct plan_stage stages[] = { { .name = read_name }, { .name = odd_name } };
static const struct plan plan = { .pipeline = pipeline, .stages = stages, .n_stages = 2 };

static void format(const struct metrics *metrics, struct text *text)
{
	_cleanup_(text_deinit) struct text json = TEXT_NULL;

	metrics_format_json(metrics, &json);
	assert_int_equal(metrics_format_text(text_get(&json), text), 0);
}

static void test_all_of_it_is_well_formed(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct metrics metrics;
	const char *error;
	size_t n;

	(void)state;
	assert_int_equal(metrics_init(&metrics, &plan), 0);
	metrics_add(&metrics, METRIC_RESTARTS, 1, RESTART_REASON_SIGNAL, 3);
	metrics_add(&metrics, METRIC_CANCELS, CAUSE_USER, 0, UINT64_MAX);
	metrics_add(&metrics, METRIC_STUCK, 0, 0, 2500 * NS_PER_MS);
	for (uint64_t ns = 1; ns < 100 * NS_PER_S; ns *= 3)
		metrics_observe(&metrics, METRIC_EXIT, METRIC_ORDER_CANCEL, ns);
	format(&metrics, &text);
	metrics_deinit(&metrics);
	error = prometheus_check(text_get(&text), &n);
	if (error)
		fail_msg("%s\n%s", error, text_get(&text));
	assert_in_range(n, 50, 4096);
	assert_non_null(strstr(
		text_get(&text),
		"\nweir_restarts_total{pipeline=\"orders\",stage=\"a \\\"b\\\"\\\\\\nc\",reason=\"signal\"} 3\n"));
	assert_non_null(strstr(text_get(&text),
			       "\nweir_cancels_total{pipeline=\"orders\",cause=\"user\"} 18446744073709551615\n"));
	assert_non_null(
		strstr(text_get(&text),
		       "\nweir_stuck_seconds_total{pipeline=\"orders\",stage=\"read\",kind=\"cycle\"} 2.500000000\n"));
	assert_non_null(strstr(text_get(&text),
			       "\nweir_exit_seconds_bucket{pipeline=\"orders\",order=\"cancel\",le=\"0.005\"} "));
	assert_non_null(strstr(text_get(&text),
			       "\nweir_exit_seconds_bucket{pipeline=\"orders\",order=\"drain\",le=\"10\"} 0\n"));
	assert_non_null(strstr(text_get(&text), "\n# TYPE weir_exit_seconds histogram\n"));
}

static void test_what_is_no_answer(void **state)
{
	static const char *const answers[] = { "",
					       "{",
					       "[]",
					       "null",
					       "{\"error\":\"no\"}",
					       "{\"pipeline\":\"a\",\"metrics\":[]}",
					       "{\"metrics\":[{\"name\":\"x\"}]}" };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		assert_int_equal(metrics_format_text(answers[i], &text), METRICS_E_BAD);
	}
}

#define HEAD "# HELP a_total x\n# TYPE a_total counter\n"
#define HISTOGRAM "# HELP h x\n# TYPE h histogram\n"

static void test_the_reader_is_strict(void **state)
{
	static const char *const bad[] = {
		"a_total{} 1\n",
		HEAD,
		HEAD "a_total{} 1",
		HEAD "a_total{} 1\n" HEAD "a_total{x=\"1\"} 1\n",
		HEAD "a_total{} 1\na_total{} 2\n",
		HEAD "a_total{} -1\n",
		HEAD "a_total{} NaN\n",
		HEAD "a_total{}  1\n",
		HEAD "a_total{} 1 \n",
		HEAD "a_total{x=\"\\q\"} 1\n",
		HEAD "a_total{x=\"1\",} 1\n",
		HEAD "a_total{x=1} 1\n",
		HEAD "a_total{1x=\"1\"} 1\n",
		HEAD "b_total{} 1\n",
		HEAD "\na_total{} 1\n",
		"# TYPE a_total counter\n# HELP a_total x\na_total{} 1\n",
		"# HELP a x\n# TYPE a counter\na{} 1\n",
		"# HELP a_total x\n# TYPE a_total gauge\na_total{} 1\n",
		"# HELP a_total\n# TYPE a_total counter\na_total{} 1\n",
		HISTOGRAM "h_bucket{le=\"1\"} 1\nh_sum{} 1\nh_count{} 1\n",
		HISTOGRAM "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum{} 1\nh_count{} 1\n",
		HISTOGRAM
		"h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum{} 1\nh_count{} 1\n",
		HISTOGRAM "h_bucket{a=\"1\",le=\"+Inf\"} 1\nh_sum{a=\"1\"} 1\nh_count{a=\"1\"} 2\n",
		HISTOGRAM "h_bucket{a=\"1\",le=\"+Inf\"} 1\nh_sum{a=\"1\"} 1\n",
		HISTOGRAM "h_bucket{a=\"1\",le=\"+Inf\"} 1\nh_count{a=\"1\"} 1\n",
		HISTOGRAM "h{} 1\n",
	};
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!prometheus_check(bad[i], &n))
			fail_msg("taken for good:\n%s", bad[i]);
	assert_null(prometheus_check(HEAD "a_total{} 1\n", &n));
	assert_null(prometheus_check(
		HISTOGRAM "h_bucket{a=\"1\",le=\"0.5\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 3\nh_sum{a=\"1\"} 1.5\n"
			  "h_count{a=\"1\"} 3\n",
		&n));
	assert_int_equal(n, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_is_well_formed),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_the_reader_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
