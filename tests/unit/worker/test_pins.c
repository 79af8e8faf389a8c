/* SPDX-License-Identifier: Apache-2.0 */
/* References held and let go: along a chain, over several outputs, through deaths, beyond what can be held, and told by nonsense. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include <errno.h>

#include "common/flow/reference.h"
#include "hops.h"
#include "worker/channel_priv.h"
#include "worker/input.h"
#include "worker/origins.h"
#include "worker/output.h"
#include "worker/pins.h"
#include "worker/sharing.h"
#include "worker/take.h"
#include "worker/turn.h"

#define SIZE 8192u
#define RECORD (SIZE + sizeof(struct item_header))
#define REFERENCE_RECORD (sizeof(struct item_reference) + sizeof(struct item_header))

static const uint32_t chain[][2] = { { 0, 1 }, { 1, 2 }, { 2, 3 } };
static const uint32_t fan[][2] = { { 0, 1 }, { 0, 2 }, { 0, 3 } };
static const uint32_t diamond[][2] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 2, 3 } };

static void test_chain_copies_nothing_and_holds_the_room(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, SIZE);
	hops_must_pass(&hops, 1, 1);
	assert_true(hops_pushed_reference(&hops, 1, 0));
	hops_must_pass(&hops, 2, 1);
	assert_true(hops_pushed_reference(&hops, 2, 0));
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE - RECORD);
	assert_int_equal(hops_free(&hops, 1), 0);
	assert_int_equal(hops_free(&hops, 2), 0);
	assert_true(pins_in_inputs(&hops.workers[1]));
	hops_must_take(&hops, 3, 1);
	/* hop by hop, each from the next one's `free` */
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), 0);
	turn_release(&hops.workers[2]);
	assert_int_equal(hops_free(&hops, 2), REFERENCE_RECORD);
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), RECORD);
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE);
	assert_false(pins_any(&hops.workers[1]));
	hops_deinit(&hops);
}

static void test_small_items_are_copied(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, 4095);
	hops_must_pass(&hops, 1, 1);
	assert_int_equal(hops_free(&hops, 1), item_record_size(4095));
	assert_false(pins_any(&hops.workers[1]));
	hops_must_put(&hops, 2, 4096);
	hops_must_pass(&hops, 1, 2);
	assert_true(pins_any(&hops.workers[1]));
	hops_deinit(&hops);
}

static void test_what_lies_before_a_held_item_is_freed(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, 100);
	hops_must_put(&hops, 2, SIZE);
	hops_must_put(&hops, 3, 100);
	hops_must_pass(&hops, 1, 1);
	hops_must_pass(&hops, 1, 2);
	hops_must_pass(&hops, 1, 3);
	assert_int_equal(hops_free(&hops, 1), item_record_size(100));
	hops_must_pass(&hops, 2, 1);
	hops_must_pass(&hops, 2, 2);
	hops_must_take(&hops, 3, 1);
	hops_must_take(&hops, 3, 2);
	turn_release(&hops.workers[2]);
	turn_release(&hops.workers[1]);
	/* the third is a copy further down: nothing of the lane is needed any more */
	assert_int_equal(hops_free(&hops, 1), 2 * item_record_size(100) + RECORD);
	hops_deinit(&hops);
}

static void test_dropped_item_holds_nothing(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, SIZE);
	hops_must_put(&hops, 2, SIZE);
	hops_must_pass(&hops, 1, 1);
	{
		struct worker *worker = &hops.workers[1];
		struct weir_item item = { .size_bytes = SIZE };
		struct input input;

		assert_int_equal(input_next(worker, &input), 0);
		item.data = input.payload;
		hops_note(&hops, 1, &input);
		worker->phase = PHASE_PROCESS;
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(sharing_forward(worker, 0, &item), 0);
		output_item_drop(worker);
		input_take(worker, &input);
		hops_commit(&hops, 1);
	}
	hops_must_take(&hops, 2, 1);
	assert_int_equal(hops_take(&hops, 2), -1);
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), 2 * RECORD);
	assert_false(pins_any(&hops.workers[1]));
	hops_deinit(&hops);
}

