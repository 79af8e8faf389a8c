/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "broker/supervise/stall.h"
#include "common/memory/segment_layout.h"

#define S UINT64_C(1000000000)

/* source -> sink: the sink is at work on an item. */
struct pair {
	struct stall_topology topology;
	struct stall_worker workers[2];
	struct stall_level level;
	struct stall_snapshot snapshot;
	struct stall_history histories[2];
	uint64_t now_ns;
};

static void pair_open(struct pair *pair)
{
	const struct stall_seat seats[] = { { "source", 0, true }, { "sink", 0, false } };
	const struct stall_lane lane = { 0, 1, 0, 65536 };

	memset(pair, 0, sizeof(*pair));
	stall_topology_init(&pair->topology, seats, 2, &lane, 1);
	pair->workers[0] = (struct stall_worker){
		.doing = STALL_WAITS, .waits_for = WAIT_FOR_ROOM, .lane = 0, .hand_lane = STALL_NONE, .generation = 1
	};
	pair->workers[1] = (struct stall_worker){ .doing = STALL_BUSY,
						  .lane = STALL_NONE,
						  .hand_lane = STALL_NONE,
						  .has_hand = true,
						  .generation = 1,
						  .kernel = 'R' };
	pair->level = (struct stall_level){ .tail = 100 };
	pair->snapshot = (struct stall_snapshot){ pair->workers, &pair->level };
	pair->now_ns = 100 * S;
}

/* So many seconds later. Returns the number of findings. */
static size_t pair_look(struct pair *pair, uint64_t seconds)
{
	struct stall_finding findings[STALL_FINDINGS_MAX];
	uint64_t last_ns = pair->histories[0].known ? pair->now_ns : 0;

	pair->now_ns += seconds * S;
	stall_remember(&pair->topology, pair->histories, &pair->snapshot, last_ns, pair->now_ns);
	stall_hear_kernel(&pair->topology, pair->histories, &pair->snapshot, pair->now_ns);
	return stall_find(&pair->topology, pair->histories, &pair->snapshot, pair->now_ns, findings);
}

static void test_a_stall_needs_its_time(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pair_look(&pair, 1), 0);
	assert_int_equal(pair_look(&pair, 1), 1);
	pair.workers[1].moved++;
	assert_int_equal(pair_look(&pair, 1), 0);
	stall_topology_deinit(&pair.topology);
}

/* A sink that takes six seconds for each item is named once, and then known to be slow; after a restart nothing is known of it. */
static void test_patience_is_learned(void **state)
{
	struct pair pair;
	size_t n_named = 0;

	(void)state;
	pair_open(&pair);
	for (unsigned i = 0; i < 100; i++) {
		n_named += pair_look(&pair, 1);
		pair.workers[1].moved += i % 6 == 5;
	}
	assert_in_range(n_named, 1, 2);
	assert_in_range(stall_patience_ns(&pair.histories[1]), 20 * S, 30 * S);
	pair.workers[1].generation = 2;
	pair_look(&pair, 1);
	assert_int_equal(stall_patience_ns(&pair.histories[1]), STALL_PATIENCE_NS);
	pair.histories[1].longest_ns = UINT64_MAX / 2;
	assert_int_equal(stall_patience_ns(&pair.histories[1]), STALL_PATIENCE_MAX_NS);
	stall_topology_deinit(&pair.topology);
}

static void test_a_stop_teaches_no_patience(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.workers[1].kernel = 'T';
	for (unsigned i = 0; i < 50; i++)
		pair_look(&pair, 1);
	pair.workers[1].moved++;
	pair_look(&pair, 1);
	assert_int_equal(stall_patience_ns(&pair.histories[1]), STALL_PATIENCE_NS);
	stall_topology_deinit(&pair.topology);
}

/* Full processors: the worker wants to run and gets one second of ten. */
static void test_time_without_a_processor_does_not_count(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.workers[1].starved_ns = 1000 * S; /* in its life before */
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(pair_look(&pair, 1), 0);
		pair.workers[1].starved_ns += S - S / 10;
	}
	for (unsigned i = 0; i < 40; i++)
		pair_look(&pair, 1); /* now it has one */
	assert_int_equal(pair_look(&pair, 1), 1);
	stall_topology_deinit(&pair.topology);
}

static void test_a_look_is_late_once(void **state)
{
	(void)state;
	assert_int_equal(stall_late_ns(10 * S, 11 * S, 12 * S), 0);
	assert_int_equal(stall_late_ns(10 * S, 11 * S, 20 * S), 9 * S);
	assert_int_equal(stall_late_ns(20 * S, 11 * S, 20 * S),
			 0); /* the timer's, after somebody has asked, who came first */
	assert_int_equal(stall_late_ns(12 * S, 11 * S, 14 * S), 2 * S);
	assert_int_equal(stall_late_ns(10 * S, 0, 3600 * S), 0); /* everybody was at rest */
}

static void test_a_late_look_is_forgiven(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_look(&pair, 1);
	pair_look(&pair, 1);
	stall_forgive(&pair.topology, pair.histories, pair.now_ns, 3600 * S); /* the machine was asleep */
	assert_int_equal(pair_look(&pair, 3600), 0);
	stall_topology_deinit(&pair.topology);
}

