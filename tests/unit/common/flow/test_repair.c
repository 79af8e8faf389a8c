/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/flow/repair.h"
#include "tests/unit/common/flow/fixture.h"
#include "tests/unit/common/flow/operation.h"

#define N_IMAGES 10000

static int setup(void **state)
{
	static struct fixture fixture;

	fixture_init(&fixture);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	fixture_deinit(*state);
	return 0;
}

/* xorshift: the same images in every run */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void hold(struct segment *segment, uint32_t lane, uint64_t position)
{
	store_relaxed(&segment->hand->lane, lane);
	store_relaxed(&segment->hand->position, position);
	store_relaxed(&segment->hand->sequence, 77);
	store_release(&segment->hand->busy, 1);
	store_release(&segment->armed->word, 5 << 8 | ARM_DATA);
}

static void test_suspect_is_the_item_in_hand(void **state)
{
	static const struct {
		uint32_t lane;
		uint64_t position;
		bool suspect;
	} cases[] = {
		{ 0, 8000, true },  { 0, 8192, true },           { 0, 7968, false },
		{ 1, 8000, false }, { UINT32_MAX, 8000, false },
	};
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;

	store_release(&segment->readers[0].done, 8000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct repair_report report;

		hold(segment, cases[i].lane, cases[i].position);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_int_equal(report.in_hand, cases[i].suspect);
		if (report.in_hand) {
			assert_int_equal(report.suspect_lane, cases[i].lane);
			assert_int_equal(report.suspect_position, cases[i].position);
			assert_int_equal(report.suspect_sequence, 77);
		}
		assert_int_equal(load_relaxed(&segment->hand->busy), 0);
		assert_int_equal(load_relaxed(&segment->armed->word), 0);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_false(report.in_hand);
	}
}

static void test_item_committed_by_the_repair_is_no_suspect(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;
	struct repair_report report;
	struct commit commit;

	commit_init(&commit, segment);
	fixture->in.next = 256;
	commit_add_done(&commit, &fixture->in);
	store_release(&segment->record->state, 1);
	hold(segment, 0, 0);
	assert_int_equal(repair_run(segment, &report), 0);
	assert_true(report.applied);
	assert_false(report.in_hand);
	assert_int_equal(load_relaxed(&segment->readers[0].done), 256);
	/* what its emitted records refer to is the next generation's to find out */
	assert_int_equal(load_relaxed(&segment->readers[0].free), 0);
}

static void expect_corrupt(struct segment *segment, uint64_t n, struct commit_operation first,
			   struct commit_operation second)
{
	size_t size_bytes = segment->geometry.control_size_bytes;
	unsigned char *before = malloc(size_bytes);
	struct repair_report report = { .suspect_sequence = 4711 };

	segment->record->operations[0] = first;
	segment->record->operations[1] = second;
	store_release(&segment->record->state, n);
	memcpy(before, segment->base, size_bytes);
	assert_int_equal(repair_run(segment, &report), REPAIR_E_CORRUPT);
	assert_memory_equal(segment->base, before, size_bytes); /* nothing was touched */
	assert_int_equal(report.suspect_sequence, 4711);
	free(before);
}

