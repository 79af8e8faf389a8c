/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/flow/repair.h"
#include "tests/unit/common/flow/fixture.h"

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

/* Items of changing sizes, several rounds through the ring, in bursts that end full, half full and empty. */
static void stream(struct fixture *fixture, uint64_t start, uint64_t n_items)
{
	uint64_t sent = 0, taken = 0, sequence;
	uint32_t size;

	fixture_start_at(fixture, start);
	while (taken < n_items) {
		uint64_t burst = 1 + sent % 37;

		while (sent < n_items && burst-- && !fixture_put(fixture, sent, (uint32_t)(sent * 7 % 200)))
			sent++;
		fixture_commit_out(fixture);
		for (burst = 1 + taken % 41; burst && !fixture_take(fixture, &sequence, &size); burst--) {
			assert_int_equal(sequence, taken);
			assert_int_equal(size, taken * 7 % 200);
			taken++;
		}
		fixture_commit_in(fixture);
	}
	assert_int_equal(sent, taken);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_EMPTY);
	assert_true(load_relaxed(&fixture->out.writer->tail) != start);
	assert_int_equal(load_relaxed(&fixture->out.writer->tail), load_relaxed(&fixture->in.reader->free));
}

static void test_wraps_around_from_any_position(void **state)
{
	static const uint64_t starts[] = {
		0,
		8,
		4088,
		UINT64_C(1) << 31,
		(UINT64_C(1) << 32) - 64,
		(UINT64_C(1) << 32) - 8,
		(UINT64_C(1) << 63) - 128,
		UINT64_MAX - 4095,
		UINT64_MAX - 7,
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		stream(*state, starts[i], 2000);
}

static void test_nothing_is_visible_before_the_commit(void **state)
{
	struct fixture *fixture = *state;
	uint64_t sequence;
	uint32_t size;

	assert_int_equal(fixture_put(fixture, 1, 10), 0);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_EMPTY);
	lane_out_rewind(&fixture->out); /* an unfinished turn is forgotten */
	assert_int_equal(fixture_put(fixture, 2, 20), 0);
	fixture_commit_out(fixture);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(sequence, 2);
	lane_in_rewind(&fixture->in); /* and an uncommitted take happens again */
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(sequence, 2);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_EMPTY);
}

static void test_full_frees_only_after_release(void **state)
{
	struct fixture *fixture = *state;
	uint64_t sequence, sent = 0;
	uint32_t size;

	while (!fixture_put(fixture, sent, 224))
		sent++;
	assert_int_equal(sent, LANE_SIZE / 256);
	assert_int_equal(lane_out_room(&fixture->out, true), 0);
	assert_int_equal(lane_out_load(&fixture->out), LANE_SIZE);
	fixture_commit_out(fixture);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(fixture_put(fixture, sent, 224), LANE_E_FULL);
	fixture_commit_in(fixture);
	assert_int_equal(lane_out_room(&fixture->out, false), 0);
	assert_int_equal(lane_out_room(&fixture->out, true), 256);
	assert_int_equal(lane_out_load(&fixture->out), LANE_SIZE - 256);
	assert_int_equal(fixture_put(fixture, sent, 225), LANE_E_FULL);
	assert_int_equal(fixture_put(fixture, sent, 224), 0);
	assert_int_equal(fixture_put(fixture, sent, 0), LANE_E_FULL);
}

static void test_cached_room_is_not_read_again(void **state)
{
	struct fixture *fixture = *state;

	/* nonsense in the peer's word goes unseen as long as the cached value has room */
	store_release(&fixture->in.reader->free, 12345);
	assert_int_equal(fixture_put(fixture, 0, 100), 0);
	assert_int_equal(lane_out_room(&fixture->out, true), 0);
}

static void test_sizes(void **state)
{
	struct fixture *fixture = *state;
	uint64_t maximum = lane_payload_max(LANE_SIZE), sequence;
	uint32_t size;

	assert_int_equal(fixture_put(fixture, 0, (uint32_t)maximum + 1), LANE_E_TOO_LARGE);
	assert_int_equal(fixture_put(fixture, 0, UINT32_MAX), LANE_E_TOO_LARGE);
	assert_int_equal(fixture_put(fixture, 1, (uint32_t)maximum), 0);
	assert_int_equal(fixture_put(fixture, 2, 0), 0);
	fixture_commit_out(fixture);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(size, maximum);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(size, 0);
}

