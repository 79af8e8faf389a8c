/* SPDX-License-Identifier: Apache-2.0 */
/* How far behind a supervisor is: what its watchdog goes by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"

static int on_time(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;

	(void)source, (void)at_us;
	timer_stop(&supervisor->look_timer);
	return 0;
}

static void test_what_is_overdue(void **state)
{
	struct supervisor supervisor = { .magic = SUPERVISOR_MAGIC };

	(void)state;
	assert_true(sd_event_new(&supervisor.event) >= 0);
	assert_int_equal(supervisor_behind_ns(&supervisor), 0);
	timer_set(&supervisor, &supervisor.timer, clock_now_ns() + 1000 * NS_PER_S, on_time, &supervisor);
	assert_int_equal(supervisor_behind_ns(&supervisor), 0);
	timer_set(&supervisor, &supervisor.look_timer, clock_now_ns() - 5 * NS_PER_S, on_time, &supervisor);
	assert_true(supervisor_behind_ns(&supervisor) >= 5 * NS_PER_S - NS_PER_MS);
	assert_true(sd_event_run(supervisor.event, 0) > 0);
	assert_int_equal(supervisor_behind_ns(&supervisor), 0);
	timer_set(&supervisor, &supervisor.timer, clock_now_ns() - 3 * NS_PER_S, on_time, &supervisor);
	assert_true(supervisor_behind_ns(&supervisor) >= 3 * NS_PER_S - NS_PER_MS);
	timer_stop(&supervisor.timer);
	sd_event_unref(supervisor.event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_overdue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
