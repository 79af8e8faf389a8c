/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/flow/commit_priv.h"
#include "common/flow/done_bits.h"
#include "common/flow/repair.h"
#include "tests/unit/common/flow/fixture.h"
#include "tests/unit/common/flow/operation.h"

struct bench {
	struct fixture lane;
	struct done_window *window;
	struct commit commit;
};

/* A lane whose consumer is asynchronous, standing at a position and an ordinal. */
static void bench_init(struct bench *bench, uint64_t position, uint64_t ordinal)
{
	struct segment_geometry geometry;

	fixture_init(&bench->lane);
	segment_detach(&bench->lane.consumer);
	close(bench->lane.consumer_fd);
	segment_plan_asynchronous(&geometry, 1, 1, 0, NULL, NULL);
	assert_int_equal(segment_create(&geometry, "weir-consumer", &bench->lane.consumer_fd), 0);
	assert_int_equal(segment_attach(&bench->lane.consumer, bench->lane.consumer_fd, &geometry, SEGMENT_WRITE), 0);
	bench->lane.in.reader = &bench->lane.consumer.readers[0];
	bench->lane.out.peer = &bench->lane.consumer.readers[0];
	fixture_start_at(&bench->lane, position);
	store_relaxed(&bench->lane.consumer.done_bits[0].ordinal, ordinal);
	bench->window = malloc(sizeof(*bench->window));
	commit_init(&bench->commit, &bench->lane.consumer);
	assert_int_equal(done_window_rewind(bench->window, &bench->lane.in, bench->lane.consumer.done_bits), 0);
}

static void bench_deinit(struct bench *bench)
{
	free(bench->window);
	fixture_deinit(&bench->lane);
}

static void put(struct bench *bench, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fixture_put(&bench->lane, i, 8), 0);
	fixture_commit_out(&bench->lane);
}

/* Takes all that is there, stepping over what has ended; returns how many have not. */
static unsigned take(struct bench *bench)
{
	struct item_header header;
	const void *payload;
	unsigned n = 0;

	while (!done_window_is_full(bench->window) && lane_in_peek(&bench->lane.in, &header, &payload) == 0)
		n += !done_window_ended(bench->window, done_window_take(bench->window, &header));
	return n;
}

static uint64_t waiting(const struct bench *bench)
{
	uint64_t items = UINT64_MAX;

	assert_int_equal(census_lane_with_bits(bench->lane.data, LANE_SIZE,
					       load_relaxed(&bench->lane.consumer.readers[0].done),
					       load_relaxed(&bench->lane.producer.writers[0].tail),
					       bench->lane.consumer.done_bits, &items),
			 0);
	return items;
}

static void commit(struct bench *bench)
{
	done_window_collect_bits(bench->window, &bench->commit);
	done_window_collect_done(bench->window, &bench->commit);
	commit_publish(&bench->commit);
	if (done_window_settle(bench->window))
		lane_in_release(&bench->lane.in);
}

/* The next generation. */
static void restart(struct bench *bench)
{
	lane_in_rewind(&bench->lane.in);
	assert_int_equal(done_window_rewind(bench->window, &bench->lane.in, bench->lane.consumer.done_bits), 0);
}

static void test_done_moves_over_the_finished_prefix(void **state)
{
	const uint64_t at = UINT64_MAX - 39, first = UINT64_MAX - 1;
	struct bench bench;

	(void)state;
	bench_init(&bench, at, first);
	put(&bench, 4);
	assert_int_equal(take(&bench), 4);
	done_window_end(bench.window, first + 1);
	done_window_end(bench.window, first + 3);
	commit(&bench);
	assert_true(bench.lane.in.done == at);
	assert_int_equal(waiting(&bench), 2);
	done_window_end(bench.window, first);
	assert_true(bench.lane.in.done == at); /* not before the commit */
	commit(&bench);
	assert_true(bench.lane.in.done == at + 80 && load_relaxed(&bench.lane.consumer.readers[0].free) == at + 80);
	assert_true(load_relaxed(&bench.lane.consumer.done_bits[0].ordinal) == first + 2);
	assert_int_equal(waiting(&bench), 1);
	done_window_end(bench.window, first + 2);
	commit(&bench);
	assert_true(bench.lane.in.done == at + 160);
	for (unsigned i = 0; i < DONE_BITS_WORDS; i++)
		assert_true(load_relaxed(&bench.lane.consumer.done_bits[0].words[i]) == 0);
	assert_int_equal(waiting(&bench), 0);
	bench_deinit(&bench);
}

