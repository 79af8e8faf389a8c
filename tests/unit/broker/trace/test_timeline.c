/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#include "broker/trace/ctf.h"
#include "broker/trace/timeline.h"
#include "common/memory/segment_layout.h"

/* read#0 -> call#0 (its items overlap) -> out#0 */
static struct trace_stage stages[] = { { .name = (char *)(uintptr_t) "read" },
				       { .name = (char *)(uintptr_t) "call", .in_flight = true },
				       { .name = (char *)(uintptr_t) "out" } };
static struct trace_seat seats[] = { { (char *)(uintptr_t) "read#0", 0 },
				     { (char *)(uintptr_t) "call#0", 1 },
				     { (char *)(uintptr_t) "out#0", 2 } };
static struct trace_lane lanes[] = { { 0, 1, (char *)(uintptr_t) "read#0->call#0" },
				     { 1, 2, (char *)(uintptr_t) "call#0->out#0" } };
static const struct trace_names names = {
	.stages = stages, .seats = seats, .lanes = lanes, .n_stages = 3, .n_seats = 3, .n_lanes = 2
};
enum { READ, CALL, OUT };

static struct text told;
static struct timeline *timeline;

static void tell_slice(void *context, const struct timeline_slice *slice)
{
	static const char *const kinds[] = { "process", "wait", "item" };

	(void)context;
	text_printf(&told, "%s %s %" PRIu64 "-%" PRIu64, seats[slice->slot].name, kinds[slice->kind], slice->begin_ns,
		    slice->end_ns);
	if (slice->kind == TIMELINE_ITEM)
		text_printf(&told, " sequence %" PRIu64 " outcome %d waited %" PRIu64 "%s", slice->sequence,
			    (int)slice->outcome, slice->waited_ns, slice->overlaps ? " beside" : "");
	if (slice->trace.parent)
		text_printf(&told, " trace %" PRIx64 "%" PRIx64 "-%" PRIx64 "-%u", slice->trace.trace_high,
			    slice->trace.trace_low, slice->trace.parent, slice->trace.flags);
	if (slice->kind == TIMELINE_WAIT)
		text_printf(&told, " %s lane %d", timeline_wait_name(slice->waits_for), (int)slice->lane);
	if (slice->turns)
		text_printf(&told, " turns %" PRIu64 " taken %" PRIu64, slice->turns, slice->taken);
	text_add_char(&told, '\n');
}

static void tell_flow(void *context, const struct timeline_flow *flow)
{
	(void)context;
	text_printf(&told, "%s %s %" PRIu64 " to %s %" PRIu64 "\n", flow->is_wake ? "wake" : "items",
		    seats[flow->from_slot].name, flow->from_ns, seats[flow->to_slot].name, flow->to_ns);
}

static void tell_instant(void *context, uint32_t slot, const struct trace_event *event)
{
	(void)context;
	text_printf(&told, "%s %s %" PRIu64 "%s\n", slot < names.n_seats ? seats[slot].name : "supervisor",
		    event->n_lost ? "lost" : recorder_lines[event->record.kind].name, event->record.time_ns,
		    event->n_lost > 7 ? " many" : "");
}

