/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/flow/item_layout.h"
#include "rig.h"
#include "worker/recording.h"
#include "worker/turn.h"
#include "worker/wait.h"

#define RECORDS_MAX RECORDER_SLOT_EVENTS

static struct recorder_record records[RECORDS_MAX];
static uint32_t n_records;

static struct recorder_ring *begin(struct worker *worker)
{
	struct recorder_ring *ring = aligned_alloc(4096, SEGMENT_RECORDER_SIZE);

	assert_non_null(ring);
	memset(ring, 0, SEGMENT_RECORDER_SIZE);
	recording_begin(worker, ring);
	return ring;
}

/* The ring is the test's: worker_detach() must not unmap it. */
static void end(struct worker *worker)
{
	free(worker->recording.recorder.ring);
	worker->recording.recorder.ring = NULL;
}

static void read_all(const struct recorder_ring *ring)
{
	uint64_t from = 0, lost = 0;

	n_records = recorder_read(ring, RECORDER_SLOT_EVENTS, &from, records, RECORDS_MAX, &lost);
	assert_int_equal(lost, 0);
	for (uint32_t i = 1; i < n_records; i++)
		assert_true(records[i].time_ns >= records[i - 1].time_ns);
}

/* The next one of that kind from number *from on; NULL: there is none. */
static const struct recorder_record *next(uint32_t *from, enum recorder_kind kind)
{
	while (*from < n_records)
		if (records[(*from)++].kind == kind)
			return &records[*from - 1];
	return NULL;
}

static uint64_t sum(enum recorder_kind kind, bool of_second)
{
	const struct recorder_record *record;
	uint64_t total = 0;

	for (uint32_t from = 0; (record = next(&from, kind));)
		total += of_second ? record->second : record->first;
	return total;
}

static unsigned slow_us;

static int stage_pass(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	if (slow_us)
		usleep(slow_us);
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static const struct weir_stage passing = { .role = WEIR_OPERATOR, .process = stage_pass };

/* Whatever is noted together: nothing is noted twice, and what a stop finds has been noted. */
static void test_turns_add_up(void **state)
{
	struct recorder_ring *ring;
	uint64_t turns = 0, bytes = 0;
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &passing);
	ring = begin(&rig.producers[0]);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
		assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
		rig_commit(&rig.producers[0]);
		assert_string_equal(rig_take(&rig.relay), "item");
		assert_string_equal(rig_take(&rig.relay), "item");
		rig_commit(&rig.relay);
		rig_take(&rig.consumers[0]);
		rig_commit(&rig.consumers[0]);
	}
	recording_clock(&rig.producers[0]);
	recording_turns(&rig.producers[0]); /* as before a sleep */
	read_all(ring);
	for (uint32_t i = 0; i < n_records; i++) {
		turns += records[i].kind == RECORDER_TURNS ? records[i].count : 0;
		bytes += records[i].kind == RECORDER_EMIT ? records[i].count : 0;
	}
	assert_int_equal(turns, 50);
	assert_int_equal(sum(RECORDER_TURNS, true), 100);
	assert_int_equal(bytes, rig.producers[0].outputs[0].lanes[0].lane.tail);
	assert_int_equal(sum(RECORDER_TURNS, false), 0);
	end(&rig.producers[0]);
	rig_deinit(&rig);
}

static void run_to_end(struct rig *rig, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rig_push(&rig->producers[0], "item"), 0);
	rig_commit(&rig->producers[0]);
	lane_out_close(&rig->producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(turn_loop(&rig->relay), 0);
}

