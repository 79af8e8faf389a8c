/* SPDX-License-Identifier: Apache-2.0 */
/* The programs: who runs, what may die, what must hold in the end. Violations inside bodies are reported there. */
#include "tests/explore/programs.h"

#include "tests/explore/observers.h"
#include "tests/explore/features.h"
#include "tests/explore/real.h"
#include "tests/explore/stubs.h"
#include "tests/explore/world.h"

/* Positions wrap past 2^64 while a program runs. */
#define JUST_BELOW_2_64 (UINT64_MAX - RECORD_SIZE + 1)

static void setup_one_slot(void)
{
	world_reset(&(struct world_settings){ .items = 3,
					      .batch = 1,
					      .capacity = RECORD_SIZE,
					      .base = JUST_BELOW_2_64,
					      .see = { SEE_TAIL | SEE_CLOSED, SEE_FREE } });
}

static void setup_two_slots(void)
{
	world_reset(&(struct world_settings){
		.items = 3, .batch = 2, .capacity = 2 * RECORD_SIZE, .see = { SEE_TAIL | SEE_CLOSED, SEE_FREE } });
}

static void setup_kill(void)
{
	world_reset(&(struct world_settings){ .items = 2,
					      .batch = 1,
					      .capacity = RECORD_SIZE,
					      .base = JUST_BELOW_2_64,
					      .see = { SEE_TAIL | SEE_CLOSED, SEE_FREE } });
}

static void setup_relay(void)
{
	world_reset(&(struct world_settings){ .items = 2,
					      .batch = 1,
					      .capacity = 2 * RECORD_SIZE,
					      .base = JUST_BELOW_2_64,
					      .filled = true,
					      .see = { 0, SEE_TAIL | SEE_CLOSED, SEE_FREE } });
}

static void setup_relay_alone(void)
{
	world_reset(&(struct world_settings){
		.items = 2, .batch = 1, .capacity = 2 * RECORD_SIZE, .base = JUST_BELOW_2_64, .filled = true });
}

static void setup_observed_cursor(void)
{
	world_reset(&(struct world_settings){
		.items = 2, .batch = 1, .capacity = RECORD_SIZE, .see = { 0, SEE_CURSORS, 0 } });
}

static void setup_observed_lanes(void)
{
	world_reset(&(struct world_settings){ .items = 2,
					      .batch = 1,
					      .capacity = 2 * RECORD_SIZE,
					      .filled = true,
					      .see = { 0, SEE_TAIL | SEE_DONE, 0 } });
}

static void setup_note(void)
{
	real_reset();
	world_reset(&(struct world_settings){ .items = 1, .batch = 1, .capacity = RECORD_SIZE });
}

/* Slot 2's tail stands in for that of a lane which ends behind the first item. */
static void setup_note_take(void)
{
	real_reset();
	world_reset(&(struct world_settings){ .items = 3, .batch = 1, .capacity = 8 * RECORD_SIZE, .filled = true });
	store_relaxed(&world_segments[2].writers[0].tail, RECORD_SIZE);
}

static void setup_note_in_flight(void)
{
	real_reset();
	world_reset(&(struct world_settings){ .items = 1, .batch = 1, .capacity = RECORD_SIZE, .asynchronous = true });
}

static void setup_drop(void)
{
	world_reset(&(struct world_settings){ .items = 3,
					      .batch = 1,
					      .capacity = 2 * RECORD_SIZE,
					      .see = { SEE_TAIL | SEE_CLOSED | SEE_LOW, SEE_FREE } });
}

static void setup_drop_kill(void)
{
	world_reset(&(struct world_settings){ .items = 2,
					      .batch = 1,
					      .capacity = RECORD_SIZE,
					      .see = { SEE_TAIL | SEE_CLOSED | SEE_LOW, SEE_FREE } });
}

static void setup_retire(void)
{
	world_reset(&(struct world_settings){ .batch = 1,
					      .capacity = 4 * RECORD_SIZE,
					      .dealings = true,
					      .see = { SEE_TAIL | SEE_TAIL_2, SEE_DONE, SEE_DONE } });
	retire_prepare();
}

static void setup_retire_asleep(void)
{
	world_reset(&(struct world_settings){ .batch = 1,
					      .capacity = 4 * RECORD_SIZE,
					      .dealings = true,
					      .see = { SEE_TAIL_2 | SEE_ARMED, 0, SEE_DONE | SEE_FREE | SEE_ARMED } });
	retire_prepare_asleep();
}