static void test_next_generation_holds_what_was_emitted(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, SIZE);
	hops_must_pass(&hops, 1, 1);
	hops_must_put(&hops, 2, SIZE);
	hops_must_pass(&hops, 1, 2);
	hops_must_put(&hops, 3, SIZE);
	assert_int_equal(hops_pass(&hops, 1), 3); /* not committed */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(hops_replace(&hops, 1), 0);
		assert_int_equal(hops_free(&hops, 1), 0);
	}
	hops_must_take(&hops, 2, 1);
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), 0); /* the barrier stands at the end */
	hops_must_pass(&hops, 1, 3);
	hops_must_take(&hops, 2, 2);
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), 2 * RECORD);
	hops_must_take(&hops, 2, 3);
	assert_int_equal(hops_replace(&hops, 1), 0);
	assert_int_equal(hops_free(&hops, 1), 3 * RECORD);
	hops_deinit(&hops);
}

static void test_consumer_dies_with_the_item_in_hand(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 7, SIZE);
	hops_must_pass(&hops, 1, 7);
	assert_int_equal(hops_pass(&hops, 2), 7);
	assert_int_equal(hops_replace(&hops, 2), 0);
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), 0);
	hops_must_pass(&hops, 2, 7);
	assert_int_equal(hops_replace(&hops, 2), 0);
	assert_int_equal(hops_replace(&hops, 1), 0);
	assert_int_equal(hops_replace(&hops, 0), 0);
	hops_must_take(&hops, 3, 7);
	hops_deinit(&hops);
}

static void test_several_outputs_share_one_payload(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, fan, 3);
	hops_must_put(&hops, 1, SIZE);
	assert_true(hops_pushed_reference(&hops, 0, 1));
	assert_true(hops_pushed_reference(&hops, 0, 2));
	hops_must_take(&hops, 1, 1);
	hops_must_take(&hops, 2, 1);
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE - RECORD); /* 3 has not read it */
	hops_must_take(&hops, 3, 1);
	turn_release(&hops.workers[0]);
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE);
	assert_false(pins_any(&hops.workers[0]));
	hops_deinit(&hops);
}

static void test_who_only_tries_lets_go_too(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, fan, 3);
	hops_must_put(&hops, 1, SIZE);
	for (uint32_t slot = 1; slot <= 3; slot++)
		hops_must_take(&hops, slot, 1);
	assert_int_equal(channel_pause(&hops.workers[0], true), 0);
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE);
	hops_deinit(&hops);
}

/* full: drop-old before a stage that forwards: what its reader has copied out of the lane is the producer's to overwrite. */
static void test_room_behind_an_item_in_the_hold_is_not_taken_back(void **state)
{
	static uint64_t hold[(sizeof(struct hold_record) + SIZE) / sizeof(uint64_t)];
	struct text why = { 0 };
	struct item_header header;
	const void *payload;
	struct input_lane *lane;
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, SIZE);
	lane = &hops.workers[1].inputs[0].lanes[0];
	lane->hold.record = (struct hold_record *)(void *)hold;
	assert_int_equal(hold_attach(&lane->hold, &lane->lane), 0);
	assert_int_equal(hold_peek(&lane->hold, &lane->lane, &header, &payload), 0);
	assert_int_equal(hops_free(&hops, 1), RECORD);
	pins_detach(&hops.workers[1]); /* killed with it in hand: the next generation */
	assert_int_equal(hold_attach(&lane->hold, &lane->lane), 0);
	assert_int_equal(pins_attach(&hops.workers[1], &why), 0);
	assert_int_equal(hops_free(&hops, 1), RECORD);
	lane->hold.record = NULL;
	text_deinit(&why);
	hops_deinit(&hops);
}

static void test_shared_room_outlives_its_writer(void **state)
{
	struct hops hops;

	(void)state;
	hops_init(&hops, fan, 3);
	for (unsigned i = 1; i <= 4; i++)
		hops_must_put(&hops, i, SIZE);
	for (unsigned i = 1; i <= 4; i++)
		hops_must_take(&hops, 1, (int)i); /* frees the lane that the payloads lie in */
	hops_must_take(&hops, 2, 1);
	hops_must_take(&hops, 2, 2);
	hops_must_take(&hops, 3, 1);
	assert_int_equal(hops_replace(&hops, 0), 0);
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE - 3 * RECORD); /* 3 still has 2, 3 and 4 before it */
	for (unsigned i = 5; i <= 7; i++)
		hops_must_put(&hops, i, SIZE);
	assert_int_equal(hops_put(&hops, 0, 8, 2 * SIZE), OUTPUT_E_FULL);
	for (unsigned i = 2; i <= 7; i++)
		hops_must_take(&hops, 3, (int)i);
	for (unsigned i = 3; i <= 7; i++)
		hops_must_take(&hops, 2, (int)i);
	for (unsigned i = 5; i <= 7; i++)
		hops_must_take(&hops, 1, (int)i);
	turn_release(&hops.workers[0]);
	assert_int_equal(hops_room(&hops, 0, 0), HOPS_LANE_SIZE);
	hops_deinit(&hops);
}