static void test_what_a_stage_takes_and_emits(void **state)
{
	const struct recorder_record *record, *last = NULL;
	struct recorder_ring *ring;
	struct rig rig;

	(void)state;
	slow_us = 0;
	rig_init_chain(&rig, &passing);
	ring = begin(&rig.relay);
	run_to_end(&rig, 20);
	recording_clock(&rig.relay);
	recording_turns(&rig.relay);
	read_all(ring);
	assert_int_equal(sum(RECORDER_TURNS, false), 20);
	assert_int_equal(sum(RECORDER_TURNS, true), 20);
	for (uint32_t from = 0; (record = next(&from, RECORDER_TAKE)); last = record)
		assert_int_equal(record->place, 0);
	assert_non_null(last);
	assert_int_equal(last->second, rig.producers[0].outputs[0].lanes[0].lane.tail);
	assert_int_equal(last->first, 19);
	for (uint32_t from = 0; (record = next(&from, RECORDER_EMIT)); last = record)
		assert_int_equal(record->place, RECORDER_LANE_OUT | 0);
	assert_int_equal(last->second, rig.relay.outputs[0].lanes[0].lane.tail);
	end(&rig.relay);
	rig_deinit(&rig);
}

/* The first turn of eight shows nothing yet; from then on each item is there, and each has its end. */
static void test_slow_items_are_noted_each(void **state)
{
	const struct recorder_record *process, *done;
	uint32_t from = 0, n = 0;
	struct recorder_ring *ring;
	struct rig rig;

	(void)state;
	slow_us = 1000;
	rig_init_chain(&rig, &passing);
	ring = begin(&rig.relay);
	run_to_end(&rig, 30);
	slow_us = 0;
	read_all(ring);
	while ((process = next(&from, RECORDER_PROCESS))) {
		done = next(&from, RECORDER_DONE);
		assert_non_null(done);
		assert_ptr_equal(done, process + 1);
		assert_int_equal(done->first, process->first);
		assert_int_equal(done->second, process->second);
		assert_int_equal(done->count, WEIR_OK);
		assert_int_equal(process->second, process->first * item_record_size(4));
		assert_true(done->time_ns - process->time_ns >= NS_PER_MS);
		n++;
	}
	assert_true(n >= 8);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 30);
	assert_true(rig.relay.recording.each_item);
	end(&rig.relay);
	rig_deinit(&rig);
}

struct sleep {
	struct worker *worker;
	uint32_t events;
	uint64_t need_bytes;
};

static void *sleep_once(void *data)
{
	const struct sleep *sleep = data;

	assert_int_equal(wait_sleep(sleep->worker, sleep->events, sleep->need_bytes), 0);
	return NULL;
}

static void wait_until_armed(const struct worker *worker)
{
	while (!load_relaxed(&worker->segment.armed->word))
		usleep(100);
}

/* The wake of one recorder is that of the unblock in the other: same lane, position reached, and before it. */
static void test_both_ends_of_a_wait_for_an_item(void **state)
{
	const struct recorder_record *record;
	struct recorder_record wake;
	struct recorder_ring *of_producer, *of_relay;
	struct sleep sleep;
	uint32_t from = 0;
	pthread_t thread;
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &passing);
	of_producer = begin(&rig.producers[0]);
	of_relay = begin(&rig.relay);
	rig.relay.backstop_ms = RIG_NEVER_MS;
	sleep = (struct sleep){ &rig.relay, ARM_DATA, 0 };
	assert_int_equal(pthread_create(&thread, NULL, sleep_once, &sleep), 0);
	wait_until_armed(&rig.relay);
	rig.producers[0].recording.stride = rig.producers[0].recording.turns_left = 16; /* not due yet */
	assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
	rig_commit(&rig.producers[0]);
	pthread_join(thread, NULL);

	read_all(of_producer);
	record = next(&from, RECORDER_WAKE);
	assert_non_null(record);
	wake = *record;
	assert_null(next(&from, RECORDER_WAKE));
	assert_int_equal(wake.place, RECORDER_LANE_OUT | 0);
	assert_int_equal(wake.first, 1);
	assert_int_equal(wake.second, item_record_size(4));
	from = 0;
	assert_non_null(next(&from, RECORDER_EMIT)); /* before it, whatever the pace is */

	read_all(of_relay);
	from = 0;
	record = next(&from, RECORDER_BLOCK);
	assert_non_null(record);
	assert_int_equal(record->place, 0);
	assert_int_equal(record->count, WAIT_FOR_ITEM);
	assert_true(record->second <= wake.second && record->second > 0);
	record = next(&from, RECORDER_UNBLOCK);
	assert_non_null(record);
	assert_int_equal(record->place, 0);
	assert_true(record->second <= wake.second && record->second > 0);
	assert_true(record->time_ns >= wake.time_ns);
	end(&rig.producers[0]);
	end(&rig.relay);
	rig_deinit(&rig);
}