static int setup(void **state)
{
	static const struct timeline_writer writer = { .slice = tell_slice,
						       .flow = tell_flow,
						       .instant = tell_instant };

	(void)state;
	timeline = timeline_new(&names, &writer, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timeline_free(timeline);
	timeline = NULL;
	text_deinit(&told);
	return 0;
}

static void add(uint32_t slot, uint64_t time_ns, enum recorder_kind kind, uint32_t place, uint32_t count,
		uint64_t first, uint64_t second)
{
	const struct trace_event event = {
		.slot = slot,
		.record = { .time_ns = time_ns,
			    .kind = kind,
			    .place = place,
			    .count = count,
			    .first = first,
			    .second = second },
	};

	timeline_add(timeline, &event);
}

static void lose(uint32_t slot, uint64_t time_ns, uint64_t n)
{
	const struct trace_event event = { .slot = slot, .record.time_ns = time_ns, .n_lost = n };

	timeline_add(timeline, &event);
}

/* What was told since the last time. */
static void expect(const char *what)
{
	assert_string_equal(text_get(&told), what);
	text_clear(&told);
}

static void end(const char *what)
{
	timeline_free(timeline);
	timeline = NULL;
	expect(what);
}

static void test_asleep_and_awake(void **state)
{
	(void)state;
	add(OUT, 100, RECORDER_TURNS, RECORDER_NOWHERE, 2, 9, 0);
	add(OUT, 120, RECORDER_BLOCK, 1, WAIT_FOR_ITEM, 0, 64);
	add(OUT, 150, RECORDER_UNBLOCK, 1, WAIT_FOR_ITEM, 30, 64);
	add(OUT, 160, RECORDER_TURNS, RECORDER_NOWHERE, 3, 5, 0);
	add(OUT, 170, RECORDER_TURNS, RECORDER_NOWHERE, 1, 1, 0);
	add(OUT, 180, RECORDER_BLOCK, UINT32_MAX, WAIT_FOR_ROOM, 0, 0);
	expect("out#0 process 100-120 turns 2 taken 9\nout#0 wait 120-150 wait-in lane 1\nout#0 process 150-180 turns 4 taken 6\n");
	add(OUT, 180, RECORDER_UNBLOCK, 1, WAIT_FOR_ITEM, 0, 64); /* there was something after all */
	add(OUT, 200, RECORDER_STATE, RECORDER_NOWHERE, 3, 0, 0);
	end("out#0 state 200\nout#0 process 180-200\n");
}

/* A trace may begin in the middle of a sleep. */
static void test_a_sleep_whose_begin_is_unknown(void **state)
{
	(void)state;
	add(OUT, 150, RECORDER_UNBLOCK, 1, WAIT_FOR_ITEM, 30, 64);
	expect("out#0 wait 120-150 wait-in lane 1\n");
	add(OUT, 160, RECORDER_UNBLOCK, 1, WAIT_FOR_EVENT, 500, 64); /* longer than it can have been */
	expect("out#0 process 150-150\nout#0 wait 150-160 wait-ext lane 1\n");
	end("out#0 process 160-160\n");
}

static void test_an_item_and_the_waits_in_it(void **state)
{
	(void)state;
	add(OUT, 100, RECORDER_TURNS, RECORDER_NOWHERE, 1, 1, 0);
	add(OUT, 110, RECORDER_PROCESS, 1, 0, 41, 64);
	add(OUT, 130, RECORDER_BLOCK, UINT32_MAX, WAIT_FOR_EVENT, 0, 0);
	add(OUT, 170, RECORDER_UNBLOCK, UINT32_MAX, WAIT_FOR_EVENT, 40, 0);
	add(OUT, 200, RECORDER_DONE, 1, 8, 41, 64);
	add(OUT, 210, RECORDER_BLOCK, 1, WAIT_FOR_ITEM, 0, 64);
	expect("out#0 process 100-110 turns 1 taken 1\nout#0 wait 130-170 wait-ext lane -1\n"
	       "out#0 item 110-200 sequence 41 outcome 8 waited 40\nout#0 process 200-210\n");
	add(OUT, 220, RECORDER_DONE, 1, 8, 43, 96); /* its begin was not noted */
	expect("out#0 done 220\n");
}

/* Of a stage with a loop of its own nobody says that an item has ended, but the next one. */
static void test_an_item_ends_with_the_next_one(void **state)
{
	(void)state;
	add(OUT, 100, RECORDER_PROCESS, 1, 0, 41, 64);
	add(OUT, 150, RECORDER_PROCESS, 1, 0, 42, 96);
	expect("out#0 process 100-100\nout#0 item 100-150 sequence 41 outcome -1 waited 0\n");
	add(CTF_SUPERVISOR, 190, RECORDER_EXIT, OUT, 0, 9, 4711);
	expect("out#0 item 150-190 sequence 42 outcome -1 waited 0\nout#0 exit 190\n");
}

static void test_items_that_overlap(void **state)
{
	(void)state;
	add(CALL, 100, RECORDER_PROCESS, 0, 0, 1, 0);
	add(CALL, 110, RECORDER_PROCESS, 0, 0, 2, 32);
	add(CALL, 120, RECORDER_BLOCK, 0, WAIT_FOR_ITEM, 0, 64);
	add(CALL, 150, RECORDER_UNBLOCK, 0, WAIT_FOR_ITEM | WAIT_FOR_EVENT, 30, 64);
	add(CALL, 160, RECORDER_DONE, UINT32_MAX, 0, 2, 0);
	expect("call#0 process 100-120\ncall#0 wait 120-150 wait-in lane 0\ncall#0 item 110-160 sequence 2 outcome 0 waited 30 beside\n");
	end("call#0 process 150-160\ncall#0 item 100-160 sequence 1 outcome -1 waited 30 beside\n");
}

/* Two events, behind that of the item: the second one says which. */
static void test_which_trace(void **state)
{
	(void)state;
	add(CALL, 100, RECORDER_PROCESS, 0, 0, 1, 0);
	add(CALL, 100, RECORDER_TRACE, 0, 1, 0xa, 0xb);
	add(CALL, 100, RECORDER_PARENT, 0, 0, 1, 0xc);
	add(CALL, 110, RECORDER_PROCESS, 0, 0, 2, 32);
	add(CALL, 120, RECORDER_DONE, 0, 0, 2, 32);
	add(CALL, 130, RECORDER_DONE, 0, 0, 1, 0);
	expect("call#0 item 110-120 sequence 2 outcome 0 waited 0 beside\n"
	       "call#0 item 100-130 sequence 1 outcome 0 waited 0 beside trace ab-c-1\n");
	add(CALL, 140, RECORDER_PARENT, 0, 0, 7, 0xc); /* of nobody */
	expect("");
}

/* From the emit to the take, which shares bytes with it; and the other way round, if the note of the emit comes late. */
static void test_items_flow(void **state)
{
	(void)state;
	add(READ, 100, RECORDER_EMIT, 0, 64, 2, 64);
	add(READ, 110, RECORDER_EMIT, 0, 64, 4, 128);
	add(READ, 120, RECORDER_EMIT, 0, 64, 6, 192);
	add(CALL, 130, RECORDER_TAKE, 0, 96, 3, 96);
	expect("items read#0 109 to call#0 130\n");
	add(CALL, 140, RECORDER_TAKE, 0, 32, 4, 128);
	add(CALL, 150, RECORDER_TAKE, 0, 32, 5, 160);
	expect("items read#0 109 to call#0 139\nitems read#0 119 to call#0 149\n");
	add(CALL, 160, RECORDER_TAKE, 0, 64, 7, 224); /* shares bytes with the last emit */
	add(CALL, 170, RECORDER_TAKE, 0, 32, 8, 256);
	expect("items read#0 119 to call#0 159\n");
	add(READ, 175, RECORDER_EMIT, 0, 96, 9, 288);
	expect("items read#0 169 to call#0 169\n");
	add(CALL, 180, RECORDER_TAKE, 0, 32, 9, 288);
	expect("items read#0 174 to call#0 179\n");
}

static void test_who_has_rung(void **state)
{
	(void)state;
	add(READ, 90, RECORDER_WAKE, 0, ARM_DATA, CALL, 640); /* before the sleep: not that one */
	add(CALL, 100, RECORDER_BLOCK, 0, WAIT_FOR_ITEM, 0, 96);
	add(READ, 110, RECORDER_WAKE, 0, ARM_DATA, CALL, 64);  /* not far enough */
	add(OUT, 115, RECORDER_WAKE, 1, ARM_SPACE, CALL, 640); /* another lane */
	add(READ, 120, RECORDER_WAKE, 0, ARM_DATA, CALL, 96);
	add(READ, 125, RECORDER_WAKE, 0, ARM_DATA, CALL, 128);
	add(CALL, 130, RECORDER_UNBLOCK, 0, WAIT_FOR_ITEM, 30, 96);
	expect("wake read#0 120 to call#0 129\ncall#0 wait 100-130 wait-in lane 0\n");
	add(CALL, 140, RECORDER_BLOCK, 1, WAIT_FOR_ROOM, 0, 700);
	expect("call#0 process 130-140\n");
	add(OUT, 150, RECORDER_WAKE, 1, ARM_SPACE, CALL, 700);
	add(CALL, 160, RECORDER_UNBLOCK, 1, WAIT_FOR_ROOM, 20, 700);
	expect("wake out#0 150 to call#0 159\ncall#0 wait 140-160 wait-out lane 1\n");
}

/* Behind a gap nothing goes on that was before it. */
static void test_a_gap(void **state)
{
	(void)state;
	add(OUT, 100, RECORDER_PROCESS, 1, 0, 41, 64);
	lose(OUT, 300, 8);
	expect("out#0 process 100-100\nout#0 item 100-100 sequence 41 outcome -1 waited 0\nout#0 lost 100 many\n");
	add(OUT, 310, RECORDER_BLOCK, 1, WAIT_FOR_ITEM, 0, 64);
	add(OUT, 330, RECORDER_UNBLOCK, 1, WAIT_FOR_ITEM, 20, 64);
	expect("out#0 wait 310-330 wait-in lane 1\n");
}

/* Workers may write anything. */
static void test_nonsense(void **state)
{
	(void)state;
	for (uint32_t kind = RECORDER_NOTHING; kind < RECORDER_KINDS; kind++)
		for (uint32_t slot = 0; slot <= 3; slot++) {
			add(slot < 3 ? slot : CTF_SUPERVISOR, kind, (enum recorder_kind)kind, UINT32_MAX, UINT32_MAX,
			    UINT64_MAX, UINT64_MAX);
			add(slot < 3 ? slot : CTF_SUPERVISOR, kind, (enum recorder_kind)kind, 1, 0, 0, 0);
			add(slot < 3 ? slot : CTF_SUPERVISOR, kind, (enum recorder_kind)kind, 1, UINT32_MAX, 0, 7);
		}
	assert_true(told.length);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_asleep_and_awake),
		TEST(test_a_sleep_whose_begin_is_unknown),
		TEST(test_an_item_and_the_waits_in_it),
		TEST(test_an_item_ends_with_the_next_one),
		TEST(test_items_that_overlap),
		TEST(test_which_trace),
		TEST(test_items_flow),
		TEST(test_who_has_rung),
		TEST(test_a_gap),
		TEST(test_nonsense),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
