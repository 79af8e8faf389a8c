/* SPDX-License-Identifier: Apache-2.0 */
/* What workers say: what is meant, and that nothing that they could write leads a reader out of its bounds. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "broker/observe/reading.h"
#include "common/base/clock.h"
#include "tests/unit/broker/observe/exhibition.h"

struct fixture {
	struct exhibition exhibition;
	struct observer *observer;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct text why = TEXT_NULL;

	assert_non_null(f);
	exhibition_init(&f->exhibition, 3, 2);
	exhibition_open(&f->exhibition);
	assert_int_equal(observer_open(f->exhibition.dir.path, EXHIBITION_BOUND_NS, &f->observer, &why), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	observer_close(f->observer);
	exhibition_deinit(&f->exhibition);
	free(f);
	return 0;
}

/* Slot 2 is s1#0: two inputs, two outputs. */
static void test_worker(void **state)
{
	struct fixture *f = *state;
	struct segment *segment = &f->exhibition.segments[2];
	const struct catalog *catalog = observer_catalog(f->observer);
	struct worker_reading reading;

	store_relaxed(&segment->status->generation, 3);
	store_relaxed(&segment->status->state, WORKER_STATE_WAIT_SPACE);
	store_relaxed(&segment->status->since_ns, 1000);
	store_relaxed(&segment->status->heartbeat, 17);
	store_relaxed(&segment->status->wait_for, WAIT_FOR_ROOM);
	store_relaxed(&segment->status->wait_lane, 1);
	store_relaxed(&segment->counters->values[COUNTER_TURNS], 5);
	segment->cursors[1].ledger[LEDGER_TAKEN] = 9;
	store_relaxed(&segment->cursor_switch->flips, 1);
	read_worker(f->observer, 2, 2000, &reading);
	assert_int_equal(reading.generation, 3);
	assert_int_equal(reading.state, WORKER_STATE_WAIT_SPACE);
	assert_int_equal(reading.since_ns, 1000);
	assert_int_equal(reading.turns, 17);
	assert_int_equal(reading.counters[COUNTER_TURNS], 5);
	assert_true(reading.has_ledger);
	assert_int_equal(reading.ledger[LEDGER_TAKEN], 9);
	assert_int_equal(catalog->lanes[reading.wait_lane].producer, 2);
	assert_int_equal(catalog->lanes[reading.wait_lane].consumer, 5);
	assert_false(reading.in_hand);

	store_relaxed(&segment->status->state, WORKER_STATE_WAIT_DATA);
	store_relaxed(&segment->status->wait_for, WAIT_FOR_ITEM);
	read_worker(f->observer, 2, 2000, &reading);
	assert_int_equal(catalog->lanes[reading.wait_lane].consumer, 2);
	assert_int_equal(catalog->lanes[reading.wait_lane].producer, 1);

	store_relaxed(&segment->status->state, WORKER_STATE_BUSY);
	store_relaxed(&segment->hand->busy, HAND_BUSY);
	store_relaxed(&segment->hand->lane, 0);
	store_relaxed(&segment->hand->position, 640);
	read_worker(f->observer, 2, 2000, &reading);
	assert_int_equal(reading.wait_lane, NO_LANE); /* it does not wait */
	assert_true(reading.in_hand);
	assert_int_equal(catalog->lanes[reading.hand_lane].producer, 0);
	assert_int_equal(reading.hand_position, 640);
	store_relaxed(&segment->hand->lane, HAND_LETTER);
	read_worker(f->observer, 2, 2000, &reading);
	assert_true(reading.in_hand && reading.hand_lane == NO_LANE);
}

static void test_lane(void **state)
{
	struct fixture *f = *state;
	struct lane_reading reading;

	/* lane 1: s0#0 -> s1#1 */
	store_relaxed(&f->exhibition.segments[0].writers[1].tail, 5000);
	store_relaxed(&f->exhibition.segments[3].readers[0].done, 4000);
	read_lane(f->observer, 1, &reading);
	assert_int_equal(reading.filled_bytes, 1000);
	assert_int_equal(reading.tail, 5000);
	store_relaxed(&f->exhibition.segments[3].readers[0].done, 5001); /* seen later than the tail */
	read_lane(f->observer, 1, &reading);
	assert_int_equal(reading.filled_bytes, 0);
	store_relaxed(&f->exhibition.segments[0].writers[1].tail, 500000);
	read_lane(f->observer, 1, &reading);
	assert_int_equal(reading.filled_bytes, EXHIBITION_LANE_BYTES);
}

static void test_board(void **state)
{
	struct fixture *f = *state;

	f->exhibition.board->slots[4].generation = 8;
	store_relaxed(&f->exhibition.board->slots[4].dealing, BOARD_RETIRED);
	assert_int_equal(read_generation(f->observer, 4), 8);
	assert_true(read_retired(f->observer, 4));
	assert_false(read_retired(f->observer, 3));
}

/* All that a worker can write is anything: every control page but the header's. */
static void scribble(struct exhibition *exhibition)
{
	for (uint32_t i = 0; i < exhibition->plan.n_slots; i++) {
		unsigned char *base = exhibition->segments[i].base;
		size_t size_bytes = exhibition->plan.slots[i].geometry.control_size_bytes;

		for (size_t j = SEGMENT_PAGE_SIZE; j + 4 <= size_bytes; j += 4) {
			uint32_t word = rand() % 4 ? (uint32_t)rand() * 2654435761u : (uint32_t)(rand() % 12);

			memcpy(base + j, &word, 4);
		}
	}
}

static void test_hostile(void **state)
{
	struct fixture *f = *state;
	const struct catalog *catalog = observer_catalog(f->observer);
	unsigned n_waits = 0, n_in_hand = 0;

	srand(7);
	for (unsigned round = 0; round < 400; round++) {
		uint64_t now_ns = clock_now_ns();

		scribble(&f->exhibition);
		for (uint32_t i = 0; i < catalog->head->n_slots; i++) {
			struct worker_reading reading;

			read_worker(f->observer, i, now_ns, &reading);
			assert_true((unsigned)reading.state < WORKER_STATE_COUNT);
			assert_true(reading.since_ns <= now_ns);
			assert_true(reading.wait_lane == NO_LANE || reading.wait_lane < catalog->head->n_lanes);
			assert_true(reading.hand_lane == NO_LANE || reading.hand_lane < catalog->head->n_lanes);
			n_waits += reading.wait_lane != NO_LANE;
			n_in_hand += reading.in_hand;
		}
		for (uint32_t i = 0; i < catalog->head->n_lanes; i++) {
			struct lane_reading reading;

			read_lane(f->observer, i, &reading);
			assert_true(reading.filled_bytes <= catalog->lanes[i].capacity_bytes);
			assert_true(reading.closed <= LANE_CLOSED_LOST && reading.left <= LANE_LEFT);
		}
	}
	assert_true(n_waits && n_in_hand); /* some of it makes sense by chance */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lane, setup, teardown),
		cmocka_unit_test_setup_teardown(test_board, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
