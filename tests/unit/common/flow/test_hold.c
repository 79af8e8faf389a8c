/* SPDX-License-Identifier: Apache-2.0 */
/* full: drop-old at both ends of one lane: what is given up, what is kept for the next generation, and nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/flow/hold.h"

#define CAPACITY 1024u
#define PAYLOAD 96u /* 128 bytes with its header: eight fill the lane */

struct ends {
	struct lane_writer writer;
	struct lane_reader reader;
	_Alignas(64) unsigned char data[2 * CAPACITY]; /* the second half mirrors the first after each build */
	_Alignas(64) unsigned char hold_bytes[CAPACITY];
	struct lane_out out;
	struct lane_in in;
	struct hold hold;
	uint64_t ordinal;
};

static void sit_down(struct ends *ends)
{
	ends->out = (struct lane_out){
		.writer = &ends->writer, .peer = &ends->reader, .data = ends->data, .capacity_bytes = CAPACITY
	};
	ends->in = (struct lane_in){
		.reader = &ends->reader, .peer = &ends->writer, .data = ends->data, .capacity_bytes = CAPACITY
	};
	ends->hold = (struct hold){ .record = (struct hold_record *)(void *)ends->hold_bytes };
	lane_out_rewind_dropping(&ends->out);
	ends->ordinal = load_relaxed(&ends->writer.tail_ordinal);
}

/* Positions and ordinals begin shortly before they wrap. */
static struct ends *make(void)
{
	struct ends *ends = aligned_alloc(64, sizeof(*ends));
	uint64_t start = UINT64_MAX - 255;

	assert_non_null(ends);
	memset(ends, 0, sizeof(*ends));
	store_relaxed(&ends->writer.tail, start);
	store_relaxed(&ends->writer.low, start);
	store_relaxed(&ends->reader.done, start);
	store_relaxed(&ends->reader.free, start);
	sit_down(ends);
	assert_int_equal(hold_attach(&ends->hold, &ends->in), 0);
	return ends;
}

/* Builds one record; its payload tells its ordinal. */
static int build(struct ends *ends)
{
	struct item_header header = { .size_bytes = PAYLOAD, .kind = ITEM_DATA, .ticket = ends->ordinal };
	void *payload;
	int r = lane_out_reserve_beside(&ends->out, PAYLOAD, &payload);

	if (r != 0)
		return r;
	memset(payload, 'a' + (int)(ends->ordinal % 26), PAYLOAD);
	lane_out_push(&ends->out, &header);
	ends->ordinal++;
	memcpy(ends->data + CAPACITY, ends->data, CAPACITY);
	return 0;
}

static void commit_out(struct ends *ends)
{
	ends->out.tail = ends->out.built;
	store_release(&ends->writer.tail_ordinal, ends->ordinal);
	store_release(&ends->writer.tail, ends->out.built);
}

/* Takes and commits one record: its ordinal, and how many were dropped before it. */
static int take(struct ends *ends, uint64_t *ret_dropped)
{
	struct item_header header;
	const void *payload;
	int r = hold_peek(&ends->hold, &ends->in, &header, &payload);
	char expected[PAYLOAD];

	if (r != 0)
		return -r;
	memset(expected, 'a' + (int)(header.ticket % 26), PAYLOAD);
	assert_memory_equal(payload, expected, PAYLOAD);
	*ret_dropped = hold_advance(&ends->hold, &ends->in);
	assert_int_equal(hold_peek(&ends->hold, &ends->in, &header, &payload), LANE_E_EMPTY); /* commit first */
	store_release(&ends->reader.done, ends->in.next);
	store_release(&ends->reader.done_ordinal, ends->hold.next_ordinal);
	ends->in.done = ends->in.next;
	hold_settle(&ends->hold);
	return (int)header.ticket;
}

static void fill_lane(struct ends *ends)
{
	while (build(ends) == 0)
		;
	commit_out(ends);
}

static void test_nothing_is_dropped_while_there_is_room(void **state)
{
	struct ends *ends = make();
	uint64_t dropped;

	(void)state;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(build(ends), 0);
		commit_out(ends);
		assert_int_equal(take(ends, &dropped), i);
		assert_int_equal(dropped, 0);
		assert_int_equal(take(ends, &dropped), -LANE_E_EMPTY);
	}
	free(ends);
}

static void test_the_oldest_go(void **state)
{
	struct ends *ends = make();
	uint64_t dropped;

	(void)state;
	fill_lane(ends);
	assert_int_equal(ends->ordinal, 8);
	assert_int_equal(build(ends), LANE_E_FULL);
	assert_int_equal(lane_out_drop(&ends->out, PAYLOAD), 0); /* one, and an eighth of the lane beside */
	assert_int_equal(build(ends), 0);
	assert_int_equal(build(ends), 0);
	assert_int_equal(build(ends), LANE_E_FULL);
	commit_out(ends);
	assert_int_equal(take(ends, &dropped), 2);
	assert_int_equal(dropped, 2);
	for (int i = 3; i < 10; i++) {
		assert_int_equal(take(ends, &dropped), i);
		assert_int_equal(dropped, 0);
	}
	assert_int_equal(take(ends, &dropped), -LANE_E_EMPTY);
	free(ends);
}

