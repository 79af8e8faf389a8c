/* SPDX-License-Identifier: Apache-2.0 */
/* What the console sees happen: deaths, letters, reloads, ends; and that it comes again. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/observe/ledger.h"
#include "console/watch.h"
#include "tests/unit/broker/observe/exhibition.h"

/* The newest event is that, of this stage and worker. */
static void expect(struct watch *watch, enum watch_event_kind kind, const char *stage, int worker, uint64_t amount)
{
	struct watch_event events[WATCH_EVENTS];

	assert_true(watch_events(watch, events) > 0);
	assert_string_equal(watch_event_name(events[0].kind), watch_event_name(kind));
	assert_string_equal(events[0].stage, stage);
	assert_int_equal(events[0].worker, worker);
	assert_int_equal(events[0].amount, amount);
}

static void look_until(struct watch *watch, enum watch_state state)
{
	uint64_t until_ns = clock_now_ns() + EXHIBITION_BOUND_NS;

	while (watch_look(watch) != state) {
		assert_true(clock_now_ns() < until_ns);
		poll(NULL, 0, 5);
	}
}

static void test_life(void **state)
{
	struct exhibition shown;
	struct watch *watch;
	const struct observer *observer;

	(void)state;
	exhibition_init(&shown, 3, 2);
	assert_int_equal(watch_new("/nonexistent/weir", &watch), 0);
	assert_int_equal(watch_look(watch), WATCH_ABSENT);
	assert_null(watch_hold(watch));
	watch_free(watch);

	exhibition_open(&shown);
	assert_int_equal(watch_new(shown.dir.path, &watch), 0);
	look_until(watch, WATCH_OPEN);
	expect(watch, WATCH_EVENT_BEGUN, "", -1, 0);
	assert_int_equal(watch_look(watch), WATCH_OPEN);
	expect(watch, WATCH_EVENT_BEGUN, "", -1, 0); /* nothing has happened */
	shown.board->slots[3].generation = 1;        /* generations begin with 0 */
	watch_look(watch);
	expect(watch, WATCH_EVENT_REPLACED, "s1", 1, 1);
	store_relaxed(&shown.board->slots[2].dealing, BOARD_RETIRED);
	watch_look(watch);
	expect(watch, WATCH_EVENT_RETIRED, "s1", 0, 0);
	shown.segments[4].cursors[0].ledger[LEDGER_DEAD_LETTERED] = 5;
	watch_look(watch);
	expect(watch, WATCH_EVENT_LETTERS, "s2", -1, 5);
	shown.segments[5].cursors[0].ledger[LEDGER_REJECTED_IN] = 2;
	watch_look(watch);
	expect(watch, WATCH_EVENT_REJECTED, "s2", -1, 2);
	exhibition_replan(&shown, "other");
	do
		look_until(watch, WATCH_OPEN);
	while (observer = watch_hold(watch), watch_release(watch), observer_generation(observer) != 2);
	expect(watch, WATCH_EVENT_RELOADED, "", -1, 2);
	exhibition_shut(&shown);
	look_until(watch, WATCH_ENDED);
	expect(watch, WATCH_EVENT_ENDED, "", -1, 0);
	assert_int_equal(watch_look(watch), WATCH_ENDED); /* its folder is there yet */
	assert_non_null(watch_hold(watch));               /* its last figures */
	watch_release(watch);
	exhibition_open(&shown);
	look_until(watch, WATCH_OPEN);
	expect(watch, WATCH_EVENT_BEGUN, "", -1, 0);
	watch_free(watch);
	exhibition_deinit(&shown);
}

/* More than there is room for: the newest stay, in their order. */
static void test_many(void **state)
{
	struct watch_event events[WATCH_EVENTS];
	struct exhibition shown;
	struct watch *watch;

	(void)state;
	exhibition_init(&shown, 2, 1);
	exhibition_open(&shown);
	assert_int_equal(watch_new(shown.dir.path, &watch), 0);
	look_until(watch, WATCH_OPEN);
	for (uint32_t i = 1; i <= 2 * WATCH_EVENTS; i++) {
		shown.board->slots[1].generation = i;
		watch_look(watch);
	}
	assert_int_equal(watch_events(watch, events), WATCH_EVENTS);
	for (uint32_t i = 0; i < WATCH_EVENTS; i++) {
		assert_int_equal(events[i].number, 2 * WATCH_EVENTS + 1 - i);
		assert_int_equal(events[i].amount, 2 * WATCH_EVENTS - i);
	}
	watch_free(watch);
	exhibition_deinit(&shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
