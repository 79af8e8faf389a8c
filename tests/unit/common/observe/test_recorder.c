/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/observe/recorder.h"

#define EVENTS 8u

struct fixture {
	struct recorder_ring *ring;
	struct recorder recorder;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture.ring = calloc(1, RECORDER_SIZE(EVENTS));
	assert_non_null(fixture.ring);
	recorder_init(&fixture.recorder, fixture.ring, EVENTS);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	free(((struct fixture *)*state)->ring);
	return 0;
}

/* Event n says n in all of its words. */
static void write_event(struct recorder *recorder, uint64_t n)
{
	recorder->now_ns = n;
	recorder_write(recorder, RECORDER_TAKE, (uint32_t)n & 0xfff, (uint32_t)n, n, n);
}

static void assert_event(const struct recorder_record *record, uint64_t n)
{
	assert_int_equal(record->kind, RECORDER_TAKE);
	assert_true(record->time_ns == n && record->first == n && record->second == n);
	assert_int_equal(record->count, (uint32_t)n);
	assert_int_equal(record->place, (uint32_t)n & 0xfff);
}

static void test_reads_what_was_written(void **state)
{
	struct fixture *fixture = *state;
	struct recorder_record records[EVENTS];
	uint64_t from = 0, lost = 0;

	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost), 0);
	fixture->recorder.now_ns = UINT64_MAX;
	recorder_write(&fixture->recorder, RECORDER_BLOCK, RECORDER_LANE_OUT | 5, UINT32_MAX, UINT64_MAX - 1, 7);
	recorder_write(&fixture->recorder, RECORDER_UNBLOCK, RECORDER_NOWHERE, 0, 0, 0);
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost), 2);
	assert_int_equal(records[0].kind, RECORDER_BLOCK);
	assert_int_equal(records[0].place, RECORDER_LANE_OUT | 5);
	assert_int_equal(records[0].count, UINT32_MAX);
	assert_true(records[0].time_ns == UINT64_MAX && records[0].first == UINT64_MAX - 1);
	assert_int_equal(records[0].second, 7);
	assert_int_equal(records[1].kind, RECORDER_UNBLOCK);
	assert_int_equal(records[1].place, RECORDER_NOWHERE);
	assert_int_equal(from, 2);
	assert_int_equal(lost, 0);
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost), 0);
}

static void test_says_what_was_overwritten(void **state)
{
	struct fixture *fixture = *state;
	struct recorder_record records[EVENTS];
	uint64_t from = 0, lost = 0;

	for (uint64_t n = 0; n < 20; n++)
		write_event(&fixture->recorder, n);
	/* the place of event 12 may be half overwritten with 20 already */
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost), EVENTS - 1);
	for (uint32_t i = 0; i < EVENTS - 1; i++)
		assert_event(&records[i], 13 + i);
	assert_int_equal(lost, 13);
	assert_int_equal(from, 20);
	for (uint64_t n = 20; n < 25; n++)
		write_event(&fixture->recorder, n);
	/* in pieces */
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, 3, &lost), 3);
	assert_event(&records[0], 20);
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, 3, &lost), 2);
	assert_event(&records[1], 24);
	assert_int_equal(lost, 13);
	assert_int_equal(recorder_last(fixture->ring, 4), 21);
	assert_int_equal(recorder_last(fixture->ring, 400), 0);
}

/* Whoever was killed in the middle of an event has not counted it; its successor writes over it. */
static void test_half_an_event_is_none(void **state)
{
	struct fixture *fixture = *state;
	struct recorder_record records[EVENTS];
	struct recorder next;
	uint64_t from = 0, lost = 0;

	for (uint64_t n = 0; n < EVENTS; n++)
		write_event(&fixture->recorder, n);
	store_relaxed(&fixture->ring->events[0].time_ns, 4711);
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost), EVENTS - 1);
	assert_event(&records[0], 1);
	recorder_init(&next, fixture->ring, EVENTS);
	write_event(&next, EVENTS);
	assert_int_equal(recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost), 1);
	assert_event(&records[0], EVENTS);
}

static void test_garbage_is_bounded(void **state)
{
	static const uint64_t heads[] = { UINT64_MAX, UINT64_MAX / 2, EVENTS, 1, 0 };
	struct fixture *fixture = *state;
	struct recorder_record records[2 * EVENTS];

	memset((void *)fixture->ring->events, 0xff, EVENTS * sizeof(struct recorder_event));
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		uint64_t from = heads[i] / 2, lost = 0;
		uint32_t n;

		store_relaxed(&fixture->ring->head, heads[i]);
		n = recorder_read(fixture->ring, EVENTS, &from, records, 2 * EVENTS, &lost);
		assert_true(n < EVENTS);
		for (uint32_t j = 0; j < n; j++)
			assert_int_equal(records[j].kind, RECORDER_NOTHING);
	}
}

static void test_without_a_ring_nothing_happens(void **state)
{
	struct recorder recorder;

	(void)state;
	recorder_init(&recorder, NULL, EVENTS);
	write_event(&recorder, 1);
	assert_int_equal(recorder.head, 0);
}

static void test_every_kind_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 1; i < RECORDER_KINDS; i++) {
		assert_non_null(recorder_lines[i].name);
		assert_non_null(recorder_lines[i].summary);
		for (unsigned j = 1; j < i; j++)
			assert_string_not_equal(recorder_lines[i].name, recorder_lines[j].name);
	}
	assert_null(recorder_lines[RECORDER_NOTHING].name);
}

#define MANY 400000u
static void *write_many(void *data)
{
	for (uint64_t n = 0; n < MANY; n++)
		write_event(data, n);
	return NULL;
}

/* Beside a writer that never waits: whatever is given is whole and in order, and what is not given is counted. */
static void test_reads_beside_a_writer(void **state)
{
	struct fixture *fixture = *state;
	struct recorder_record records[EVENTS];
	uint64_t from = 0, lost = 0, n_read = 0, next = 0;
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, write_many, &fixture->recorder), 0);
	while (from < MANY) {
		uint32_t n = recorder_read(fixture->ring, EVENTS, &from, records, EVENTS, &lost);

		for (uint32_t i = 0; i < n; i++) {
			assert_true(records[i].first >= next);
			assert_event(&records[i], records[i].first);
			next = records[i].first + 1;
		}
		n_read += n;
	}
	pthread_join(writer, NULL);
	assert_true(n_read > 0);
	assert_int_equal(n_read + lost, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_what_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_says_what_was_overwritten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_an_event_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_beside_a_writer, setup, teardown),
		cmocka_unit_test(test_without_a_ring_nothing_happens),
		cmocka_unit_test(test_every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