/* Only what is committed may go: the rest is not there yet. */
static void test_what_is_not_committed_stays(void **state)
{
	struct ends *ends = make();

	(void)state;
	while (build(ends) == 0)
		;
	assert_int_equal(lane_out_drop(&ends->out, PAYLOAD), LANE_E_FULL);
	commit_out(ends);
	assert_int_equal(lane_out_drop(&ends->out, PAYLOAD), 0);
	free(ends);
}

/* The item in work has left the lane: the producer laps it as often as it likes, and the next generation finds it. */
static void test_the_hold_outlives_its_worker(void **state)
{
	struct ends *ends = make();
	struct item_header header;
	const void *payload;
	uint64_t dropped;

	(void)state;
	fill_lane(ends);
	assert_int_equal(hold_peek(&ends->hold, &ends->in, &header, &payload), 0);
	assert_int_equal(header.ticket, 0);
	for (int i = 0; i < 30; i++) {
		if (build(ends) == LANE_E_FULL) {
			commit_out(ends);
			assert_int_equal(lane_out_drop(&ends->out, PAYLOAD), 0);
			assert_int_equal(build(ends), 0);
		}
	}
	commit_out(ends);
	sit_down(ends); /* both */
	assert_int_equal(hold_attach(&ends->hold, &ends->in), 0);
	assert_int_equal(take(ends, &dropped), 0);
	assert_true(take(ends, &dropped) >= (int)ends->ordinal - 8);
	assert_true(dropped >= ends->ordinal - 8 - 1);
	free(ends);
}

/* The last ones were given up for what never came: counted at the end of the lane. */
static void test_a_gap_at_the_end(void **state)
{
	struct ends *ends = make();
	uint64_t dropped;

	(void)state;
	fill_lane(ends);
	store_release(&ends->writer.low, ends->out.tail);
	assert_int_equal(take(ends, &dropped), -LANE_E_EMPTY);
	lane_out_close(&ends->out);
	assert_int_equal(take(ends, &dropped), -LANE_E_CLOSED);
	assert_int_equal(hold_end(&ends->hold, &ends->in), 8);
	assert_int_equal(take(ends, &dropped), -LANE_E_EMPTY);
	store_release(&ends->reader.done, ends->in.next);
	ends->in.done = ends->in.next;
	lane_in_release(&ends->in);
	hold_settle(&ends->hold);
	assert_int_equal(take(ends, &dropped), -LANE_E_CLOSED);
	assert_int_equal(hold_end(&ends->hold, &ends->in), 0);
	free(ends);
}

/* The producer was given up: no clean end, and what it overwrote last still counts first. */
static void test_a_lost_producer_is_no_clean_end(void **state)
{
	struct ends *ends = make();
	uint64_t dropped;

	(void)state;
	store_release(&ends->writer.closed, LANE_CLOSED_LOST);
	assert_int_equal(take(ends, &dropped), -LANE_E_LOST);
	assert_int_equal(hold_end(&ends->hold, &ends->in), 0);
	free(ends);
}

static void test_nonsense(void **state)
{
	struct ends *ends = make();
	uint64_t dropped;

	(void)state;
	fill_lane(ends);
	store_relaxed(&ends->writer.tail, ends->out.tail + 8 * CAPACITY);
	assert_int_equal(take(ends, &dropped), -LANE_E_BROKEN);
	store_relaxed(&ends->writer.tail, ends->out.tail + 4);
	assert_int_equal(take(ends, &dropped), -LANE_E_BROKEN);
	store_relaxed(&ends->writer.tail, ends->out.tail);
	store_relaxed(&ends->writer.low, ends->out.tail + 8);
	assert_int_equal(take(ends, &dropped), -LANE_E_BROKEN);
	store_relaxed(&ends->writer.low, ends->out.tail - CAPACITY);
	memset(ends->data, 0xff, sizeof(ends->data));
	assert_int_equal(take(ends, &dropped), -LANE_E_BROKEN);
	/* a hold that does not fit the positions */
	store_relaxed(&ends->reader.free, load_relaxed(&ends->reader.done) + 128);
	assert_int_equal(hold_attach(&ends->hold, &ends->in), LANE_E_BROKEN);
	free(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_dropped_while_there_is_room),
		cmocka_unit_test(test_the_oldest_go),
		cmocka_unit_test(test_what_is_not_committed_stays),
		cmocka_unit_test(test_the_hold_outlives_its_worker),
		cmocka_unit_test(test_a_gap_at_the_end),
		cmocka_unit_test(test_a_lost_producer_is_no_clean_end),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
