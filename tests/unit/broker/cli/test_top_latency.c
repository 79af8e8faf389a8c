/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of what has come between two answers, and of what makes no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/json_read.h"
#include "broker/cli/top_latency.h"
#include "broker/cli/top_rates.h"
#include "common/base/text.h"

#define NEAR 1e-9

/* An answer of two stages and two metrics, where `fine` is of stage b's processing. */
static struct fy_document *answer(const char *fine)
{
	struct text text = TEXT_NULL;
	struct fy_document *document;

	text_printf(
		&text,
		"{\"pipeline\":\"p\",\"metrics\":[{\"name\":\"weir_waiting_seconds\",\"samples\":[{\"labels\":{\"stage\":\"b\"},"
		"\"fine\":[[9,9]]}]},{\"name\":\"weir_processing_seconds\",\"samples\":[{\"labels\":{\"stage\":\"a\"},\"fine\":[]},"
		"{\"labels\":{\"stage\":\"b\"},\"fine\":%s}]}]}",
		fine);
	document = json_parse(text_get(&text));
	text_deinit(&text);
	assert_non_null(document);
	return document;
}

static void test_between_two(void **state)
{
	struct top_latencies latencies = { 0 };

	(void)state;
	assert_true(top_latency(&latencies, "b", 0.5) == TOP_UNKNOWN);
	top_latencies_update(&latencies, answer("[[0.001,90],[0.1,10]]"));
	assert_float_equal(top_latency(&latencies, "b", 0.5), 0.001, NEAR); /* of all */
	assert_float_equal(top_latency(&latencies, "b", 0.99), 0.1, NEAR);
	top_latencies_update(&latencies, answer("[[0.0005,1],[0.001,90],[0.05,60],[0.1,49]]"));
	assert_float_equal(top_latency(&latencies, "b", 0), 0.0005, NEAR);
	assert_float_equal(top_latency(&latencies, "b", 0.5), 0.05, NEAR); /* 1, 0, 60, 39 */
	assert_float_equal(top_latency(&latencies, "b", 0.99), 0.1, NEAR);
	assert_true(top_latency(&latencies, "a", 0.5) == TOP_UNKNOWN);
	assert_true(top_latency(&latencies, "c", 0.5) == TOP_UNKNOWN);
	top_latencies_update(&latencies, answer("[[0.0005,1],[0.001,90],[0.05,60],[0.1,49]]"));
	assert_true(top_latency(&latencies, "b", 0.5) == TOP_UNKNOWN); /* nothing has come */
	top_latencies_deinit(&latencies);
}

static void test_another_run(void **state)
{
	struct top_latencies latencies = { 0 };

	(void)state;
	top_latencies_update(&latencies, answer("[[0.001,90]]"));
	top_latencies_update(&latencies, answer("[[0.001,5]]"));
	assert_true(top_latency(&latencies, "b", 0.5) == TOP_UNKNOWN);
	top_latencies_update(&latencies, NULL);
	assert_true(top_latency(&latencies, "b", 0.5) == TOP_UNKNOWN);
	top_latencies_update(&latencies, answer("[[0.001,\"x\"],[0.002],3]"));
	assert_true(top_latency(&latencies, "b", 0.5) == TOP_UNKNOWN);
	top_latencies_deinit(&latencies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_between_two),
		cmocka_unit_test(test_another_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
