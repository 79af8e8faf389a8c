/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes of items are cancelled: who has seen it, for how long it holds, and when there is no room. The workers here say nothing of it. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/memory/scope_table.h"
#include "common/scope/cause.h"
#include "tests/unit/broker/supervise/trial.h"

#define LOOK_US 1000u

enum { FEED, STORE };

static struct {
	void (*test)(struct supervisor *supervisor);
	bool (*is_over)(const struct supervisor *supervisor); /* NULL: at once */
	sd_event_source *timer;
	bool done;
} script;

static int on_look(sd_event_source *source, uint64_t at_us, void *data)
{
	struct trial *trial = data;

	(void)at_us;
	if (script.is_over && !script.is_over(trial->supervisor)) {
		sd_event_source_set_time_relative(source, LOOK_US);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	script.timer = sd_event_source_disable_unref(script.timer);
	supervisor_drain(trial->supervisor, 0, "the test");
	return 0;
}

static void at_phase(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") != 0)
		return;
	script.test(trial->supervisor);
	script.done = true;
	assert_true(sd_event_add_time_relative(trial->event, &script.timer, CLOCK_MONOTONIC, LOOK_US, 100, on_look,
					       trial) >= 0);
}

static void run(void (*test)(struct supervisor *supervisor), bool (*is_over)(const struct supervisor *supervisor))
{
	struct trial trial = { .at_phase = at_phase };

	script.test = test;
	script.is_over = is_over;
	script.done = false;
	run_acts(&trial, "stay", "good", 1, EXIT_DONE, "starting running draining stopped ");
	assert_true(script.done);
	end_trial(&trial);
}

static uint32_t cancel(struct supervisor *supervisor, uint64_t scope, uint64_t for_ns, int expected)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	uint32_t epoch = 0;

	assert_int_equal(supervisor_cancel_scope(supervisor, scope, CAUSE_USER, for_ns, "the test", &epoch, &why),
			 expected);
	assert_int_equal(why.length != 0, expected == SUPERVISOR_E_REFUSED);
	return epoch;
}

/* "feed ", "store ": who has not said that it has seen the epoch. */
static const char *unseen(const struct supervisor *supervisor, uint32_t epoch)
{
	static const char *const sets[] = { "", "feed ", "store ", "feed store " };
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	uint32_t n = supervisor_scope_unseen(supervisor, epoch, &text);
	bool feed = strstr(text_get(&text), "{\"stage\":\"feed\",\"index\":0,\"pid\":") != NULL,
	     store = strstr(text_get(&text), "{\"stage\":\"store\",\"index\":0,\"pid\":") != NULL;

	assert_int_equal(n, feed + store);
	return sets[feed + 2 * store];
}

static void see_it(struct supervisor *supervisor)
{
	uint32_t first = cancel(supervisor, 7, 0, 0), second;

	assert_int_equal(scope_table_find(supervisor->board, 7), CAUSE_USER);
	assert_string_equal(unseen(supervisor, first), "feed store ");
	seat_scopes_seen(&supervisor->seats[FEED], first);
	assert_string_equal(unseen(supervisor, first), "store ");
	second = cancel(supervisor, 8, 0, 0);
	assert_int_equal(cancel(supervisor, 7, 0, SUPERVISOR_E_ALREADY), first); /* asked again: the same question */
	assert_string_equal(unseen(supervisor, first), "store ");
	assert_string_equal(unseen(supervisor, second), "feed store ");
	seat_scopes_seen(&supervisor->seats[STORE], second); /* who has seen the later one has seen both */
	assert_string_equal(unseen(supervisor, first), "");
	assert_string_equal(unseen(supervisor, second), "feed ");
}

static void test_who_has_seen_it(void **state)
{
	(void)state;
	run(see_it, NULL);
}

/* Who ends, is dead, or is not there yet finds the table before its first item. */
static void leave_out(struct supervisor *supervisor)
{
	uint32_t epoch = cancel(supervisor, 7, 0, 0);
	enum seat_state before = supervisor->lifecycle.lives[STORE].state;

	for (int i = 0; i < SEAT_STATE_COUNT; i++) {
		supervisor->lifecycle.lives[STORE].state = (enum seat_state)i;
		assert_string_equal(unseen(supervisor, epoch),
				    seat_state_works((enum seat_state)i) ? "feed store " : "feed ");
	}
	supervisor->lifecycle.lives[STORE].state = before;
}

