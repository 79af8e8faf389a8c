/* SPDX-License-Identifier: Apache-2.0 */
/* A loop's turns are counted, and the time in them, without what it sleeps. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "broker/supervise/loop_meter.h"
#include "common/base/clock.h"

#define AWAY_NS (20 * NS_PER_MS)
#define TURNS 5u

static int be_away(sd_event_source *source, uint64_t now_us, void *data)
{
	uint64_t until_ns = clock_now_ns() + AWAY_NS;

	(void)source;
	(void)now_us;
	++*(unsigned *)data;
	while (clock_now_ns() < until_ns)
		;
	return 0;
}

static void test_turns(void **state)
{
	struct loop_meter meter = { NULL, 0, 0, 0 };
	sd_event_source *source;
	sd_event *event;
	unsigned n = 0;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(loop_meter_open(&meter, event), 0);
	for (unsigned i = 0; i < TURNS; i++) {
		assert_true(sd_event_add_time_relative(event, &source, CLOCK_MONOTONIC, 1000, 1, be_away, &n) >= 0);
		while (n == i)
			assert_true(sd_event_run(event, UINT64_MAX) >= 0);
		sd_event_source_disable_unref(source);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_true(sd_event_run(event, 0) >= 0); /* what was last is known before the next sleep */
	assert_true(meter.turns >= TURNS);
	assert_true(meter.slowest_ns >= AWAY_NS);
	assert_true(meter.busy_ns >= TURNS * AWAY_NS && meter.busy_ns >= meter.slowest_ns);
	loop_meter_close(&meter);
	loop_meter_close(&meter);
	sd_event_unref(event);
}

/* Who has slept long was not away. */
static void test_sleep_does_not_count(void **state)
{
	struct loop_meter meter = { NULL, 0, 0, 0 };
	uint64_t begun_ns = clock_now_ns(), slept_ns = 0;
	sd_event *event;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(loop_meter_open(&meter, event), 0);
	for (unsigned i = 0; i < TURNS; i++)
		assert_true(sd_event_run(event, AWAY_NS / NS_PER_US) >= 0);
	slept_ns = clock_now_ns() - begun_ns;
	assert_true(slept_ns >= TURNS * AWAY_NS);
	assert_true(meter.busy_ns <= slept_ns - (TURNS - 1) * AWAY_NS);
	loop_meter_close(&meter);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_sleep_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