static void test_both_ends_of_a_wait_for_room(void **state)
{
	char text[1000 + 1] = "";
	const struct recorder_record *record;
	struct recorder_record unblock;
	struct recorder_ring *of_producer, *of_relay;
	struct sleep sleep;
	uint32_t from = 0;
	pthread_t thread;
	struct rig rig;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	rig_init_chain(&rig, &passing);
	of_producer = begin(&rig.producers[0]);
	of_relay = begin(&rig.relay);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig_push(&rig.producers[0], text), 0);
	rig_commit(&rig.producers[0]);
	/* Who sleeps needs a client: the relay has one. */
	rig.producers[0].client = rig.relay.client;
	rig.producers[0].order_seen = BOARD_RUN;
	rig.producers[0].watch.fd = -1;
	rig.producers[0].heritage.lifeline_fd = rig.producers[0].heritage.cancel_fd =
		rig.producers[0].heritage.scopes_fd = -1;
	rig.producers[0].backstop_ms = RIG_NEVER_MS;
	rig.producers[0].need_output = 0;
	sleep = (struct sleep){ &rig.producers[0], ARM_SPACE, item_record_size(sizeof(text) - 1) };
	assert_int_equal(pthread_create(&thread, NULL, sleep_once, &sleep), 0);
	wait_until_armed(&rig.producers[0]);
	rig_take(&rig.relay);
	rig_commit(&rig.relay);
	pthread_join(thread, NULL);
	rig.producers[0].client = NULL;

	read_all(of_producer);
	record = next(&from, RECORDER_BLOCK);
	assert_non_null(record);
	assert_int_equal(record->place, RECORDER_LANE_OUT | 0);
	assert_int_equal(record->count & WAIT_FOR_ROOM, WAIT_FOR_ROOM);
	assert_int_equal(record->second, 4 * item_record_size(sizeof(text) - 1) - RIG_LANE_SIZE);
	record = next(&from, RECORDER_UNBLOCK);
	assert_non_null(record);
	unblock = *record;
	assert_int_equal(unblock.place, RECORDER_LANE_OUT | 0);

	read_all(of_relay);
	from = 0;
	record = next(&from, RECORDER_WAKE);
	assert_non_null(record);
	assert_int_equal(record->place, 0);
	assert_int_equal(record->count, ARM_SPACE);
	assert_true(record->second >= unblock.second);
	assert_true(record->time_ns <= unblock.time_ns);
	end(&rig.producers[0]);
	end(&rig.relay);
	rig_deinit(&rig);
}

static void test_without_a_ring_nothing_is_noted(void **state)
{
	struct rig rig;

	(void)state;
	slow_us = 1000;
	rig_init_chain(&rig, &passing);
	run_to_end(&rig, 20);
	slow_us = 0;
	assert_false(rig.relay.recording.each_item);
	assert_int_equal(rig.relay.recording.recorder.head, 0);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns_add_up),
		cmocka_unit_test(test_what_a_stage_takes_and_emits),
		cmocka_unit_test(test_slow_items_are_noted_each),
		cmocka_unit_test(test_both_ends_of_a_wait_for_an_item),
		cmocka_unit_test(test_both_ends_of_a_wait_for_room),
		cmocka_unit_test(test_without_a_ring_nothing_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