static void test_diamond(void **state)
{
	struct hops hops;
	int got[2] = { 0, 0 };

	(void)state;
	hops_init(&hops, diamond, 4);
	for (unsigned round = 0; round < 200; round++) {
		hops_must_put(&hops, round % 250, SIZE);
		hops_must_pass(&hops, 1, (int)(round % 250));
		hops_must_pass(&hops, 2, (int)(round % 250));
		for (unsigned i = 0; i < 2; i++) {
			int number = hops_take(&hops, 3);

			assert_int_equal(number, round % 250);
			got[i]++;
		}
		hops_commit(&hops, 3);
		if (round % 7 == 3)
			assert_int_equal(hops_replace(&hops, round % 4), 0);
		for (uint32_t i = 2; i <= 2; i--)
			turn_release(&hops.workers[i]);
	}
	assert_int_equal(got[0] + got[1], 400);
	hops_deinit(&hops);
}

/* More references than places: the rest are copies, and all of them are right. */
static void test_no_place_left_means_a_copy(void **state)
{
	struct worker *worker;
	struct weir_item item = { .size_bytes = SIZE };
	unsigned n = 0, copies = 0;
	struct input input;
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 9, SIZE);
	worker = &hops.workers[1];
	assert_int_equal(input_next(worker, &input), 0);
	item.data = input.payload;
	hops_note(&hops, 1, &input);
	worker->phase = PHASE_PROCESS;
	while (sharing_forward(worker, 0, &item) == 0) {
		n++;
		copies += !hops_pushed_reference(&hops, 1, 0);
	}
	worker->phase = PHASE_NONE;
	output_item_end(worker);
	input_take(worker, &input);
	hops_commit(&hops, 1);
	assert_int_equal(n, 1024);
	assert_int_equal(copies, 1); /* after 1,023 references; for another the lane has no room */
	assert_int_equal(worker->need_bytes, REFERENCE_RECORD);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(hops_take(&hops, 2), 9);
	hops_commit(&hops, 2);
	turn_release(worker);
	assert_false(pins_any(worker));
	assert_int_equal(hops_free(&hops, 1), RECORD);
	hops_deinit(&hops);
}

static int forward_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_forward(context, 0, item);
}

/* A turn that goes over the end of a lane sees what lies behind it at other addresses than a look from its begin does. */
static void test_items_on_both_sides_of_the_end_of_a_lane(void **state)
{
	const uint64_t record = item_record_size(REFERENCE_SIZE_MIN);
	const struct lane_in *taken, *passed_on;
	unsigned n_around = 0;
	struct worker *worker;
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 2);
	worker = &hops.workers[1];
	worker->stage.process = forward_process;
	worker->order_seen = BOARD_RUN;
	taken = &worker->inputs[0].lanes[0].lane;
	passed_on = &hops.workers[2].inputs[0].lanes[0].lane;
	for (unsigned turn = 0; turn < 200; turn++) {
		uint64_t end = taken->next | (HOPS_LANE_SIZE - 1);
		uint32_t n = 0;
		bool odd;

		hops_must_put(&hops, turn, REFERENCE_SIZE_MIN);
		hops_must_put(&hops, turn, REFERENCE_SIZE_MIN);
		assert_int_equal(take_plain(worker, 8, &n, &odd), 0);
		assert_int_equal(n, 2);
		hops_commit(&hops, 1);
		n_around += taken->next - record > end;
		hops_must_take(&hops, 2, (int)turn);
		hops_must_take(&hops, 2, (int)turn);
		assert_int_equal(passed_on->next, 2 * (turn + 1) * REFERENCE_RECORD); /* no copy among them */
		turn_release(worker);
		assert_int_equal(hops_free(&hops, 1), 2 * (turn + 1) * record);
	}
	assert_true(n_around > 4);
	hops_deinit(&hops);
}

