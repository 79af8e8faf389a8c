/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dead worker's memory may hold anything: whatever its stage wrote there, by mistake or on purpose. Random images, valid ones with
 * bits flipped, numbers from the edges, and well-formed nonsense go through everything that the supervisor and the peers do with such
 * memory. All of it lies in buffers of the exact size, so that AddressSanitizer sees each byte beyond them; every loop is bounded.
 *
 * WEIR_NIGHTLY: a million images.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/flow/commit.h"
#include "common/flow/repair.h"
#include "tests/unit/common/flow/fixture.h"
#include "tests/unit/common/flow/operation.h"

#define N_LANES 2u
#define N_IMAGES 300000u
#define N_IMAGES_NIGHTLY 1000000u
#define RECORDS_MAX (LANE_SIZE / sizeof(struct item_header))

/* One slot on plain memory: 2 input lanes, 2 output lanes. */
struct slot {
	struct segment segment;
	unsigned char *data[N_LANES]; /* of its output lanes; both halves, which are kept equal */
	uint64_t *good;               /* its control pages, as a worker leaves them */
	unsigned char *good_data;     /* a lane full of records */
};

static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
static unsigned n_repaired, n_quarantined, n_broken, n_taken;

/* xorshift: the same images in every run */
static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static size_t words_size(const struct slot *slot)
{
	return slot->segment.geometry.control_size_bytes - SEGMENT_PAGE_SIZE;
}

static uint64_t *words_of(const struct slot *slot)
{
	return (uint64_t *)(void *)(slot->segment.base + SEGMENT_PAGE_SIZE);
}

/* Maps a real segment and moves it into a buffer. */
static void slot_init(struct slot *slot)
{
	static const uint64_t sizes[N_LANES] = { LANE_SIZE, LANE_SIZE };
	struct segment_geometry geometry;
	struct segment mapped;
	unsigned char *base;
	uint64_t offsets[N_LANES];
	int fd;

	segment_plan(&geometry, 0, N_LANES, N_LANES, sizes, offsets);
	assert_int_equal(segment_create(&geometry, "weir-garbage", &fd), 0);
	assert_int_equal(segment_attach(&mapped, fd, &geometry, SEGMENT_WRITE), 0);
	close(fd);
	base = aligned_alloc(CACHE_LINE_SIZE, geometry.control_size_bytes);
	assert_non_null(base);
	memcpy(base, mapped.base, geometry.control_size_bytes);
	slot->segment = mapped;
	slot->segment.base = base;
#define MOVE(field_) slot->segment.field_ = (void *)(base + ((unsigned char *)mapped.field_ - mapped.base))
	MOVE(armed);
	MOVE(status);
	MOVE(hand);
	MOVE(cursor_switch);
	MOVE(counters);
	MOVE(cursors);
	MOVE(readers);
	MOVE(writers);
	MOVE(record);
#undef MOVE
	for (unsigned i = 0; i < N_LANES; i++)
		slot->data[i] = calloc(2, LANE_SIZE);
	segment_detach(&mapped);
	slot->good = malloc(words_size(slot));
	slot->good_data = calloc(2, LANE_SIZE);
}

static void slot_deinit(struct slot *slot)
{
	free(slot->segment.base);
	for (unsigned i = 0; i < N_LANES; i++)
		free(slot->data[i]);
	free(slot->good);
	free(slot->good_data);
}