static void setup_loop_retire(void)
{
	stubs_reset();
	world_reset(&(struct world_settings){ .batch = 1,
					      .capacity = 4 * RECORD_SIZE,
					      .dealings = true,
					      .see = { SEE_TAIL | SEE_TAIL_2, SEE_DONE, SEE_DONE } });
	retire_prepare_loop();
}

static void setup_loop(void)
{
	stubs_reset();
	world_reset(&(struct world_settings){ .batch = 1,
					      .capacity = 4 * RECORD_SIZE,
					      .see = { SEE_TAIL, SEE_TAIL | SEE_DONE | SEE_STATUS | SEE_CURSORS } });
	loop_prepare();
}

static void setup_pass(void)
{
	stubs_reset();
	real_reset();
	world_reset(&(struct world_settings){
		.items = 2,
		.batch = 1,
		.capacity = RECORD_SIZE,
		.see = { SEE_TAIL | SEE_CLOSED, SEE_FREE | SEE_TAIL | SEE_CLOSED, SEE_FREE } });
}

static void setup_ask(void)
{
	stubs_reset();
	real_reset();
	world_reset(&(struct world_settings){ .items = 2,
					      .batch = 1,
					      .capacity = RECORD_SIZE,
					      .see = { SEE_TAIL | SEE_CLOSED | SEE_ARMED,
						       SEE_FREE | SEE_TAIL | SEE_CLOSED | SEE_ARMED,
						       SEE_FREE | SEE_ARMED } });
	/* the first item has been emitted: whoever begins, there is something to pass on, and no room for the second */
	world_fill(0, 0, 0, 1);
	((struct cursor *)(uintptr_t)world_cursor(0))->sequence = 1;
}

static void setup_asynchronous(void)
{
	world_reset(&(struct world_settings){ .items = 3,
					      .batch = 1,
					      .capacity = 4 * RECORD_SIZE,
					      .base = JUST_BELOW_2_64,
					      .filled = true,
					      .asynchronous = true });
}

static void setup_meet(void)
{
	real_reset();
	world_reset(&(struct world_settings){
		.items = 1,
		.batch = 1,
		.capacity = 2 * RECORD_SIZE,
		.see = { SEE_TAIL | SEE_CLOSED | SEE_ARMED, SEE_FREE | SEE_DONE | SEE_ARMED } });
}

static void setup_leave(void)
{
	real_reset();
	world_reset(&(struct world_settings){
		.items = 1,
		.batch = 1,
		.capacity = RECORD_SIZE,
		.see = { SEE_TAIL | SEE_CLOSED | SEE_ARMED, SEE_FREE | SEE_LEFT | SEE_ARMED } });
}

static void setup_plain(unsigned items)
{
	real_reset();
	world_reset(&(struct world_settings){
		.items = items,
		.batch = 1,
		.capacity = 8 * RECORD_SIZE,
		.base = JUST_BELOW_2_64,
		.see = { SEE_TAIL | SEE_CLOSED | SEE_ARMED, SEE_FREE | SEE_DONE | SEE_ARMED } });
}

static void setup_doorbell(unsigned items, unsigned capacity)
{
	real_reset();
	world_reset(&(struct world_settings){ .items = items,
					      .batch = 1,
					      .capacity = capacity * RECORD_SIZE,
					      .see = { SEE_TAIL | SEE_CLOSED | SEE_ARMED, SEE_FREE | SEE_ARMED } });
}

static void setup_doorbell_data(void)
{
	setup_doorbell(1, 1);
}

static void setup_doorbell_space(void)
{
	setup_doorbell(2, 1);
}

static void setup_plain_1(void)
{
	setup_plain(1);
}

static void setup_plain_2(void)
{
	setup_plain(2);
}

static const char *end_at_1(void)
{
	return world_check_consumer(1);
}

static const char *end_at_2(void)
{
	return world_check_consumer(2);
}

static const char *end_of_relay(void)
{
	return world_check_lane(1);
}