static void test_corrupt_record_touches_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;
	const struct commit_operation good = operation_of(segment, COMMIT_DONE, WORD_DONE, 0, 8064),
				      good_flip = operation_of(segment, COMMIT_CURSOR, WORD_FLIPS, 0, 1);
	const struct {
		uint32_t kind;
		enum word word;
		uint32_t index;
		uint64_t value;
	} bad[] = {
		{ 0, WORD_DONE, 0, 8064 },
		{ COMMIT_BITS, WORD_BITS, 0, 0 }, /* it has none */
		{ UINT32_MAX, WORD_DONE, 0, 8064 },
		{ COMMIT_TAIL, WORD_TAIL, 0, 64 }, /* a consumer has no writers */
		{ COMMIT_TAIL, WORD_DONE, 0, 8064 },
		{ COMMIT_DONE, WORD_DONE, 1, 8064 },
		{ COMMIT_DONE, WORD_DONE, UINT32_MAX, 8064 },
		{ COMMIT_DONE, WORD_FREE, 0, 8064 },
		{ COMMIT_DONE, WORD_FLIPS, 0, 8064 }, /* before them */
		{ COMMIT_DONE, WORD_DONE, 0, 7992 },  /* backwards */
		{ COMMIT_DONE, WORD_DONE, 0, 8068 },  /* not aligned */
		{ COMMIT_CURSOR, WORD_FLIPS, 0, 2 },
		{ COMMIT_CURSOR, WORD_FLIPS, 1, 1 },
		{ COMMIT_CURSOR, WORD_DONE, 0, 1 },
		{ COMMIT_CURSOR, WORD_FLIPS, 0, UINT64_MAX },
		{ COMMIT_LETTER, WORD_LETTER, 0, 8 }, /* backwards */
		{ COMMIT_LETTER, WORD_LETTER, 1, 10 },
		{ COMMIT_LETTER, WORD_FLIPS, 0, 10 },
		{ COMMIT_CURSOR, WORD_LETTER, 0, 10 },
		{ COMMIT_DONE, WORD_LETTER, 0, 16 },
	};
	struct repair_report report;

	store_release(&segment->cursor_switch->letter, 9);
	store_release(&segment->readers[0].done, 8000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct commit_operation one =
			operation_of(segment, bad[i].kind, bad[i].word, bad[i].index, bad[i].value);

		expect_corrupt(segment, 1, one, good);
		expect_corrupt(segment, 2, good_flip, one);
	}
	expect_corrupt(segment, 2, good, good_flip); /* each is good, their order is not */
	/* one more than there can be, and each of them good */
	for (uint64_t i = 0; i <= segment_operations_max(&segment->geometry); i++)
		segment->record->operations[i] = good;
	expect_corrupt(segment, segment_operations_max(&segment->geometry) + 1, good, good);
	expect_corrupt(segment, UINT64_MAX, good, good);
	segment->record->operations[0] = good_flip;
	segment->record->operations[1] = good;
	store_release(&segment->record->state, 2);
	assert_int_equal(repair_run(segment, &report), 0);
	assert_int_equal(load_relaxed(&segment->readers[0].done), 8064);
	assert_int_equal(load_relaxed(&segment->cursor_switch->flips), 1);
}

/* A dead letter that was given again: taken with the record, whole, and in hand until then. */
static void test_a_letter_is_taken_with_the_record(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;
	struct repair_report report;

	store_release(&segment->cursor_switch->letter, 9);
	hold(segment, HAND_LETTER, 10);
	assert_int_equal(repair_run(segment, &report), 0);
	assert_true(report.in_hand);
	assert_int_equal(report.suspect_lane, HAND_LETTER);
	assert_int_equal(report.suspect_position, 10);
	assert_int_equal(report.suspect_sequence, 77);

	hold(segment, HAND_LETTER, 10);
	segment->record->operations[0] = operation_of(segment, COMMIT_LETTER, WORD_LETTER, 0, 10);
	segment->record->operations[1] = operation_of(segment, COMMIT_CURSOR, WORD_FLIPS, 0, 1);
	store_release(&segment->record->state, 2);
	assert_int_equal(repair_run(segment, &report), 0);
	assert_false(report.in_hand);
	assert_int_equal(load_relaxed(&segment->cursor_switch->letter), 10);
	assert_int_equal(load_relaxed(&segment->cursor_switch->flips), 1);
}