/* A worker that dies between COMMITTED and IDLE, with full lanes behind and before it. */
static void make_good(struct slot *slot)
{
	struct segment *segment = &slot->segment;
	uint64_t position = 0, sequence = 0;

	while (position < LANE_SIZE) { /* round and round: a loop with no bound of its own would never come to an end */
		uint64_t left = LANE_SIZE - position;
		struct item_header header = { .size_bytes = (uint32_t)(left >= 256 ? sequence % 9 * 8 :
										     left - sizeof(header)),
					      .kind = ITEM_DATA,
					      .sequence = sequence };

		memcpy(slot->good_data + position, &header, sizeof(header));
		position += item_record_size(header.size_bytes);
		sequence++;
	}
	memcpy(slot->good_data + LANE_SIZE, slot->good_data, LANE_SIZE);
	for (unsigned i = 0; i < N_LANES; i++) {
		store_relaxed(&segment->writers[i].tail, position);
		store_relaxed(&segment->readers[i].done, 128);
		store_relaxed(&segment->readers[i].free, 64);
		segment->record->operations[i] = operation_of(segment, COMMIT_TAIL, WORD_TAIL, i, position);
		segment->record->operations[N_LANES + 1 + i] = operation_of(segment, COMMIT_DONE, WORD_DONE, i, 256);
	}
	segment->record->operations[N_LANES] = operation_of(segment, COMMIT_CURSOR, WORD_FLIPS, 0, 1);
	store_relaxed(&segment->record->state, 2 * N_LANES + 1);
	store_relaxed(&segment->hand->busy, 1);
	store_relaxed(&segment->hand->position, 256);
	memcpy(slot->good, words_of(slot), words_size(slot));
}

static uint64_t edge_number(void)
{
	static const uint64_t edges[] = { 0,
					  1,
					  2,
					  3,
					  5,
					  8,
					  LANE_SIZE,
					  LANE_SIZE - 8,
					  LANE_SIZE + 8,
					  UINT64_C(1) << 31,
					  (UINT64_C(1) << 31) - 8,
					  UINT32_MAX,
					  UINT64_C(1) << 32,
					  UINT64_C(1) << 63,
					  (UINT64_C(1) << 63) - 8,
					  UINT64_MAX,
					  UINT64_MAX - 7 };

	return edges[next_random() % (sizeof(edges) / sizeof(edges[0]))];
}

static void flip_bits(void *bytes, size_t size_bytes)
{
	for (uint64_t n = 1 + next_random() % 16; n; n--)
		((unsigned char *)bytes)[next_random() % size_bytes] ^= (unsigned char)(1u << next_random() % 8);
}

/* What comes after an operation of kind `after`, in the order of kinds mostly. */
static struct commit_operation nonsense(const struct segment *segment, uint32_t after)
{
	static const uint32_t kinds[] = { COMMIT_TAIL, COMMIT_RETRACT, COMMIT_CURSOR, COMMIT_DONE };
	static const enum word words[] = { [COMMIT_TAIL] = WORD_TAIL,
					   [COMMIT_RETRACT] = WORD_TAIL,
					   [COMMIT_CURSOR] = WORD_FLIPS,
					   [COMMIT_BITS] = WORD_FREE,
					   [COMMIT_DONE] = WORD_DONE };
	uint32_t kind = next_random() % 16 ? kinds[next_random() % 4] : (uint32_t)next_random() % 9, index;
	uint64_t value;

	if (next_random() % 16 && kind < after)
		kind = after;
	index = kind == COMMIT_CURSOR ? 0 : (uint32_t)(next_random() % (next_random() % 16 ? N_LANES : 9));
	value = kind == COMMIT_CURSOR ? next_random() % 2 : LANE_SIZE + (next_random() % LANE_SIZE & ~UINT64_C(7));
	return operation_of(segment, kind, next_random() % 64 && kind <= COMMIT_DONE ? words[kind] : WORD_FREE, index,
			    next_random() % 16 ? value : edge_number());
}

