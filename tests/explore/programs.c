/* SPDX-License-Identifier: Apache-2.0 */
/* The programs: who runs, what may die, what must hold in the end. Violations inside bodies are reported there. */
#include "tests/explore/programs.h"

#include "tests/explore/observers.h"
#include "tests/explore/real.h"
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
	  .threads = { { 0 }, { "worker", real_note, true }, { 0 }, { "supervisor", real_judge_note, false } },
	  .n_threads = 4,
	  .kills = 1,
	  .preemptions = -1 },
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
};

const unsigned n_programs = sizeof(programs) / sizeof(*programs);