/* Only what lies where the note says, and is what it says, is passed on; bytes from elsewhere are copied. */
static void test_another_item_is_copied(void **state)
{
	static const unsigned char other[SIZE];
	struct weir_item item = { .data = other, .size_bytes = SIZE };
	struct worker *worker;
	struct input input;
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, SIZE);
	worker = &hops.workers[1];
	assert_int_equal(input_next(worker, &input), 0);
	assert_int_equal(sharing_forward(worker, 0, &item), 0); /* nothing is in hand */
	assert_false(pins_any(worker));
	hops_note(&hops, 1, &input);
	assert_int_equal(sharing_forward(worker, 0, &item), 0);
	assert_false(pins_any(worker));
	item = (struct weir_item){ .data = input.payload, .size_bytes = SIZE / 2 };
	assert_int_equal(sharing_forward(worker, 0, &item), 0); /* only its beginning */
	assert_false(pins_any(worker));
	item.size_bytes = SIZE;
	assert_int_equal(sharing_forward(worker, 0, &item), 0);
	assert_true(pins_any(worker));
	store_relaxed(&worker->segment.hand->position, UINT64_C(1) << 40);
	assert_int_equal(sharing_forward(worker, 0, &item), 0);
	assert_false(hops_pushed_reference(&hops, 1, 0));
	hops_deinit(&hops);
}

static void test_nonsense_is_a_broken_lane(void **state)
{
	static const struct item_reference good = { .slot = 0, .writer = 0, .position = 32, .size_bytes = SIZE };
	const struct item_reference bad[] = {
		{ 1, 0, 32, SIZE },       { 3, 0, 32, SIZE },
		{ 4, 0, 32, SIZE },       { UINT32_MAX, 0, 32, SIZE },
		{ 0, 1, 32, SIZE },       { 0, UINT32_MAX, 32, SIZE },
		{ 0, 0, 33, SIZE },       { 0, 0, 32, HOPS_LANE_SIZE / 2 + 1 },
		{ 0, 0, 32, UINT64_MAX },
	};
	uint64_t seed = 88172645463325252;
	const void *data;
	size_t size;
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 1); /* 1 has 0 for its only origin */
	assert_int_equal(origins_resolve(&hops.workers[1], &good, &data, &size), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(origins_resolve(&hops.workers[1], &bad[i], &data, &size), LANE_E_BROKEN);
	for (unsigned i = 0; i < 100000; i++) {
		struct item_reference any;

		for (size_t j = 0; j < sizeof(any); j++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			((unsigned char *)&any)[j] = (unsigned char)seed;
		}
		any.slot &= 1;
		any.writer &= 1;
		any.size_bytes &= HOPS_LANE_SIZE - 1;
		if (origins_resolve(&hops.workers[1], &any, &data, &size) == 0)
			assert_int_equal(((const unsigned char *)data)[0] | ((const unsigned char *)data)[size], 0);
	}
	hops_deinit(&hops);
}

/* The own lanes were scribbled over before the death: an answer, and nothing is given away that is held. */
static void test_scribbled_lanes_are_refused(void **state)
{
	struct hops hops;
	struct lane_out *lane;

	(void)state;
	hops_init(&hops, chain, 3);
	hops_must_put(&hops, 1, SIZE);
	hops_must_pass(&hops, 1, 1);
	lane = &hops.workers[1].outputs[0].lanes[0].lane;
	lane->data[4] = 77; /* kind */
	assert_int_equal(hops_replace(&hops, 1), -EBADMSG);
	assert_int_equal(hops_free(&hops, 1), 0);
	hops_deinit(&hops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_copies_nothing_and_holds_the_room),
		cmocka_unit_test(test_small_items_are_copied),
		cmocka_unit_test(test_what_lies_before_a_held_item_is_freed),
		cmocka_unit_test(test_dropped_item_holds_nothing),
		cmocka_unit_test(test_next_generation_holds_what_was_emitted),
		cmocka_unit_test(test_consumer_dies_with_the_item_in_hand),
		cmocka_unit_test(test_several_outputs_share_one_payload),
		cmocka_unit_test(test_who_only_tries_lets_go_too),
		cmocka_unit_test(test_room_behind_an_item_in_the_hold_is_not_taken_back),
		cmocka_unit_test(test_shared_room_outlives_its_writer),
		cmocka_unit_test(test_diamond),
		cmocka_unit_test(test_no_place_left_means_a_copy),
		cmocka_unit_test(test_items_on_both_sides_of_the_end_of_a_lane),
		cmocka_unit_test(test_another_item_is_copied),
		cmocka_unit_test(test_nonsense_is_a_broken_lane),
		cmocka_unit_test(test_scribbled_lanes_are_refused),
	};

	return cmocka_run_group_tests_name("worker/pins", tests, NULL, NULL);
}