static void test_the_next_generation_takes_exactly_the_others(void **state)
{
	struct item_header header;
	const void *payload;
	struct bench bench;

	(void)state;
	bench_init(&bench, 4000, 4094);
	put(&bench, 8);
	take(&bench);
	for (uint64_t i = 1; i < 8; i += 2)
		done_window_end(bench.window, 4094 + i);
	commit(&bench);
	done_window_end(bench.window, 4094); /* killed before it was committed */
	restart(&bench);
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(lane_in_peek(&bench.lane.in, &header, &payload), 0);
		assert_true(header.sequence == i);
		assert_int_equal(done_window_ended(bench.window, done_window_take(bench.window, &header)), i % 2);
	}
	bench_deinit(&bench);
}

/* It may take fewer at a time than the one before: what has ended lies behind what it has taken. */
static void test_ended_records_beyond_what_is_taken(void **state)
{
	struct item_header header;
	const void *payload;
	struct bench bench;

	(void)state;
	bench_init(&bench, 0, 60);
	put(&bench, 3);
	take(&bench);
	done_window_end(bench.window, 61);
	commit(&bench);
	restart(&bench);
	assert_int_equal(lane_in_peek(&bench.lane.in, &header, &payload), 0);
	done_window_end(bench.window, done_window_take(bench.window, &header));
	commit(&bench); /* 60 is done, 61 is first and has ended, and nobody has looked at it yet */
	assert_true(bench.lane.in.done == 40);
	assert_int_equal(waiting(&bench), 1);
	restart(&bench);
	assert_int_equal(take(&bench), 1);
	commit(&bench);
	assert_true(bench.lane.in.done == 80);
	bench_deinit(&bench);
}

static void test_the_window_is_4096_records(void **state)
{
	struct bench bench;
	unsigned taken = 0;

	(void)state;
	bench_init(&bench, 0, 0);
	put(&bench, 1);
	take(&bench); /* the slow one */
	while (!done_window_is_full(bench.window)) {
		/* a lane of 4096 bytes can't hold that many: the window is full by its numbers */
		bench.window->taken++;
		taken++;
	}
	assert_int_equal(taken, DONE_BITS_WINDOW - 1);
	bench_deinit(&bench);
}

static void test_a_bit_without_a_record_is_found(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, 0, 0);
	put(&bench, 3);
	store_relaxed(&bench.lane.consumer.done_bits[0].words[0], 4); /* the third */
	restart(&bench);
	store_relaxed(&bench.lane.consumer.done_bits[0].words[0], 8); /* the fourth of three */
	lane_in_rewind(&bench.lane.in);
	assert_int_equal(done_window_rewind(bench.window, &bench.lane.in, bench.lane.consumer.done_bits),
			 LANE_E_BROKEN);
	store_relaxed(&bench.lane.consumer.done_bits[0].words[0], 0);
	store_relaxed(&bench.lane.consumer.done_bits[0].words[63], UINT64_C(1) << 63);
	assert_int_equal(done_window_rewind(bench.window, &bench.lane.in, bench.lane.consumer.done_bits),
			 LANE_E_BROKEN);
	bench_deinit(&bench);
}

/* A commit that was cut after COMMITTED: the repair does the bits too, once or again. */
static void test_repair_applies_bits(void **state)
{
	struct repair_report report;
	struct segment *segment;
	struct bench bench;

	(void)state;
	bench_init(&bench, 0, 0);
	segment = &bench.lane.consumer;
	put(&bench, 3);
	take(&bench);
	done_window_end(bench.window, 0);
	done_window_end(bench.window, 2);
	done_window_collect_bits(bench.window, &bench.commit);
	done_window_collect_done(bench.window, &bench.commit);
	store_release(&segment->record->state, commit_collected(&bench.commit));
	assert_int_equal(waiting(&bench), 3);
	assert_int_equal(repair_run(segment, &report), 0);
	assert_true(report.applied);
	assert_int_equal(waiting(&bench), 1);
	assert_true(load_relaxed(&segment->done_bits[0].words[0]) == 4 &&
		    load_relaxed(&segment->done_bits[0].ordinal) == 1);
	assert_true(load_relaxed(&segment->readers[0].done) == 40);
	bench_deinit(&bench);
}