static void make_image(struct slot *slot, unsigned image)
{
	struct segment *segment = &slot->segment;
	uint64_t *words = words_of(slot);
	size_t n_words = words_size(slot) / sizeof(*words);
	uint64_t n_operations;

	memcpy(words, slot->good, words_size(slot));
	for (unsigned i = 0; i < N_LANES; i++)
		memcpy(slot->data[i], slot->good_data, LANE_SIZE);
	switch (image % 4) {
	case 0: /* noise */
		for (size_t i = 0; i < n_words; i++)
			words[i] = next_random();
		for (unsigned lane = 0; lane < N_LANES; lane++)
			for (size_t i = 0; i < LANE_SIZE / 8; i++) /* short records, so that some chains go far */
				((uint64_t *)(void *)slot->data[lane])[i] =
					image % 8 ? next_random() : next_random() % 64 | UINT64_C(1) << 32;
		break;
	case 1: /* a few bits, in the words that count more often than elsewhere */
		flip_bits(words, words_size(slot));
		flip_bits(segment->base + segment->geometry.off_readers,
			  segment->geometry.control_size_bytes - segment->geometry.off_readers);
		flip_bits(slot->data[0], LANE_SIZE);
		flip_bits(slot->data[1], 256);
		break;
	case 2: /* numbers from the edges */
		for (uint64_t n = 1 + next_random() % 64; n; n--)
			words[next_random() % n_words] = edge_number();
		for (uint64_t n = next_random() % 8; n; n--)
			((uint64_t *)(void *)slot->data[next_random() % N_LANES])[next_random() % (LANE_SIZE / 8)] =
				edge_number();
		break;
	default: /* a record that is well-formed, and says nonsense */
		/* behind the last operation that there may be is room up to the end of the page: more of the same */
		n_operations = segment_operations_max(&segment->geometry) + 4;
		store_relaxed(&segment->record->state, next_random() % n_operations);
		for (uint64_t i = 0; i < n_operations; i++)
			segment->record->operations[i] =
				nonsense(segment, i ? segment->record->operations[i - 1].kind : 0);
		for (unsigned i = 0; i < N_LANES; i++) {
			store_relaxed(&segment->writers[i].tail, (next_random() % (2 * LANE_SIZE)) & ~UINT64_C(7));
			store_relaxed(&segment->readers[i].free, (next_random() % LANE_SIZE) & ~UINT64_C(7));
		}
	}
	for (unsigned i = 0; i < N_LANES; i++)
		memcpy(slot->data[i] + LANE_SIZE, slot->data[i], LANE_SIZE);
}

/* The consumer behind it takes what it finds, from a position of its own. */
static void take_all(const struct slot *slot, unsigned lane, uint64_t position)
{
	struct lane_reader reader = { 0 };
	struct lane_in in = { .reader = &reader,
			      .peer = &slot->segment.writers[lane],
			      .data = slot->data[lane],
			      .capacity_bytes = LANE_SIZE };
	unsigned n = 0;
	int r;

	store_relaxed(&reader.done, position);
	lane_in_rewind(&in);
	for (;;) {
		struct item_header header;
		const void *payload;
		volatile unsigned char touched;

		r = lane_in_peek(&in, &header, &payload);
		if (r)
			break;
		if (header.size_bytes) {
			touched = ((const unsigned char *)payload)[0];
			touched = ((const unsigned char *)payload)[header.size_bytes - 1];
			(void)touched;
		}
		lane_in_advance(&in, &header);
		assert_true(++n <= RECORDS_MAX);
	}
	assert_true(r == LANE_E_EMPTY || r == LANE_E_CLOSED || r == LANE_E_LOST || r == LANE_E_BROKEN);
	n_broken += r == LANE_E_BROKEN;
	n_taken += n;
}