/* Everybody was stopped, and the worker, which had just gone on and fallen asleep, is the last one to be let go. */
static void test_a_late_look_that_finds_it_moved_is_forgiven(void **state)
{
	uint64_t last_ns;
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair_look(&pair, 1);
	pair_look(&pair, 1);
	pair.workers[1].moved++;
	pair.workers[1].doing = STALL_WAITS;
	pair.workers[1].waits_for = WAIT_FOR_EVENT;
	pair.workers[1].since_ns = pair.now_ns;
	pair.workers[1].kernel = 'T';
	last_ns = stall_forgive(&pair.topology, pair.histories, pair.now_ns, 30 * S);
	pair.now_ns += 30 * S;
	stall_remember(&pair.topology, pair.histories, &pair.snapshot, last_ns, pair.now_ns);
	stall_hear_kernel(&pair.topology, pair.histories, &pair.snapshot, pair.now_ns);
	assert_int_equal(pair_look(&pair, 0), 0);
	assert_int_equal(pair_look(&pair, 0), 0);
	assert_int_equal(pair_look(&pair, 1), 1); /* but somebody has stopped it alone */
	assert_int_equal(stall_forgive(&pair.topology, pair.histories, 0, 30 * S), 0); /* no look at all is no look */
	stall_topology_deinit(&pair.topology);
}

/* Whoever waits for a long time, and for good reason, may be stopped for a moment: a pause by chaos, the machine for somebody alone. */
static void test_a_moment_in_which_it_is_stopped_is_none(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.workers[1].doing = STALL_WAITS;
	pair.workers[1].waits_for = WAIT_FOR_ROOM;
	for (unsigned i = 0; i < 60; i++)
		(void)pair_look(&pair, 1);
	for (unsigned i = 0; i < 5; i++) {
		pair.workers[1].kernel = 'T';
		assert_int_equal(pair_look(&pair, 1), 0);
		pair.workers[1].kernel = 'S';
		assert_int_equal(pair_look(&pair, 1), 0);
	}
	pair.workers[1].kernel = 'T';
	assert_int_equal(pair_look(&pair, 1), 0);
	assert_int_equal(pair_look(&pair, 1), 1);
	stall_topology_deinit(&pair.topology);
}

/* Asleep for room for a minute, which is nobody's fault; and seen in the moment in which it has woken to look round. */
static void test_one_that_looks_round_is_not_stuck_in_its_stage(void **state)
{
	struct stall_finding findings[STALL_FINDINGS_MAX];
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.workers[1].doing = STALL_WAITS;
	pair.workers[1].waits_for = WAIT_FOR_ROOM;
	for (unsigned i = 0; i < 60; i++)
		(void)pair_look(&pair, 1);
	pair.workers[1].doing = STALL_BUSY;
	pair.workers[1].since_ns = pair.now_ns + S / 2;
	assert_int_equal(pair_look(&pair, 1), 0);
	assert_int_equal(pair_look(&pair, 4), 0);
	assert_int_equal(pair_look(&pair, 1), 1);
	assert_int_equal(stall_find(&pair.topology, pair.histories, &pair.snapshot, pair.now_ns, findings), 1);
	assert_int_equal(findings[0].kind, STALL_KIND_CALLBACK);
	assert_int_equal(pair.now_ns - findings[0].since_ns, 5 * S + S / 2);
	stall_topology_deinit(&pair.topology);
}

/* A worker that has had nothing to do for an hour has not been stuck for an hour when it gets something. */
static void test_rest_is_no_pause(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.workers[0].waits_for = WAIT_FOR_EVENT;
	pair.workers[1].has_hand = false;
	pair.workers[1].doing = STALL_WAITS;
	pair.workers[1].waits_for = WAIT_FOR_ITEM;
	pair.level.done = pair.level.free = 100;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pair_look(&pair, 720), 0);
	assert_true(stall_is_idle(&pair.topology, pair.histories, &pair.snapshot));
	pair.level.tail = 200;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pair_look(&pair, 0), 0);
	assert_false(stall_is_idle(&pair.topology, pair.histories, &pair.snapshot)); /* nobody has woken it */
	pair.workers[1].doing = STALL_BUSY;
	assert_int_equal(pair_look(&pair, 1), 0);
	assert_int_equal(pair_look(&pair, 1), 0);
	assert_false(stall_is_idle(&pair.topology, pair.histories, &pair.snapshot));
	assert_int_equal(stall_patience_ns(&pair.histories[1]), STALL_PATIENCE_NS);
	stall_topology_deinit(&pair.topology);
}

/* Since when one waits is not since it last woke up to look round. */
static void test_a_waiter_that_looks_round_has_not_moved(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.workers[0].since_ns = 100 * S;
	pair_look(&pair, 1);
	pair.workers[0].since_ns = 104 * S;
	pair_look(&pair, 5);
	assert_int_equal(stall_since_ns(&pair.histories[0], &pair.workers[0]), 100 * S);
	pair.workers[0].moved++;
	pair.workers[0].since_ns = 108 * S;
	pair_look(&pair, 5);
	assert_int_equal(stall_since_ns(&pair.histories[0], &pair.workers[0]), 108 * S);
	stall_topology_deinit(&pair.topology);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stall_needs_its_time),
		cmocka_unit_test(test_patience_is_learned),
		cmocka_unit_test(test_a_stop_teaches_no_patience),
		cmocka_unit_test(test_time_without_a_processor_does_not_count),
		cmocka_unit_test(test_a_look_is_late_once),
		cmocka_unit_test(test_a_late_look_is_forgiven),
		cmocka_unit_test(test_a_late_look_that_finds_it_moved_is_forgiven),
		cmocka_unit_test(test_a_moment_in_which_it_is_stopped_is_none),
		cmocka_unit_test(test_one_that_looks_round_is_not_stuck_in_its_stage),
		cmocka_unit_test(test_rest_is_no_pause),
		cmocka_unit_test(test_a_waiter_that_looks_round_has_not_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