static void test_push_may_be_smaller_than_reserved(void **state)
{
	struct fixture *fixture = *state;
	struct item_header header = { .size_bytes = 3, .kind = ITEM_DATA, .sequence = 9 };
	uint64_t sequence;
	uint32_t size;
	void *payload;

	assert_int_equal(lane_out_reserve(&fixture->out, 1000, &payload), 0);
	memset(payload, 9, 1000);
	lane_out_push(&fixture->out, &header);
	assert_int_equal(fixture->out.built - fixture->out.tail, 40);
	fixture_commit_out(fixture);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(size, 3);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_EMPTY);
}

static void test_run_end_has_its_reserve(void **state)
{
	struct fixture *fixture = *state;
	struct item_header header;
	const void *payload;
	unsigned n = 0, data = 0;

	fixture->out.reserve_bytes = sizeof(struct item_header);
	while (!fixture_put(fixture, n, 0))
		n++;
	assert_int_equal(n, LANE_SIZE / sizeof(struct item_header) - 1);
	assert_int_equal(lane_out_room(&fixture->out, true), 0);
	assert_int_equal(lane_out_push_run_end(&fixture->out, 42), 0);
	assert_int_equal(lane_out_push_run_end(&fixture->out, 43), LANE_E_FULL);
	fixture_commit_out(fixture);
	while (!lane_in_peek(&fixture->in, &header, &payload) && header.kind == ITEM_DATA) {
		lane_in_advance(&fixture->in, &header);
		data++;
	}
	assert_int_equal(data, n);
	assert_int_equal(header.kind, ITEM_RUN_END);
	assert_int_equal(header.ticket, 42);
	assert_int_equal(header.size_bytes, 0);
}

static void test_closed_only_after_the_last_item(void **state)
{
	struct fixture *fixture = *state;
	uint64_t sequence;
	uint32_t size;

	assert_int_equal(fixture_put(fixture, 5, 5), 0);
	fixture_commit_out(fixture);
	lane_out_close(&fixture->out);
	lane_out_close(&fixture->out);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_CLOSED);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_CLOSED);
	lane_in_rewind(&fixture->in); /* not committed: the item is still there */
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
}

static void expect_broken_in(struct fixture *fixture, uint64_t tail)
{
	uint64_t sequence;
	uint32_t size;

	store_release(&fixture->producer.writers[0].tail, tail);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_BROKEN);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_BROKEN);
}

static void test_nonsense_tail_breaks_the_lane(void **state)
{
	struct fixture *fixture = *state;
	uint64_t sequence;
	uint32_t size;

	fixture_start_at(fixture, 8000);
	expect_broken_in(fixture, 7992); /* backwards */
	expect_broken_in(fixture, 0);
	expect_broken_in(fixture, 8000 + LANE_SIZE + 8); /* more than fits */
	expect_broken_in(fixture, 8004);                 /* in the middle of a word */
	expect_broken_in(fixture, UINT64_MAX - 7);
	store_release(&fixture->producer.writers[0].tail, 8000);
	assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_EMPTY);
	/* behind what is taken but not behind what is done */
	assert_int_equal(fixture_put(fixture, 1, 8), 0);
	fixture_commit_out(fixture);
	assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
	expect_broken_in(fixture, 8000);
}

static void test_nonsense_record_breaks_the_lane(void **state)
{
	static const struct item_header bad[] = {
		{ .size_bytes = 65, .kind = ITEM_DATA }, /* runs over the tail */
		{ .size_bytes = UINT32_MAX, .kind = ITEM_DATA },
		{ .size_bytes = 64, .kind = 0 },
		{ .size_bytes = 64, .kind = 3 },
		{ .size_bytes = 64, .kind = ITEM_DATA, .flags = 1 }, /* no extension is so short */
		{ .size_bytes = 64, .kind = ITEM_DATA, .flags = ITEM_EXTENSION_WORDS_MIN - 1 },
		{ .size_bytes = 64, .kind = ITEM_DATA, .flags = 9 }, /* longer than all of it */
		{ .size_bytes = 64, .kind = ITEM_DATA, .flags = UINT16_MAX },
		{ .size_bytes = 24, .kind = ITEM_REFERENCE, .flags = 3 },
		{ .size_bytes = 64, .kind = ITEM_REFERENCE, .flags = 3 },
		{ .size_bytes = 0, .kind = ITEM_RUN_END, .flags = 3 },
		{ .size_bytes = 64, .kind = ITEM_RUN_END },
	};
	struct fixture *fixture = *state;
	uint64_t sequence;
	uint32_t size;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fixture_start_at(fixture, 4096 * i);
		assert_int_equal(fixture_put(fixture, 1, 64), 0);
		memcpy(fixture->data, &bad[i], sizeof(bad[i]));
		fixture_commit_out(fixture);
		assert_int_equal(fixture_take(fixture, &sequence, &size), LANE_E_BROKEN);
	}
	/* a tail that leaves no room for a header */
	fixture_start_at(fixture, 0);
	expect_broken_in(fixture, 24);
}

