/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/flow/repair.h"
#include "tests/unit/common/flow/fixture.h"

#define N_LANES 3u

struct slot {
	struct segment segment;
	struct lane_out out[N_LANES];
	struct lane_in in[N_LANES];
	int fd;
};

static int setup(void **state)
{
	static struct slot slot;
	static const uint64_t sizes[N_LANES] = { LANE_SIZE, LANE_SIZE, LANE_SIZE };
	struct segment_geometry geometry;
	uint64_t offsets[N_LANES];

	slot = (struct slot){ 0 };
	segment_plan(&geometry, 3, N_LANES, N_LANES, sizes, offsets);
	assert_int_equal(segment_create(&geometry, "weir-slot", &slot.fd), 0);
	assert_int_equal(segment_attach(&slot.segment, slot.fd, &geometry, SEGMENT_WRITE), 0);
	for (uint32_t i = 0; i < N_LANES; i++) {
		slot.out[i].writer = &slot.segment.writers[i];
		slot.in[i].reader = &slot.segment.readers[i];
	}
	*state = &slot;
	return 0;
}

static int teardown(void **state)
{
	struct slot *slot = *state;

	segment_detach(&slot->segment);
	close(slot->fd);
	return 0;
}

/* A whole turn: all lanes and the cursor move to values that tell its number. */
static void collect(struct slot *slot, struct commit *commit, uint64_t turn)
{
	struct cursor cursor = { .sequence = turn };

	commit_init(commit, &slot->segment);
	for (uint32_t i = 0; i < N_LANES; i++) {
		slot->out[i].built = turn * 64 + i * 8;
		commit_add_tail(commit, &slot->out[i]);
	}
	memset(cursor.stage, (int)(turn & 0xff), sizeof(cursor.stage));
	commit_add_cursor(commit, &cursor);
	for (uint32_t i = 0; i < N_LANES; i++) {
		slot->in[i].next = turn * 128 + i * 8;
		commit_add_done(commit, &slot->in[i]);
	}
}

static void expect_turn(const struct slot *slot, uint64_t turn)
{
	const struct segment *segment = &slot->segment;
	struct cursor cursor;

	for (uint32_t i = 0; i < N_LANES; i++) {
		assert_int_equal(load_relaxed(&segment->writers[i].tail), turn ? turn * 64 + i * 8 : 0);
		assert_int_equal(load_relaxed(&segment->readers[i].done), turn ? turn * 128 + i * 8 : 0);
	}
	assert_int_equal(cursor_current(segment)->sequence, turn);
	assert_int_equal(cursor_current(segment)->stage[255], turn & 0xff);
	assert_int_equal(cursor_snapshot(segment, &cursor), 0);
	assert_memory_equal(&cursor, cursor_current(segment), sizeof(cursor));
	assert_int_equal(load_relaxed(&segment->record->state), 0);
}

static void test_publish_moves_everything(void **state)
{
	struct slot *slot = *state;
	struct commit commit;

	for (uint64_t turn = 1; turn < 10; turn++) {
		collect(slot, &commit, turn);
		expect_turn(slot, turn - 1);
		commit_publish(&commit);
		expect_turn(slot, turn);
	}
	commit_publish(&commit); /* nothing collected: nothing happens */
	expect_turn(slot, 9);
}

static void test_unpublished_leaves_no_trace_after_repair(void **state)
{
	struct slot *slot = *state;
	struct repair_report report;
	struct commit commit;

	collect(slot, &commit, 1);
	commit_publish(&commit);
	collect(slot, &commit, 2);
	assert_int_equal(repair_run(&slot->segment, &report), 0);
	assert_false(report.applied);
	expect_turn(slot, 1);
}

/* Killed after any number of the stores of commit_publish: repair makes it the whole turn. */
static void test_repair_finishes_from_any_prefix(void **state)
{
	struct slot *slot = *state;
	struct segment *segment = &slot->segment;
	struct repair_report report;
	struct commit commit;

	for (uint64_t prefix = 0; prefix <= 2 * N_LANES + 1; prefix++) {
		uint64_t turn = prefix + 1, n;

		collect(slot, &commit, turn);
		n = commit_collected(&commit);
		assert_int_equal(n, 2 * N_LANES + 1);
		store_release(&segment->record->state, n);
		for (uint64_t i = 0; i < prefix; i++) {
			const struct commit_operation *operation = &segment->record->operations[i];

			store_release(&((atomic_u64 *)(void *)segment->base)[operation->word], operation->value);
		}
		assert_int_equal(repair_run(segment, &report), 0);
		assert_true(report.applied);
		expect_turn(slot, turn);
		assert_int_equal(repair_run(segment, &report), 0);
		assert_false(report.applied);
		expect_turn(slot, turn);
		for (uint32_t i = 0; i < N_LANES; i++)
			assert_int_equal(load_relaxed(&segment->readers[i].free),
					 0); /* the next generation's to move */
	}
}

static void test_order_is_tails_cursor_dones(void **state)
{
	struct slot *slot = *state;
	static const uint32_t kinds[] = { COMMIT_TAIL, COMMIT_TAIL, COMMIT_TAIL, COMMIT_CURSOR,
					  COMMIT_DONE, COMMIT_DONE, COMMIT_DONE };
	struct commit commit;

	collect(slot, &commit, 1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(slot->segment.record->operations[i].kind, kinds[i]);
}

/* What a worker has written into the head of its record before it died does not keep the next one from committing. */
static void test_a_scribbled_head_is_no_obstacle(void **state)
{
	struct slot *slot = *state;
	struct commit commit;

	memset(slot->segment.record->pad, 0xff, sizeof(slot->segment.record->pad));
	collect(slot, &commit, 1);
	commit_publish(&commit);
	expect_turn(slot, 1);
}

/* A reader of the cursor beside its living writer: every copy that it gets is one whole turn's. */
static struct segment *shared;
static atomic_int stop;

static void *write_cursors(void *unused)
{
	struct cursor cursor = { 0 };
	struct commit commit;

	(void)unused;
	commit_init(&commit, shared);
	while (!atomic_load(&stop)) {
		cursor.sequence++;
		memset(cursor.stage, (int)(cursor.sequence & 0xff), sizeof(cursor.stage));
		commit_add_cursor(&commit, &cursor);
		commit_publish(&commit);
	}
	return NULL;
}

static void test_snapshot_is_never_torn(void **state)
{
	struct slot *slot = *state;
	struct cursor cursor;
	uint64_t last = 0;
	unsigned got = 0, raced = 0;
	pthread_t thread;

	shared = &slot->segment;
	atomic_store(&stop, 0);
	assert_int_equal(pthread_create(&thread, NULL, write_cursors, NULL), 0);
	while (got < 20000 && raced < 2000000) {
		if (cursor_snapshot(shared, &cursor)) {
			raced++;
			continue;
		}
		got++;
		assert_true(cursor.sequence >= last);
		last = cursor.sequence;
		for (size_t i = 0; i < sizeof(cursor.stage); i += 51)
			assert_int_equal(cursor.stage[i], cursor.sequence & 0xff);
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	assert_true(got > 0);
	assert_int_equal(cursor_snapshot(shared, &cursor), 0); /* the writer is gone: the first attempt is whole */
}

int main(void)
{
#define TEST(f_) cmocka_unit_test_setup_teardown(f_, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_publish_moves_everything),        TEST(test_unpublished_leaves_no_trace_after_repair),
		TEST(test_repair_finishes_from_any_prefix), TEST(test_order_is_tails_cursor_dones),
		TEST(test_a_scribbled_head_is_no_obstacle), TEST(test_snapshot_is_never_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
