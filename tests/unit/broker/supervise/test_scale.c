/* SPDX-License-Identifier: Apache-2.0 */
/* What a look at shared memory says of a stage that grows or shrinks: who deals by which board, what is left to do, and who is idle. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/observe/worker_state.h"
#include "tests/unit/broker/supervise/trial.h"

enum { FEED, STORE, STORE_TOO, SEATS };

static struct made_plan made;
static struct supervisor *supervisor;
static struct text why;
static sd_event *event;
static struct segment segments[SEATS]; /* as their workers have them */

static void on_log(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		   const struct log_item *item, const char *line)
{
	(void)data;
	(void)level;
	(void)stage;
	(void)worker;
	(void)pid;
	(void)item;
	(void)line;
}

/* All are ready, have seen the board, and wait for an item. */
static int begin(void **state)
{
	const struct supervisor_settings settings = { .worker_path = "/nowhere", .endpoint = "ipc:///nowhere" };
	const struct supervisor_callbacks callbacks = { .log = on_log };

	(void)state;
	make_plan(&made, "run", "run", 2);
	if (sd_event_new(&event) < 0 ||
	    supervisor_new(&made.plan, event, &settings, &callbacks, &supervisor, &why) != 0)
		return -1;
	for (uint32_t i = 0; i < SEATS; i++) {
		struct seat *seat = &supervisor->seats[i];

		segments[i] = (struct segment)SEGMENT_NULL;
		if (segment_attach(&segments[i], seat->segment_fd, &seat->segment.geometry, SEGMENT_WRITE) != 0)
			return -1;
		supervisor->lifecycle.lives[i].state = SEAT_READY;
		store_relaxed(&segments[i].status->generation, seat->generation);
		store_relaxed(&segments[i].status->state, WORKER_STATE_WAIT_DATA);
		store_relaxed(&segments[i].status->wait_for, WAIT_FOR_ITEM);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SEATS; i++)
		segment_detach(&segments[i]);
	supervisor_free(supervisor);
	event = sd_event_unref(event);
	text_deinit(&why);
	return 0;
}

static struct scale_facts look(void)
{
	struct event_queue *answers = &supervisor->answers;

	answers->n = answers->next = 0;
	seat_look(&supervisor->seats[STORE]);
	assert_int_equal(answers->n, 1);
	assert_int_equal(answers->events[0].kind, EVENT_LOOKED);
	answers->n = 0;
	return answers->events[0].scale;
}

static void test_nothing_is_left(void **state)
{
	struct scale_facts facts = look();

	(void)state;
	assert_true(facts.dealt && facts.empty);
	assert_int_equal(facts.idle, 0); /* nobody is to go */
	supervisor->lifecycle.lives[STORE_TOO].dealing = DEALING_CLOSED;
	assert_int_equal(look().idle, 2);
}

static void test_who_has_not_seen_the_board_may_still_deal(void **state)
{
	struct scale_facts facts;

	(void)state;
	supervisor->lifecycle.lives[STORE_TOO].dealing = DEALING_CLOSED;
	seat_announce_dealing(&supervisor->seats[STORE]);
	facts = look();
	assert_false(facts.dealt);
	assert_int_equal(facts.idle, 0);
	supervisor->lifecycle.lives[FEED].state = SEAT_DEAD; /* who is dead deals nothing */
	assert_true(look().dealt);
	supervisor->lifecycle.lives[FEED].state = SEAT_READY;
	store_relaxed(&segments[FEED].status->seen_dealings, 1);
	assert_true(look().dealt);
	store_relaxed(&segments[FEED].status->generation, supervisor->seats[FEED].generation + 1);
	assert_false(look().dealt);
}

/* An item that waits for an edge that is held keeps its producer from looking at the board; what that says of others it need not know. */
static void test_news_of_other_stages_need_not_be_seen(void **state)
{
	(void)state;
	seat_announce_dealing(&supervisor->seats[STORE]);
	store_relaxed(&segments[FEED].status->seen_dealings, 1);
	seat_announce_dealing(&supervisor->seats[FEED]);
	assert_true(look().dealt);
	seat_announce_dealing(&supervisor->seats[STORE]);
	assert_false(look().dealt);
	store_relaxed(&segments[FEED].status->seen_dealings, 2);
	assert_false(look().dealt);
	store_relaxed(&segments[FEED].status->seen_dealings, 3);
	assert_true(look().dealt);
}

/* Words that another stage's announcement brings along. */
static void test_what_was_dealt_is_seen_with_the_next_news(void **state)
{
	const struct action deal = { .kind = ACTION_DEAL, .seat = STORE_TOO, .value = DEALING_HELD };

	(void)state;
	scale_perform(&supervisor->seats[STORE_TOO], &deal);
	assert_false(look().dealt);
	seat_announce_dealing(&supervisor->seats[FEED]);
	assert_false(look().dealt);
	store_relaxed(&segments[FEED].status->seen_dealings, 1);
	assert_true(look().dealt);
}

static void test_what_lies_in_a_lane_is_left(void **state)
{
	(void)state;
	supervisor->lifecycle.lives[STORE_TOO].dealing = DEALING_CLOSED;
	store_relaxed(&segments[FEED].writers[1].tail, 64);
	assert_false(look().empty);
	assert_int_equal(look().idle, 0);
	store_relaxed(&segments[STORE_TOO].readers[0].done, 64);
	assert_true(look().empty);
	assert_int_equal(look().idle, 0); /* it has passed on what it was dealt, and that is still read */
	store_relaxed(&segments[STORE_TOO].readers[0].free, 64);
	assert_int_equal(look().idle, 2);
}

/* What a worker has taken lies in no lane: what it has in hand, has begun, or has made and not yet got rid of. */
static void test_who_has_something_in_hand_is_not_done(void **state)
{
	struct segment *segment = &segments[STORE_TOO];

	(void)state;
	supervisor->lifecycle.lives[STORE_TOO].dealing = DEALING_CLOSED;
	store_relaxed(&segment->hand->in_flight, 1);
	assert_false(look().empty);
	assert_int_equal(look().idle, 0);
	store_relaxed(&segment->hand->in_flight, 0);
	store_relaxed(&segment->status->state, WORKER_STATE_BUSY);
	assert_false(look().empty);
	assert_int_equal(look().idle, 0);
	store_relaxed(&segment->status->state, WORKER_STATE_WAIT_DATA);
	store_relaxed(&segment->status->wait_for, WAIT_FOR_ITEM | WAIT_FOR_ROOM);
	assert_false(look().empty);
	assert_int_equal(look().idle, 0);
	store_relaxed(&segment->status->wait_for, WAIT_FOR_ITEM | WAIT_FOR_EVENT);
	assert_true(look().empty);
	assert_int_equal(look().idle, 2);
	supervisor->lifecycle.lives[STORE_TOO].state = SEAT_BACKOFF; /* what it had begun comes back with it */
	assert_false(look().empty);
	supervisor->lifecycle.lives[STORE_TOO].state = SEAT_RESTING;
	assert_true(look().empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_left, begin, end),
		cmocka_unit_test_setup_teardown(test_who_has_not_seen_the_board_may_still_deal, begin, end),
		cmocka_unit_test_setup_teardown(test_news_of_other_stages_need_not_be_seen, begin, end),
		cmocka_unit_test_setup_teardown(test_what_was_dealt_is_seen_with_the_next_news, begin, end),
		cmocka_unit_test_setup_teardown(test_what_lies_in_a_lane_is_left, begin, end),
		cmocka_unit_test_setup_teardown(test_who_has_something_in_hand_is_not_done, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
