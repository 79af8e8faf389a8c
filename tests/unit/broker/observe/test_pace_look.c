/* SPDX-License-Identifier: Apache-2.0 */
/* What a look makes of the words of workers. s0 has slots 0 and 1, s1 2 and 3, s2 4 and 5; each writes a lane to each of the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "broker/observe/pace_look.h"
#include "common/base/clock.h"
#include "common/observe/counters.h"
#include "common/observe/histogram.h"
#include "common/observe/worker_state.h"
#include "tests/unit/broker/observe/exhibition.h"

#define SLOT 2u
#define NO_LANE_SAID UINT32_MAX

struct fixture {
	struct exhibition exhibition;
	struct observer *observer;
	struct pace_view view;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct text why = TEXT_NULL;

	assert_non_null(f);
	exhibition_init(&f->exhibition, 3, 2);
	exhibition_open(&f->exhibition);
	assert_int_equal(observer_open(f->exhibition.dir.path, EXHIBITION_BOUND_NS, &f->observer, &why), 0);
	pace_view_init(&f->view, observer_catalog(f->observer));
	f->view.workers[SLOT] = (struct pace_worker){ .counts = true, .pid = 4711 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pace_view_deinit(&f->view);
	observer_close(f->observer);
	exhibition_deinit(&f->exhibition);
	free(f);
	return 0;
}

static void say(struct fixture *f, enum worker_state state, uint32_t wait_for, uint32_t lane, uint32_t in_flight)
{
	struct segment *segment = &f->exhibition.segments[SLOT];

	store_relaxed(&segment->status->state, state);
	store_relaxed(&segment->status->wait_for, wait_for);
	store_relaxed(&segment->status->wait_lane, lane);
	store_relaxed(&segment->hand->in_flight, in_flight);
}

/* One look finds it doing that. */
static void expect_doing(struct fixture *f, enum pace_doing doing)
{
	struct pace_worker before = f->view.workers[SLOT];

	pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.workers[SLOT].n_looks, before.n_looks + 1);
	for (unsigned i = 0; i < PACE_DOING_COUNT; i++)
		assert_int_equal(f->view.workers[SLOT].n_doing[i], before.n_doing[i] + (i == doing));
}

static void test_doing(void **state)
{
	struct fixture *f = *state;

	say(f, WORKER_STATE_BUSY, 0, NO_LANE_SAID, 0);
	expect_doing(f, PACE_AT_WORK);
	say(f, WORKER_STATE_WAIT_DATA, WAIT_FOR_ITEM, NO_LANE_SAID, 0);
	expect_doing(f, PACE_WANTS_ITEM);
	say(f, WORKER_STATE_WAIT_SPACE, WAIT_FOR_ROOM, 0, 0);
	expect_doing(f, PACE_WANTS_ROOM);
	say(f, WORKER_STATE_WAIT_SPACE, WAIT_FOR_STORE, NO_LANE_SAID,
	    0); /* its turn to write dead letters is no lane's matter */
	expect_doing(f, PACE_OUTSIDE);
	say(f, WORKER_STATE_WAIT_OUTSIDE, WAIT_FOR_EVENT, NO_LANE_SAID, 0);
	expect_doing(f, PACE_OUTSIDE);
	say(f, WORKER_STATE_WAIT_OUTSIDE, WAIT_FOR_ITEM | WAIT_FOR_DUE | WAIT_FOR_TIME, NO_LANE_SAID, 0);
	expect_doing(f, PACE_DUE);
	/* It would take an item, but has begun others: it is at those. */
	say(f, WORKER_STATE_WAIT_OUTSIDE, WAIT_FOR_ITEM | WAIT_FOR_EVENT, NO_LANE_SAID, 3);
	expect_doing(f, PACE_OUTSIDE);
	say(f, WORKER_STATE_WAIT_OUTSIDE, WAIT_FOR_ITEM | WAIT_FOR_EVENT, NO_LANE_SAID, 0);
	expect_doing(f, PACE_WANTS_ITEM);
	say(f, WORKER_STATE_OPENING, 0, NO_LANE_SAID, 0);
	expect_doing(f, PACE_AWAY);
	/* What a dead worker has said last says nothing of the next one. */
	say(f, WORKER_STATE_BUSY, 0, NO_LANE_SAID, 0);
	store_relaxed(&f->exhibition.segments[SLOT].status->generation, 7);
	expect_doing(f, PACE_AWAY);
	store_relaxed(&f->exhibition.segments[SLOT].status->generation, 0);
	f->view.workers[SLOT].pid = 0;
	expect_doing(f, PACE_AWAY);
}

static void test_who_does_not_count(void **state)
{
	struct fixture *f = *state;

	say(f, WORKER_STATE_ENDED, 0, NO_LANE_SAID, 0);
	pace_look(f->observer, &f->view, 1000);
	say(f, WORKER_STATE_BUSY, 0, NO_LANE_SAID, 0);
	f->view.workers[SLOT].counts = false;
	pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.workers[SLOT].n_looks, 0);
}