static void test_a_tail_goes_back_by_no_more_than_the_lanes_hold(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->producer;
	const struct commit_operation bad[] = {
		operation_of(segment, COMMIT_RETRACT, WORD_TAIL, 0, 8008), /* ahead */
		operation_of(segment, COMMIT_RETRACT, WORD_TAIL, 0, 7996), /* not aligned */
		operation_of(segment, COMMIT_RETRACT, WORD_TAIL, 0,
			     8000 - 4096 - 8), /* further than the lane is large */
		operation_of(segment, COMMIT_RETRACT, WORD_TAIL, 1, 7000),
		operation_of(segment, COMMIT_RETRACT, WORD_TAIL_ORDINAL, 0, 0),
	};
	struct repair_report report;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		store_relaxed(&segment->writers[0].tail, 8000);
		segment->record->operations[0] = bad[i];
		store_release(&segment->record->state, 1);
		assert_int_equal(repair_run(segment, &report), REPAIR_E_CORRUPT);
		assert_int_equal(load_relaxed(&segment->writers[0].tail), 8000);
	}
	segment->record->operations[0] = operation_of(segment, COMMIT_RETRACT, WORD_TAIL, 0, 6400);
	for (int i = 0; i < 2; i++) { /* again, after a repair that was cut: the same */
		store_release(&segment->record->state, 1);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_true(report.applied);
		assert_int_equal(load_relaxed(&segment->writers[0].tail), 6400);
	}
	repair_close(segment);
	assert_int_equal(load_relaxed(&segment->writers[0].closed), 1);
}

/* An item in a hold has left the lane, records that outputs refer to have not: `free` is the next generation's to move. */
static void test_free_of_a_lane_with_a_hold(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;
	struct repair_report report;

	for (int holds = 0; holds <= 1; holds++) {
		segment->geometry.holds = holds;
		store_relaxed(&segment->readers[0].done, 64);
		store_relaxed(&segment->readers[0].free, 128);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_int_equal(load_relaxed(&segment->readers[0].free), 128);
		store_relaxed(&segment->readers[0].free, 32);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_int_equal(load_relaxed(&segment->readers[0].free), 32);
	}
}

/* Ordinals move with their positions, not back, and only where lanes have them. */
static void test_ordinals(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;
	const struct commit_operation done = operation_of(segment, COMMIT_DONE, WORD_DONE, 0, 64),
				      ordinal = operation_of(segment, COMMIT_DONE, WORD_DONE_ORDINAL, 0, 5),
				      back = operation_of(segment, COMMIT_DONE, WORD_DONE_ORDINAL, 0, 4),
				      beyond = operation_of(segment, COMMIT_DONE, WORD_DONE_ORDINAL, 1, 6);
	struct repair_report report;

	expect_corrupt(segment, 2, done, ordinal);
	segment->geometry.holds = true;
	for (int twice = 0; twice < 2; twice++) {
		segment->record->operations[0] = done;
		segment->record->operations[1] = ordinal;
		store_release(&segment->record->state, 2);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_int_equal(load_relaxed(&segment->readers[0].done_ordinal), 5);
	}
	expect_corrupt(segment, 2, done, back);
	expect_corrupt(segment, 2, done, beyond);

	segment = &fixture->producer;
	expect_corrupt(segment, 1, operation_of(segment, COMMIT_TAIL, WORD_TAIL_ORDINAL, 0, 7), done);
	segment->geometry.drops = true;
	store_release(&segment->record->state, 1);
	assert_int_equal(repair_run(segment, &report), 0);
	assert_int_equal(load_relaxed(&segment->writers[0].tail_ordinal), 7);
}

/* Any bytes at all: an answer, no crash, no store outside the control pages, and once accepted, accepted again. */
static void test_repair_survives_garbage(void **state)
{
	struct fixture *fixture = *state;
	struct segment *segment = &fixture->consumer;
	size_t skip = SEGMENT_PAGE_SIZE, n_words = (segment->geometry.control_size_bytes - skip) / 8;
	uint64_t *words = (uint64_t *)(segment->base + skip), seed = UINT64_C(0x9e3779b97f4a7c15);
	unsigned corrupt = 0;

	for (unsigned image = 0; image < N_IMAGES; image++) {
		struct repair_report report;

		for (size_t i = 0; i < n_words; i++)
			words[i] = next_random(&seed);
		/* mostly near-valid, or every image would fail the first check */
		if (image % 8)
			store_relaxed(&segment->record->state, next_random(&seed) % 4);
		for (unsigned i = 0; i < 2 && image % 4; i++)
			segment->record->operations[i] = operation_of(
				segment, (uint32_t)(next_random(&seed) % (COMMIT_DONE + 1)),
				next_random(&seed) % 2 ? WORD_DONE : WORD_FLIPS, (uint32_t)(next_random(&seed) % 2),
				load_relaxed(&segment->readers[0].done) + next_random(&seed) % 64);
		if (repair_run(segment, &report)) {
			corrupt++;
			continue;
		}
		assert_int_equal(load_relaxed(&segment->record->state), 0);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_false(report.applied);
	}
	assert_in_range(corrupt, N_IMAGES / 4, N_IMAGES - 100);
}