static void test_repair_refuses_what_is_no_word(void **state)
{
	struct repair_report report;
	struct bench bench;

	(void)state;
	bench_init(&bench, 0, 0);
	struct segment *segment = &bench.lane.consumer;
	const struct commit_operation bad[] = {
		operation_of(segment, COMMIT_BITS, WORD_BITS, 1, 1),
		operation_of(segment, COMMIT_BITS, WORD_BITS, UINT32_MAX, 1),
		operation_of(segment, COMMIT_BITS, WORD_DONE, 0, 1),
		operation_of(segment, COMMIT_BITS, WORD_ORDINAL, 0, DONE_BITS_WINDOW + 1),
		operation_of(segment, COMMIT_BITS, WORD_ORDINAL, 0, UINT64_MAX),
		{ COMMIT_BITS, word_number(segment, WORD_ORDINAL, 0) + 1, 1 }, /* `given` is no fact */
		{ COMMIT_BITS, word_number(segment, WORD_BITS, 0) + DONE_BITS_WORDS, 1 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bench.lane.consumer.record->operations[0] = bad[i];
		store_release(&bench.lane.consumer.record->state, 1);
		assert_int_equal(repair_run(&bench.lane.consumer, &report), REPAIR_E_CORRUPT);
	}
	bench.lane.consumer.record->operations[0] =
		operation_of(segment, COMMIT_BITS, WORD_ORDINAL, 0, DONE_BITS_WINDOW);
	store_release(&bench.lane.consumer.record->state, 1);
	assert_int_equal(repair_run(&bench.lane.consumer, &report), 0);
	/* the producer has none */
	bench.lane.producer.record->operations[0] = operation_of(&bench.lane.producer, COMMIT_BITS, WORD_BITS, 0, 1);
	store_release(&bench.lane.producer.record->state, 1);
	assert_int_equal(repair_run(&bench.lane.producer, &report), REPAIR_E_CORRUPT);
	store_release(&bench.lane.producer.record->state, 0);
	bench_deinit(&bench);
}

static void test_one_of_many_in_flight_is_no_suspect(void **state)
{
	struct repair_report report;
	struct segment_hand *hand;
	struct bench bench;

	(void)state;
	bench_init(&bench, 0, 0);
	hand = bench.lane.consumer.hand;
	for (uint32_t n = 1; n <= 2; n++) {
		store_relaxed(&hand->position, 40);
		store_relaxed(&hand->in_flight, n);
		store_release(&hand->busy, 1);
		assert_int_equal(repair_run(&bench.lane.consumer, &report), 0);
		assert_int_equal(report.in_flight, n);
		assert_int_equal(report.in_hand, n == 1);
		assert_int_equal(load_relaxed(&hand->in_flight), 0);
	}
	bench_deinit(&bench);
}

/* Any order of ends, any place of a kill: each record ends once. */
static void test_any_order_and_any_kill(void **state)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	unsigned ended[60] = { 0 };

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		uint64_t first = (uint64_t)round * 97 + 4000, left = 60;
		struct bench bench;

		bench_init(&bench, (uint64_t)round * 64, first);
		put(&bench, 60);
		memset(ended, 0, sizeof(ended));
		take(&bench);
		while (left) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			if (seed % 7 == 0) {
				commit(&bench);
				assert_int_equal(waiting(&bench), left);
				restart(&bench);
				assert_int_equal(take(&bench), left);
			} else if (!done_window_ended(bench.window, first + seed % 60) &&
				   first + seed % 60 - bench.window->ordinal < 60) {
				done_window_end(bench.window, first + seed % 60);
				ended[seed % 60]++;
				left--;
			}
		}
		commit(&bench);
		assert_int_equal(waiting(&bench), 0);
		for (unsigned i = 0; i < 60; i++)
			assert_int_equal(ended[i], 1);
		bench_deinit(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_done_moves_over_the_finished_prefix),
		cmocka_unit_test(test_the_next_generation_takes_exactly_the_others),
		cmocka_unit_test(test_ended_records_beyond_what_is_taken),
		cmocka_unit_test(test_the_window_is_4096_records),
		cmocka_unit_test(test_a_bit_without_a_record_is_found),
		cmocka_unit_test(test_repair_applies_bits),
		cmocka_unit_test(test_repair_refuses_what_is_no_word),
		cmocka_unit_test(test_one_of_many_in_flight_is_no_suspect),
		cmocka_unit_test(test_any_order_and_any_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