/* The producer in front of it fills what room it finds. */
static void put_all(const struct slot *slot, unsigned lane, uint64_t position)
{
	static unsigned char data[2 * LANE_SIZE];
	struct lane_writer writer = { 0 };
	struct lane_out out = {
		.writer = &writer, .peer = &slot->segment.readers[lane], .data = data, .capacity_bytes = LANE_SIZE
	};
	unsigned n = 0;
	int r;

	store_relaxed(&writer.tail, position);
	lane_out_rewind(&out);
	for (;;) {
		struct item_header header = { .size_bytes = (uint32_t)(next_random() % 200), .kind = ITEM_DATA };
		void *payload;

		r = lane_out_reserve(&out, header.size_bytes, &payload);
		if (r)
			break;
		memset(payload, 1, header.size_bytes);
		lane_out_push(&out, &header);
		assert_true(++n <= RECORDS_MAX);
		(void)lane_out_load(&out);
	}
	assert_true(r == LANE_E_FULL || r == LANE_E_BROKEN);
	(void)lane_out_room(&out, true);
	n_broken += r == LANE_E_BROKEN;
}

static void count_all(const struct slot *slot)
{
	uint64_t items = 0;

	for (unsigned i = 0; i < N_LANES; i++) {
		int r = census_lane(slot->data[i], LANE_SIZE, load_relaxed(&slot->segment.readers[i].done),
				    load_relaxed(&slot->segment.writers[i].tail), &items);

		assert_true(r == REPAIR_E_CORRUPT || (r == 0 && items <= RECORDS_MAX));
	}
}

static void repair_one(struct slot *slot)
{
	static uint64_t before[16384];
	uint64_t n_operations = load_relaxed(&slot->segment.record->state), free_before[N_LANES];
	struct repair_report report;
	struct cursor cursor;

	assert_true(words_size(slot) <= sizeof(before));
	memcpy(before, words_of(slot), words_size(slot));
	for (unsigned i = 0; i < N_LANES; i++)
		free_before[i] = load_relaxed(&slot->segment.readers[i].free);
	assert_in_range(cursor_snapshot(&slot->segment, &cursor), 0, 1);
	if (repair_run(&slot->segment, &report)) {
		n_quarantined++;
		assert_memory_equal(before, words_of(slot), words_size(slot));
		return;
	}
	n_repaired++;
	assert_true(n_operations <= segment_operations_max(&slot->segment.geometry));
	assert_true(!report.in_hand || report.suspect_lane < N_LANES);
	assert_int_equal(load_relaxed(&slot->segment.record->state), 0);
	assert_int_equal(load_relaxed(&slot->segment.armed->word), 0);
	for (unsigned i = 0; i < N_LANES; i++) /* references may lead to what lies before `done` */
		assert_int_equal(load_relaxed(&slot->segment.readers[i].free), free_before[i]);
	memcpy(before, words_of(slot), words_size(slot));
	assert_int_equal(repair_run(&slot->segment, &report), 0);
	assert_false(report.applied || report.in_hand);
	assert_memory_equal(before, words_of(slot), words_size(slot));
}

static void test_garbage(void **state)
{
	unsigned n = getenv("WEIR_NIGHTLY") ? N_IMAGES_NIGHTLY : N_IMAGES;
	struct slot slot;

	(void)state;
	alarm(60); /* many times what it takes: a loop without a bound */
	slot_init(&slot);
	make_good(&slot);
	for (unsigned image = 0; image < n; image++) {
		uint64_t position = image % 3 ? (next_random() % LANE_SIZE) & ~UINT64_C(7) : 0;

		make_image(&slot, image);
		for (unsigned i = 0; i < N_LANES; i++) {
			take_all(&slot, i, position);
			put_all(&slot, i, 256 + position);
		}
		count_all(&slot);
		repair_one(&slot);
		count_all(&slot);
		for (unsigned i = 0; i < N_LANES; i++) {
			take_all(&slot, i, position);
			put_all(&slot, i, 256 + position);
		}
	}
	printf("garbage images=%u repaired=%u quarantined=%u broken_lanes=%u items_taken=%u\n", n, n_repaired,
	       n_quarantined, n_broken, n_taken);
	/* all four fates are met often, or the images prove nothing */
	assert_true(n_repaired > n / 20 && n_quarantined > n / 20 && n_broken > n / 20 && n_taken > n);
	slot_deinit(&slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_garbage) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