static void test_who_begins_no_item_is_not_waited_for(void **state)
{
	(void)state;
	run(leave_out, NULL);
}

/* The number goes round. */
static void go_round(struct supervisor *supervisor)
{
	uint32_t last, first;

	store_relaxed(&supervisor->board->scopes_epoch, UINT32_MAX - 1);
	last = cancel(supervisor, 7, 0, 0);
	first = cancel(supervisor, 8, 0, 0);
	assert_true(last == UINT32_MAX && first == 1); /* 0: nothing has ever been cancelled */
	seat_scopes_seen(&supervisor->seats[FEED], last);
	seat_scopes_seen(&supervisor->seats[STORE], first);
	assert_string_equal(unseen(supervisor, last), "");
	assert_string_equal(unseen(supervisor, first), "feed ");
}

static void test_the_number_goes_round(void **state)
{
	(void)state;
	run(go_round, NULL);
}

static void cancel_for_a_time(struct supervisor *supervisor)
{
	cancel(supervisor, 7, 3600 * NS_PER_S, 0);
	cancel(supervisor, 8, NS_PER_MS, 0);
	cancel(supervisor, 9, 0, 0);
	cancel(supervisor, 10, 20 * NS_PER_MS, 0);
}

static bool is_forgotten(const struct supervisor *supervisor)
{
	assert_int_equal(scope_table_find(supervisor->board, 7), CAUSE_USER);
	assert_int_equal(scope_table_find(supervisor->board, 9), CAUSE_USER);
	return !scope_table_find(supervisor->board, 8) && !scope_table_find(supervisor->board, 10);
}

static void test_it_holds_for_a_time(void **state)
{
	(void)state;
	run(cancel_for_a_time, is_forgotten);
}

static void fill_up(struct supervisor *supervisor)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	uint32_t epoch;

	for (uint64_t i = 1; i < SCOPES_MAX; i++)
		cancel(supervisor, i, 3600 * NS_PER_S, 0);
	cancel(supervisor, SCOPES_MAX, 1800 * NS_PER_S, 0);
	assert_int_equal(supervisor_cancel_scope(supervisor, 1000000, CAUSE_USER, 0, "the test", &epoch, &why),
			 SUPERVISOR_E_REFUSED);
	assert_non_null(strstr(text_get(&why), "the table has no room for more; the next one leaves it in "));
	assert_non_null(strstr(text_get(&why), " min")); /* the half hour, not the hour */
	cancel(supervisor, 5, 0, SUPERVISOR_E_ALREADY);
}

static void test_a_full_table_says_when_there_will_be_room(void **state)
{
	(void)state;
	run(fill_up, NULL);
}

/* A worker is not trusted: what its stage could not have said changes nothing. */
static void want_nonsense(struct supervisor *supervisor)
{
	struct seat *seat = &supervisor->seats[STORE];

	seat_wants_scope_cancelled(seat, 0, CAUSE_USER);
	seat_wants_scope_cancelled(seat, 5, CAUSE_NONE);
	seat_wants_scope_cancelled(seat, 5, CAUSE_COUNT);
	seat_wants_scope_cancelled(seat, 5, UINT64_MAX);
	assert_int_equal(load_relaxed(&supervisor->board->n_scopes), 0);
	seat_wants_scope_cancelled(seat, 5, CAUSE_DOWNSTREAM_GONE);
	seat_wants_scope_cancelled(seat, 5, CAUSE_USER);
	assert_int_equal(scope_table_find(supervisor->board, 5), CAUSE_DOWNSTREAM_GONE);
}

static void test_what_workers_want(void **state)
{
	(void)state;
	run(want_nonsense, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_seen_it),
		cmocka_unit_test(test_who_begins_no_item_is_not_waited_for),
		cmocka_unit_test(test_the_number_goes_round),
		cmocka_unit_test(test_it_holds_for_a_time),
		cmocka_unit_test(test_a_full_table_says_when_there_will_be_room),
		cmocka_unit_test(test_what_workers_want),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