static void test_nonsense_free_breaks_the_lane(void **state)
{
	static const uint64_t bad[] = { 7999, 0, 8257, 1 << 20, UINT64_MAX };
	struct fixture *fixture = *state;
	void *payload;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t n = 0;

		fixture_start_at(fixture, 8000);
		assert_int_equal(fixture_put(fixture, 1, 224), 0);
		fixture_commit_out(fixture);
		while (!fixture_put(fixture, n, 224)) /* built, not committed: `free` may not pass the tail */
			n++;
		store_release(&fixture->in.reader->free, bad[i]);
		assert_int_equal(lane_out_reserve(&fixture->out, 8, &payload), LANE_E_BROKEN);
		assert_int_equal(lane_out_push_run_end(&fixture->out, 0), LANE_E_BROKEN);
		assert_int_equal(lane_out_room(&fixture->out, true), 0);
		store_release(&fixture->in.reader->free, 8256);
		assert_int_equal(lane_out_reserve(&fixture->out, 8, &payload), 0);
	}
}

static void test_attaching_to_nonsense_breaks_the_lane(void **state)
{
	static const uint64_t bad[] = { 0, 8264, 1 << 20, UINT64_MAX };
	struct fixture *fixture = *state;
	void *payload;

	fixture_start_at(fixture, 8000);
	assert_int_equal(fixture_put(fixture, 1, 224), 0);
	fixture_commit_out(fixture);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		store_release(&fixture->in.reader->free, bad[i]);
		store_release(&fixture->in.reader->done, bad[i]);
		lane_out_rewind(&fixture->out);
		assert_int_equal(lane_out_reserve(&fixture->out, 8, &payload), LANE_E_BROKEN);
		assert_int_equal(lane_out_room(&fixture->out, true), 0);
		assert_int_equal(lane_out_load(&fixture->out), LANE_SIZE);
	}
}

static void test_rewind_gives_the_room_of_a_dead_consumer_back(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fixture_put(fixture, 1, 224), 0);
	fixture_commit_out(fixture);
	store_release(&fixture->in.reader->done, 256); /* died between the commit and the release */
	lane_in_rewind(&fixture->in);
	assert_int_equal(load_relaxed(&fixture->in.reader->free), 256);
	assert_int_equal(lane_out_room(&fixture->out, true), LANE_SIZE);
}

/* Bytes that others refer to are not given back, at either end, wherever the other positions are. */
static void test_held_room_is_no_room(void **state)
{
	static const uint64_t starts[] = { 0, 8000, UINT32_MAX - 199, UINT64_MAX - 1023 };
	struct fixture *fixture = *state;
	uint64_t sequence;
	uint32_t size;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint64_t start = starts[i] & ~UINT64_C(7);

		fixture_start_at(fixture, start);
		for (uint64_t n = 0; n < 4; n++)
			assert_int_equal(fixture_put(fixture, n, 224), 0);
		fixture_commit_out(fixture);
		fixture->in.held = true;
		fixture->in.held_from = start + 256;
		for (uint64_t n = 0; n < 3; n++)
			assert_int_equal(fixture_take(fixture, &sequence, &size), 0);
		fixture_commit_in(fixture);
		assert_int_equal(load_relaxed(&fixture->in.reader->free), start + 256);
		assert_int_equal(lane_in_room(&fixture->in), LANE_SIZE - 768);
		fixture->in.held = false;
		assert_true(lane_in_release(&fixture->in));
		assert_false(lane_in_release(&fixture->in));
		assert_int_equal(lane_out_room(&fixture->out, false), LANE_SIZE - 1024);
		fixture->out.held = true;
		fixture->out.held_from = start + 512;
		assert_int_equal(lane_out_room(&fixture->out, true), LANE_SIZE - 512);
		fixture->out.held_from = start + 1024; /* ahead of what the consumer has freed */
		assert_int_equal(lane_out_room(&fixture->out, true), LANE_SIZE - 256);
		fixture->out.held_from = start + 1280; /* not even committed */
		assert_int_equal(fixture_put(fixture, 4, 224), 0);
		assert_int_equal(lane_out_room(&fixture->out, true), LANE_SIZE - 512);
		fixture->out.held = false;
	}
}

