/* SPDX-License-Identifier: Apache-2.0 */
/* Live, started, ready: and the reasons why not. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "console/health.h"

static struct view_worker workers[2];
static struct view_stage stage;
static struct view view;

static int setup(void **state)
{
	(void)state;
	workers[0] = (struct view_worker){ .pid = 4711, .state = "busy" };
	workers[1] = (struct view_worker){ .pid = 0, .state = "restarting" };
	stage = (struct view_stage){ .name = "price", .n_workers = 2, .workers = workers };
	view = (struct view){ .phase = "running", .n_stages = 1, .stages = &stage, .started_ns = 1 };
	return 0;
}

static void expect_ready(bool ready, const char *why, const char *reason)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	assert_int_equal(health_ready(&view, "", why, &text), ready);
	assert_non_null(strstr(text_get(&text), ready ? "{\"ready\":true,\"reasons\":[]}" : "{\"ready\":false,"));
	if (reason)
		assert_non_null(strstr(text_get(&text), reason));
}

static void test_ready(void **state)
{
	(void)state;
	expect_ready(true, NULL, NULL); /* one of two works */
	expect_ready(true, "{\"stuck\":false,\"findings\":[]}", NULL);
	expect_ready(false, "{\"stuck\":true,\"findings\":[{\"sentence\":\"price#0 is stopped\"},{}]}",
		     "[\"price#0 is stopped\",\"something stands still: weir why says what\"]");
	expect_ready(true, "garbage [", NULL);
	view.phase = "draining";
	expect_ready(false, NULL, "[\"the pipeline is draining\"]");
	view.phase = "running";
	workers[0].pid = 0;
	expect_ready(false, NULL, "no worker of stage price lives");
	workers[0].state = "ended"; /* its input is over */
	expect_ready(true, NULL, NULL);
	workers[0].state = "retired";
	stage.dropped = true; /* the rest goes on without it, as was wished */
	expect_ready(true, NULL, NULL);
}

static void test_unknown(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	assert_false(health_ready(NULL, "the supervisor does not answer", NULL, &text));
	assert_string_equal(text_get(&text), "{\"ready\":false,\"reasons\":[\"the supervisor does not answer\"]}\n");
	text_clear(&text);
	assert_false(health_startup(NULL, "the pipeline is not running", &text));
	assert_string_equal(text_get(&text), "{\"started\":false,\"reasons\":[\"the pipeline is not running\"]}\n");
	text_clear(&text);
	assert_false(health_live("the pipeline is not running", 0, &text));
	assert_string_equal(text_get(&text), "{\"live\":false,\"reasons\":[\"the pipeline is not running\"]}\n");
}

static void test_live_and_started(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	assert_true(health_live("", 1500 * NS_PER_MS, &text));
	assert_string_equal(text_get(&text), "{\"live\":true,\"reasons\":[],\"age_seconds\":1.500}\n");
	text_clear(&text);
	assert_true(health_startup(&view, "", &text));
	view.started_ns = 0;
	text_clear(&text);
	assert_false(health_startup(&view, "", &text));
	assert_non_null(strstr(text_get(&text), "not all workers have been ready yet"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ready, setup),
		cmocka_unit_test_setup(test_unknown, setup),
		cmocka_unit_test_setup(test_live_and_started, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