const struct explore_program programs[] = {
	{ .name = "lane_1",
	  .what = "3 items through a lane for 1",
	  .setup = setup_one_slot,
	  .threads = { { "producer", produce, false }, { "consumer", consume, false } },
	  .n_threads = 2,
	  .preemptions = -1,
	  .at_end = end_at_1 },
	{ .name = "lane_2",
	  .what = "3 items, 2 a turn, through a lane for 2",
	  .setup = setup_two_slots,
	  .threads = { { "producer", produce, false }, { "consumer", consume, false } },
	  .n_threads = 2,
	  .preemptions = -1,
	  .at_end = end_at_1 },
	{ .name = "note",
	  .what = "the item in hand of a worker that is killed",
	  .setup = setup_note,
	  .threads = { { 0 }, { "worker", note_turns, true }, { 0 }, { "supervisor", note_judge, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = -1 },
	{ .name = "note_take",
	  .what = "the same on the short way",
	  .setup = setup_note_take,
	  .threads = { { 0 }, { "worker", note_takes, true }, { 0 }, { "supervisor", note_judge, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = -1 },
	{ .name = "note_in_flight",
	  .what = "the same of an asynchronous stage",
	  .setup = setup_note_in_flight,
	  .threads = { { 0 }, { "worker", note_in_flight, true }, { 0 }, { "supervisor", note_judge, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = -1 },
	{ .name = "retire",
	  .what = "the items of a retired worker move",
	  .setup = setup_retire,
	  .threads = { { "producer", retire_produce, false },
		       { 0 },
		       { 0 },
		       { "supervisor", retire_supervise, false },
		       { "observer", retire_sum, false } },
	  .n_threads = 5,
	  .preemptions = -1,
	  .at_end = retire_end },
	{ .name = "retire_asleep",
	  .what = "what a retired worker left moves to one who sleeps",
	  .setup = setup_retire_asleep,
	  .threads = { { "producer", retire_produce, false }, { 0 }, { "consumer", retire_consume, false } },
	  .n_threads = 3,
	  .preemptions = -1 },
	{ .name = "loop",
	  .what = "a loop's head looks round beside a stage that commits twice",
	  .setup = setup_loop,
	  .threads = { { 0 }, { "stage", loop_stage, false }, { 0 }, { "head", loop_look, false } },
	  .n_threads = 4,
	  .preemptions = -1 },
	{ .name = "loop_retire",
	  .what = "a loop's head looks round while items of a retired worker move",
	  .setup = setup_loop_retire,
	  .threads = { { "producer", retire_produce, false },
		       { 0 },
		       { 0 },
		       { "supervisor", retire_supervise, false },
		       { "head", retire_look, false } },
	  .n_threads = 5,
	  .preemptions = -1 },
	{ .name = "in_flight",
	  .what = "an asynchronous operator is killed, and then its repair",
	  .setup = setup_asynchronous,
	  .threads = { { 0 },
		       { "operator", async_run, true },
		       { 0 },
		       { "supervisor", async_supervise, false },
		       { "successor", async_supervise_again, false } },
	  .n_threads = 5,
	  .kills = 2,
	  .preemptions = -1,
	  .at_end = async_end },
	{ .name = "pass_on",
	  .what = "an item passed on by reference, in a lane for one",
	  .setup = setup_pass,
	  .threads = { { "producer", produce, false },
		       { "relay", pass_relay, false },
		       { "consumer", pass_consume, false } },
	  .n_threads = 3,
	  .preemptions = 2,
	  .at_end = pass_end },
	{ .name = "ask_for_room",
	  .what = "who holds room sleeps until it is asked for it",
	  .setup = setup_ask,
	  .threads = { { "source", real_produce, false },
		       { "relay", pass_relay_asleep, false },
		       { "sink", pass_consume_asleep, false } },
	  .n_threads = 3,
	  .preemptions = 0,
	  .at_end = pass_end },
	{ .name = "drop_old",
	  .what = "a producer overwrites what its reader copies",
	  .setup = setup_drop,
	  .threads = { { "producer", drop_produce, false }, { "reader", drop_consume, false } },
	  .n_threads = 2,
	  .preemptions = 2,
	  .at_end = drop_end },
	{ .name = "rendezvous",
	  .what = "a sender goes on when its reader has committed",
	  .setup = setup_meet,
	  .threads = { { "source", meet_produce, false }, { "sink", meet_consume, false } },
	  .n_threads = 2,
	  .preemptions = 2,
	  .at_end = end_at_1 },
	{ .name = "plain",
	  .what = "emit window and short way, with real turns and sleeps",
	  .setup = setup_plain_2,
	  .threads = { { "source", real_produce_plain, false }, { "sink", real_consume_plain, false } },
	  .n_threads = 2,
	  .preemptions = 2,
	  .at_end = end_at_1 },
	{ .name = "repair",
	  .what = "an operator is killed, and then its repair",
	  .setup = setup_relay_alone,
	  .threads = { { 0 },
		       { "operator", relay, true },
		       { 0 },
		       { "supervisor", supervise, false },
		       { "successor", supervise_again, false } },
	  .n_threads = 5,
	  .kills = 2,
	  .preemptions = -1,
	  .at_end = end_of_relay },
	{ .name = "cursor",
	  .what = "snapshots of a cursor beside its writer",
	  .setup = setup_observed_cursor,
	  .threads = { { 0 }, { "worker", turns, false }, { 0 }, { "observer", observe_cursor, false } },
	  .n_threads = 4,
	  .preemptions = -1 },
	{ .name = "lanes_summed",
	  .what = "two lanes summed beside their operator",
	  .setup = setup_observed_lanes,
	  .threads = { { 0 }, { "operator", relay, false }, { 0 }, { "observer", observe_lanes, false } },
	  .n_threads = 4,
	  .preemptions = -1 },
	{ .name = "doorbell_data",
	  .what = "a real sink sleeps for a real source",
	  .setup = setup_doorbell_data,
	  .threads = { { "source", real_produce, false }, { "sink", real_consume, false } },
	  .n_threads = 2,
	  .preemptions = -1,
	  .at_end = end_at_1 },
	{ .name = "doorbell_space",
	  .what = "both sleep: for an item, and for room",
	  .setup = setup_doorbell_space,
	  .threads = { { "source", real_produce, false }, { "sink", real_consume, false } },
	  .n_threads = 2,
	  .preemptions = 2,
	  .at_end = end_at_1 },
	{ .name = "kill_producer",
	  .what = "a producer is killed",
	  .setup = setup_kill,
	  .threads = { { "producer", produce, true },
		       { "consumer", consume, false },
		       { 0 },
		       { "supervisor", supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = -1,
	  .at_end = end_at_1 },
	{ .name = "kill_consumer",
	  .what = "a consumer is killed",
	  .setup = setup_kill,
	  .threads = { { "producer", produce, false },
		       { "consumer", consume, true },
		       { 0 },
		       { "supervisor", supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = -1,
	  .at_end = end_at_1 },
	{ .name = "kill_operator",
	  .what = "an operator is killed beside its consumer",
	  .setup = setup_relay,
	  .threads = { { 0 },
		       { "operator", relay, true },
		       { "consumer", consume, false },
		       { "supervisor", supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 1,
	  .at_end = end_at_2 },
	{ .name = "kill_waker",
	  .what = "a real source or sink is killed, the other sleeps",
	  .setup = setup_doorbell_data,
	  .threads = { { "source", real_produce, true },
		       { "sink", real_consume, true },
		       { 0 },
		       { "supervisor", real_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 1,
	  .at_end = end_at_1 },
	{ .name = "kill_relay",
	  .what = "who has passed references on is killed",
	  .setup = setup_pass,
	  .threads = { { "producer", produce, false },
		       { "relay", pass_relay, true },
		       { "consumer", pass_consume, false },
		       { "supervisor", pass_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 0,
	  .at_end = pass_end },
	{ .name = "kill_in_room",
	  .what = "a producer is killed over room that it has given up",
	  .setup = setup_drop_kill,
	  .threads = { { "producer", drop_produce_into_room, false },
		       { "reader", drop_consume, false },
		       { 0 },
		       { "supervisor", drop_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 2,
	  .at_end = drop_end },
	{ .name = "kill_dropper",
	  .what = "a producer that overwrites is killed",
	  .setup = setup_drop_kill,
	  .threads = { { "producer", drop_produce, true },
		       { "reader", drop_consume, false },
		       { 0 },
		       { "supervisor", drop_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 0,
	  .at_end = drop_end },
	{ .name = "kill_holder",
	  .what = "a reader with a hold is killed",
	  .setup = setup_drop_kill,
	  .threads = { { "producer", drop_produce, false },
		       { "reader", drop_consume, true },
		       { 0 },
		       { "supervisor", drop_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 0,
	  .at_end = drop_end },
	{ .name = "kill_leaver",
	  .what = "a reader that leaves is killed",
	  .setup = setup_leave,
	  .threads = { { "source", leave_produce, false },
		       { "sink", leave_consume, true },
		       { 0 },
		       { "supervisor", leave_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 0,
	  .at_end = leave_end },
	{ .name = "kill_plain",
	  .what = "a source with a window, or a sink on the short way, is killed",
	  .setup = setup_plain_1,
	  .threads = { { "source", real_produce_plain, true },
		       { "sink", real_consume_plain, true },
		       { 0 },
		       { "supervisor", real_supervise, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = 0,
	  .at_end = end_at_1 },
};

const unsigned n_programs = sizeof(programs) / sizeof(*programs);