static void test_reference_has_the_size_of_one(void **state)
{
	struct fixture *fixture = *state;
	struct item_header header = { .kind = ITEM_REFERENCE, .size_bytes = sizeof(struct item_reference) };
	const void *payload;
	void *place;
	uint64_t items;

	assert_int_equal(lane_out_reserve(&fixture->out, header.size_bytes, &place), 0);
	memset(place, 0, header.size_bytes);
	lane_out_push(&fixture->out, &header);
	fixture_commit_out(fixture);
	assert_int_equal(lane_in_peek(&fixture->in, &header, &payload), 0);
	assert_int_equal(header.kind, ITEM_REFERENCE);
	assert_int_equal(census_lane(fixture->data, LANE_SIZE, 0, 56, &items), 0);
	assert_int_equal(items, 1);
	fixture->data[0] = 16;
	assert_int_equal(lane_in_peek(&fixture->in, &header, &payload), LANE_E_BROKEN);
	assert_int_equal(census_lane(fixture->data, LANE_SIZE, 0, 56, &items), REPAIR_E_CORRUPT);
}

static void test_extension_is_part_of_the_record(void **state)
{
	struct fixture *fixture = *state;
	struct item_header header = { .kind = ITEM_DATA, .flags = 4, .size_bytes = 4 * ITEM_WORD_BYTES + 5 };
	const void *payload;
	void *place;
	uint64_t items;

	assert_int_equal(lane_out_reserve(&fixture->out, header.size_bytes, &place), 0);
	memset(place, 7, header.size_bytes);
	lane_out_push(&fixture->out, &header);
	header = (struct item_header){ .kind = ITEM_REFERENCE,
				       .flags = 3,
				       .size_bytes = 3 * ITEM_WORD_BYTES + sizeof(struct item_reference) };
	assert_int_equal(lane_out_reserve(&fixture->out, header.size_bytes, &place), 0);
	lane_out_push(&fixture->out, &header);
	fixture_commit_out(fixture);
	assert_int_equal(lane_in_peek(&fixture->in, &header, &payload), 0);
	assert_int_equal(item_extension_size(&header), 32);
	assert_memory_equal((const char *)payload + item_extension_size(&header), "\7\7\7\7\7", 5);
	lane_in_advance(&fixture->in, &header);
	assert_int_equal(lane_in_peek(&fixture->in, &header, &payload), 0);
	assert_int_equal(header.kind, ITEM_REFERENCE);
	assert_int_equal(census_lane(fixture->data, LANE_SIZE, 0, fixture->out.tail, &items), 0);
	assert_int_equal(items, 2);
}

int main(void)
{
#define TEST(f_) cmocka_unit_test_setup_teardown(f_, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_wraps_around_from_any_position),
		TEST(test_nothing_is_visible_before_the_commit),
		TEST(test_full_frees_only_after_release),
		TEST(test_cached_room_is_not_read_again),
		TEST(test_sizes),
		TEST(test_push_may_be_smaller_than_reserved),
		TEST(test_run_end_has_its_reserve),
		TEST(test_closed_only_after_the_last_item),
		TEST(test_nonsense_tail_breaks_the_lane),
		TEST(test_nonsense_record_breaks_the_lane),
		TEST(test_extension_is_part_of_the_record),
		TEST(test_nonsense_free_breaks_the_lane),
		TEST(test_attaching_to_nonsense_breaks_the_lane),
		TEST(test_held_room_is_no_room),
		TEST(test_reference_has_the_size_of_one),
		TEST(test_rewind_gives_the_room_of_a_dead_consumer_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