static void test_census_counts_data_only(void **state)
{
	struct fixture *fixture = *state;
	uint64_t items = 99;
	unsigned n = 0;

	fixture_start_at(fixture, 3 * LANE_SIZE - 512); /* across the seam */
	while (!fixture_put(fixture, n, n % 50))
		n++;
	assert_true(n > 20);
	fixture_commit_out(fixture);
	assert_int_equal(census_lane(fixture->data, LANE_SIZE, fixture->in.done, fixture->out.tail, &items), 0);
	assert_int_equal(items, n);
	fixture_start_at(fixture, 64);
	assert_int_equal(fixture_put(fixture, 1, 100), 0);
	assert_int_equal(lane_out_push_run_end(&fixture->out, 1), 0);
	assert_int_equal(fixture_put(fixture, 2, 0), 0);
	fixture_commit_out(fixture);
	assert_int_equal(census_lane(fixture->data, LANE_SIZE, fixture->in.done, fixture->out.tail, &items), 0);
	assert_int_equal(items, 2);
	assert_int_equal(census_lane(fixture->data, LANE_SIZE, 64, 64, &items), 0);
	assert_int_equal(items, 0);
}

static void test_census_refuses_nonsense(void **state)
{
	struct fixture *fixture = *state;
	uint64_t items = 99, seed = 42;
	unsigned char *data = fixture->data;

	assert_int_equal(census_lane(data, LANE_SIZE, 64, 0, &items), REPAIR_E_CORRUPT);
	assert_int_equal(census_lane(data, LANE_SIZE, 0, LANE_SIZE + 8, &items), REPAIR_E_CORRUPT);
	assert_int_equal(census_lane(data, LANE_SIZE, 4, 68, &items), REPAIR_E_CORRUPT);
	assert_int_equal(census_lane(data, LANE_SIZE, 0, 64, &items), REPAIR_E_CORRUPT); /* kind 0 */
	assert_int_equal(census_lane(data, LANE_SIZE, 0, 24, &items), REPAIR_E_CORRUPT);
	for (unsigned image = 0; image < N_IMAGES; image++) {
		uint64_t done = next_random(&seed) & ~UINT64_C(7), used = next_random(&seed) % (LANE_SIZE + 64);

		for (size_t i = 0; i < LANE_SIZE / 8; i++) /* short records, so that some chains go far */
			((uint64_t *)data)[i] =
				image % 2 ? next_random(&seed) : (next_random(&seed) % 64) | UINT64_C(1) << 32;
		assert_in_range(census_lane(data, LANE_SIZE, done, done + used, &items), 0, REPAIR_E_CORRUPT);
		assert_true(items <= LANE_SIZE / sizeof(struct item_header) || items == 99);
	}
}

int main(void)
{
#define TEST(f_) cmocka_unit_test_setup_teardown(f_, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_suspect_is_the_item_in_hand),
		TEST(test_item_committed_by_the_repair_is_no_suspect),
		TEST(test_corrupt_record_touches_nothing),
		TEST(test_a_letter_is_taken_with_the_record),
		TEST(test_free_of_a_lane_with_a_hold),
		TEST(test_ordinals),
		TEST(test_a_tail_goes_back_by_no_more_than_the_lanes_hold),
		TEST(test_repair_survives_garbage),
		TEST(test_census_counts_data_only),
		TEST(test_census_refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
