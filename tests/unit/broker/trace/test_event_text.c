/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "broker/trace/event_text.h"
#include "broker/trace/value_name.h"
#include "common/base/cleanup.h"
#include "common/memory/segment_layout.h"

static struct plan_stage stages[] = { { .name = (char *)(uintptr_t) "read" }, { .name = (char *)(uintptr_t) "price" } };
static struct plan_slot slots[] = { { .stage = 0 }, { .stage = 1 }, { .stage = 1, .worker_index = 1 } };
static struct plan_lane lanes[] = { { .producer = 0, .consumer = 1 },
				    { .producer = 0, .consumer = 2, .writer_index = 1 } };
static const struct plan plan = {
	.stages = stages, .slots = slots, .lanes = lanes, .n_stages = 2, .n_slots = 3, .n_lanes = 2
};

static void expect(uint32_t slot, struct recorder_record record, const char *words)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	event_text_add(&plan, slot, &record, &text);
	assert_string_equal(text_get(&text), words);
}

static void test_places(void **state)
{
	(void)state;
	expect(0,
	       (struct recorder_record){
		       .kind = RECORDER_EMIT, .place = RECORDER_LANE_OUT | 1, .count = 40, .first = 7, .second = 80 },
	       "emit read#0->price#1 bytes 40 sequence 7 position 80");
	expect(2, (struct recorder_record){ .kind = RECORDER_TAKE, .count = 40, .first = 6, .second = 80 },
	       "take read#0->price#1 bytes 40 sequence 6 position 80");
	expect(0, (struct recorder_record){ .kind = RECORDER_SPAWN, .place = 1, .count = 3, .first = 4711 },
	       "spawn price#0 generation 3 pid 4711");
	expect(0, (struct recorder_record){ .kind = RECORDER_ORDER, .place = RECORDER_NOWHERE, .count = 4, .first = 1 },
	       "order all order cancel cause user");
}

static void test_sets_and_durations(void **state)
{
	(void)state;
	expect(1,
	       (struct recorder_record){ .kind = RECORDER_UNBLOCK,
					 .place = RECORDER_NOWHERE,
					 .count = WAIT_FOR_ROOM | WAIT_FOR_TIME,
					 .first = 2000000 },
	       "unblock no lane waits_for room+time slept 2 ms position 0");
	expect(1, (struct recorder_record){ .kind = RECORDER_BLOCK },
	       "block read#0->price#0 waits_for nothing need_bytes 0 position 0");
}

/* What is no lane, no seat and no value of a running pipeline stays a number. */
static void test_nonsense(void **state)
{
	(void)state;
	expect(1, (struct recorder_record){ .kind = RECORDER_NOTHING }, "unknown event");
	expect(1, (struct recorder_record){ .kind = RECORDER_TAKE, .place = 9 },
	       "take input lane 9 bytes 0 sequence 0 position 0");
	expect(7, (struct recorder_record){ .kind = RECORDER_EMIT, .place = RECORDER_LANE_OUT | 3 },
	       "emit output lane 3 bytes 0 sequence 0 position 0");
	expect(1, (struct recorder_record){ .kind = RECORDER_EXIT, .place = 77, .count = UINT32_MAX },
	       "exit 77 status 4294967295 signal 0 pid 0");
	expect(1, (struct recorder_record){ .kind = RECORDER_STATE, .count = 4000 }, "state state 4000");
	expect(1, (struct recorder_record){ .kind = RECORDER_DONE, .place = 0, .count = UINT32_MAX },
	       "done read#0->price#0 outcome 4294967295 sequence 0 position 0");
	expect(1, (struct recorder_record){ .kind = RECORDER_PHASE, .count = 99 }, "phase phase 99");
	expect(1, (struct recorder_record){ .kind = RECORDER_ORDER_SEEN, .count = 3 }, "order_seen order 3");
}

/* The bits have their names in the order of segment_layout.h. */
static void test_bits(void **state)
{
	(void)state;
	assert_string_equal(value_bit_name("waits_for", (unsigned)__builtin_ctz(WAIT_FOR_ITEM)), "item");
	assert_string_equal(value_bit_name("waits_for", (unsigned)__builtin_ctz(WAIT_FOR_READERS)), "readers");
	assert_string_equal(value_bit_name("waits_for", (unsigned)__builtin_ctz(WAIT_ANY_OF_EDGE)), "any-of-edge");
	assert_string_equal(value_bit_name("waits_for", (unsigned)__builtin_ctz(WAIT_FOR_DUE)), "due");
	assert_null(value_bit_name("waits_for", 10));
	assert_string_equal(value_bit_name("events", (unsigned)__builtin_ctz(ARM_WANTED)), "wanted");
	assert_null(value_bit_name("position", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_sets_and_durations),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
