/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a lane is counted from outside, also across its end, and whatever stands there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "broker/supervise/lane_look.h"
#include "common/flow/lane.h"

#define LANE_BYTES UINT64_C(65536)
#define RECORD_BYTES item_record_size(100)

struct rig {
	struct segment producer, consumer;
	int fds[2];
	struct lane_out lane;
	struct lane_place place;
};

static void begin(struct rig *rig)
{
	const uint64_t size = LANE_BYTES;
	struct segment_geometry geometries[2];
	uint64_t off_data;

	memset(rig, 0, sizeof(*rig));
	segment_plan(&geometries[0], 0, 0, 1, &size, &off_data);
	segment_plan(&geometries[1], 1, 1, 0, NULL, NULL);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(segment_create(&geometries[i], "look", &rig->fds[i]), 0);
	assert_int_equal(segment_attach(&rig->producer, rig->fds[0], &geometries[0], SEGMENT_WRITE), 0);
	assert_int_equal(segment_attach(&rig->consumer, rig->fds[1], &geometries[1], SEGMENT_WRITE), 0);
	rig->lane = (struct lane_out){ .writer = &rig->producer.writers[0],
				       .peer = &rig->consumer.readers[0],
				       .capacity_bytes = LANE_BYTES };
	assert_int_equal(lane_map(rig->fds[0], off_data, LANE_BYTES, SEGMENT_WRITE, false, &rig->lane.data), 0);
	lane_out_rewind(&rig->lane);
	rig->place = (struct lane_place){ .producer = &rig->producer,
					  .consumer = &rig->consumer,
					  .data_fd = rig->fds[0],
					  .off_data = off_data,
					  .capacity_bytes = LANE_BYTES };
}

static void end(struct rig *rig)
{
	lane_unmap(rig->lane.data, LANE_BYTES);
	segment_detach(&rig->producer);
	segment_detach(&rig->consumer);
	for (unsigned i = 0; i < 2; i++)
		close(rig->fds[i]);
}

static void commit(struct rig *rig)
{
	rig->lane.tail = rig->lane.built;
	store_relaxed(&rig->lane.writer->tail, rig->lane.built);
}

static void push(struct rig *rig, unsigned n, uint64_t accepted_ns)
{
	for (unsigned i = 0; i < n; i++) {
		struct item_header header = { .size_bytes = 100, .kind = ITEM_DATA, .accepted_ns = accepted_ns + i };
		void *payload;

		assert_int_equal(lane_out_reserve(&rig->lane, 100, &payload), 0);
		lane_out_push(&rig->lane, &header);
	}
	commit(rig);
}

static void take(struct rig *rig, unsigned n)
{
	struct lane_reader *reader = &rig->consumer.readers[0];

	store_relaxed(&reader->done, load_relaxed(&reader->done) + n * RECORD_BYTES);
	store_relaxed(&reader->free, load_relaxed(&reader->done));
}

static struct lane_state look(const struct rig *rig)
{
	struct lane_state state;

	lane_look(&rig->place, &state);
	return state;
}

static void test_items_are_counted(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	assert_int_equal(look(&rig).items + look(&rig).bytes + look(&rig).oldest_accepted_ns, 0);
	push(&rig, 3, 1000);
	assert_int_equal(lane_out_push_run_end(&rig.lane, 0), 0);
	commit(&rig);
	store_relaxed(&rig.producer.observed->lanes[0].blocked_ns, 77);
	assert_int_equal(look(&rig).items, 3);
	assert_int_equal(look(&rig).bytes, 3 * RECORD_BYTES + item_record_size(0));
	assert_int_equal(look(&rig).oldest_accepted_ns, 1000);
	assert_int_equal(look(&rig).blocked_ns, 77);
	take(&rig, 2);
	assert_int_equal(look(&rig).items, 1);
	assert_int_equal(look(&rig).oldest_accepted_ns, 1002);
	assert_int_equal(look(&rig).in_bytes, 3 * RECORD_BYTES + item_record_size(0));
	assert_int_equal(look(&rig).out_bytes, 2 * RECORD_BYTES);
	end(&rig);
}

/* 136 bytes each: 481 of them do not end where the ring does. */
static void test_a_ring_goes_round(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	push(&rig, 480, 0);
	take(&rig, 480);
	push(&rig, 20, 5000);
	assert_int_equal(look(&rig).items, 20);
	assert_int_equal(look(&rig).oldest_accepted_ns, 5000);
	end(&rig);
}

static void test_far_items_are_as_large_as_near_ones(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	push(&rig, 300, 9);
	assert_true(look(&rig).bytes > LANE_LOOK_BYTES);
	assert_in_range(look(&rig).items, 295, 305);
	assert_int_equal(look(&rig).oldest_accepted_ns, 9);
	end(&rig);
}

static void test_what_was_given_back_is_not_believed(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	push(&rig, 4, 9);
	store_relaxed(&rig.consumer.readers[0].free,
		      RECORD_BYTES); /* ahead of done: somebody may write where was copied */
	assert_int_equal(look(&rig).oldest_accepted_ns, 0);
	assert_int_equal(look(&rig).bytes, 4 * RECORD_BYTES);
	end(&rig);
}

static void test_what_makes_no_sense_harms_nobody(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	push(&rig, 4, 9);
	memset(rig.lane.data, 0xff, 64);
	assert_int_equal(look(&rig).items, 0);
	store_relaxed(&rig.lane.writer->tail, UINT64_MAX);
	assert_int_equal(look(&rig).bytes, LANE_BYTES);
	store_relaxed(&rig.consumer.readers[0].done, UINT64_MAX);
	store_relaxed(&rig.lane.writer->tail, 0);
	assert_int_equal(look(&rig).bytes, 0);
	rig.place.data_fd = -1;
	store_relaxed(&rig.consumer.readers[0].done, 0);
	store_relaxed(&rig.lane.writer->tail, RECORD_BYTES);
	assert_int_equal(look(&rig).items, 0);
	end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_are_counted),
		cmocka_unit_test(test_a_ring_goes_round),
		cmocka_unit_test(test_far_items_are_as_large_as_near_ones),
		cmocka_unit_test(test_what_was_given_back_is_not_believed),
		cmocka_unit_test(test_what_makes_no_sense_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