/* The lane that it names; else the fullest. */
static void test_full_lanes(void **state)
{
	struct fixture *f = *state;
	const struct catalog *catalog = observer_catalog(f->observer);
	uint32_t first = catalog_output_lane(catalog, SLOT, 0), second = catalog_output_lane(catalog, SLOT, 1);

	say(f, WORKER_STATE_WAIT_SPACE, WAIT_FOR_ROOM, 0, 0);
	pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.lanes[first].n_room, 1);
	store_relaxed(&f->exhibition.segments[SLOT].writers[0].tail, 64);
	store_relaxed(&f->exhibition.segments[SLOT].writers[1].tail, 128);
	say(f, WORKER_STATE_WAIT_SPACE, WAIT_FOR_COMMIT, NO_LANE_SAID, 0);
	pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.lanes[first].n_room, 1);
	assert_int_equal(f->view.lanes[second].n_room, 1);
	assert_int_equal(f->view.lanes[second].n_looks, 2);
	assert_int_equal(f->view.lanes[second].filled_bytes, 128);
}

/* Any lane of the edge would do: those that are not empty hold it, each for a part. */
static void test_any_lane(void **state)
{
	struct fixture *f = *state;
	const struct catalog *catalog = observer_catalog(f->observer);
	uint32_t first = catalog_output_lane(catalog, SLOT, 0), second = catalog_output_lane(catalog, SLOT, 1);

	say(f, WORKER_STATE_WAIT_SPACE, WAIT_FOR_ROOM | WAIT_ANY_OF_EDGE, 0, 0);
	store_relaxed(&f->exhibition.segments[SLOT].writers[1].tail, 128);
	for (unsigned i = 0; i < 4; i++)
		pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.lanes[first].n_room, 0);
	assert_int_equal(f->view.lanes[second].n_room, 4);
	store_relaxed(&f->exhibition.segments[SLOT].writers[0].tail, 64);
	for (unsigned i = 0; i < 4; i++)
		pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.lanes[first].n_room, 2);
	assert_int_equal(f->view.lanes[second].n_room, 6);
}

/* A sleep that lasts is in no counter. */
static void test_sleeps(void **state)
{
	struct fixture *f = *state;
	struct segment *segment = &f->exhibition.segments[SLOT];

	say(f, WORKER_STATE_WAIT_SPACE, WAIT_FOR_ROOM, 0, 0);
	store_relaxed(&segment->counters->values[COUNTER_WAITS_SPACE], 3);
	store_relaxed(&segment->counters->values[COUNTER_WAIT_SPACE_NS], 500);
	store_relaxed(&segment->counters->values[COUNTER_WAITS_DATA], 2);
	store_relaxed(&segment->counters->values[COUNTER_WAIT_DATA_NS], 70);
	store_relaxed(&segment->status->since_ns, 1000);
	pace_count(f->observer, &f->view, 4000);
	assert_int_equal(f->view.workers[SLOT].n_waits[PACE_FOR_ROOM], 3);
	assert_int_equal(f->view.workers[SLOT].waited_ns[PACE_FOR_ROOM], 3500);
	assert_int_equal(f->view.workers[SLOT].n_waits[PACE_FOR_ITEM], 2);
	assert_int_equal(f->view.workers[SLOT].waited_ns[PACE_FOR_ITEM], 70);
}

/* Of the lanes of who wants an item, those where one lies, and those where none does and one may come. */
static void test_empty_lanes(void **state)
{
	struct fixture *f = *state;
	const struct catalog *catalog = observer_catalog(f->observer);
	uint32_t first = catalog_input_lane(catalog, SLOT, 0), second = catalog_input_lane(catalog, SLOT, 1);
	const struct catalog_lane *lane = &catalog->lanes[first];

	store_relaxed(&f->exhibition.segments[lane->producer].writers[lane->writer_index].tail, 64);
	say(f, WORKER_STATE_WAIT_DATA, WAIT_FOR_ITEM, NO_LANE_SAID, 0);
	pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.lanes[first].n_passed_over, 1);
	assert_int_equal(f->view.lanes[first].n_item, 0);
	assert_int_equal(f->view.lanes[second].n_passed_over, 0);
	assert_int_equal(f->view.lanes[second].n_item, 1);
	lane = &catalog->lanes[second];
	store_relaxed(&f->exhibition.segments[lane->producer].writers[lane->writer_index].closed, LANE_CLOSED_CLEAN);
	pace_look(f->observer, &f->view, 1000);
	assert_int_equal(f->view.lanes[second].n_item, 1);
}

static void test_books(void **state)
{
	struct fixture *f = *state;
	struct segment *segment = &f->exhibition.segments[SLOT];

	segment->cursors[1].ledger[LEDGER_TAKEN] = 9;
	store_relaxed(&segment->cursor_switch->flips, 1);
	histogram_add(&segment->observed->histograms[HISTOGRAM_PROCESSING], 1000, 5);
	pace_count(f->observer, &f->view, 77);
	assert_int_equal(f->view.now_ns, 77);
	assert_int_equal(f->view.workers[SLOT].ledger[LEDGER_TAKEN], 9);
	assert_int_equal(f->view.workers[SLOT].n_items, 5);
	assert_int_equal(f->view.workers[SLOT].processing_ns, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_doing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_does_not_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_lane, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sleeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_books, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
