/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every cell of strategies x restart types x ends, decided without a process: which seats get another generation.
 *
 *      in#0 -> a#0 a#1 -> b#0 b#1 -> out#0        dies: a#0
 *         '--> c#0
 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "broker/lifecycle/strategy.h"
#include "broker/lifecycle/verdict.h"

enum { IN, A, B, C, OUT, STAGES };
enum end { EXIT_ZERO, EXIT_N, SIGNALLED, EXEC_FAILURE, NEVER_READY, SAID_SO, CLEAN, ENDS };
#define SETS_SIZE 128

static const struct {
	const char *name;
	uint32_t stage;
} seats[] = { { "in#0", IN }, { "a#0", A }, { "a#1", A }, { "b#0", B }, { "b#1", B }, { "out#0", OUT }, { "c#0", C } };
#define SEATS (sizeof(seats) / sizeof(seats[0]))
#define DEAD 1u

static struct plan_edge edges[] = {
	{ .from = B, .to = OUT }, { .from = A, .to = B }, { .from = IN, .to = A }, { .from = IN, .to = C }
};
static struct plan_stage stages[STAGES];
static struct plan plan = { .stages = stages, .n_stages = STAGES, .edges = edges, .n_edges = 4 };

static const struct verdict_facts facts[ENDS] = {
	[EXIT_ZERO] = { .started = true, .exited_zero = true },
	[EXIT_N] = { .started = true },
	[SIGNALLED] = { .started = true },
	[EXEC_FAILURE] = { .started = true, .no_program = true },
	[NEVER_READY] = { .started = true },
	[SAID_SO] = { .started = true, .failed = true },
	[CLEAN] = { .started = true, .ended = true, .exited_zero = true },
};

#define ONE "a#0 "
#define REST "a#0 b#0 b#1 out#0 "
#define ALL "in#0 a#0 a#1 b#0 b#1 out#0 c#0 "
#define NOBODY ""

/*                                                     exit 0  exit n  signal  exec    never   said so  clean end
 *                                                                             failure ready                        */
static const char *const expected[3][3][ENDS] = {
	[PLAN_ONE_FOR_ONE] = {
		[PLAN_PERMANENT] = { ONE,    ONE,    ONE,    ONE,    ONE,    ONE,    NOBODY },
		[PLAN_TRANSIENT] = { ONE,    ONE,    ONE,    ONE,    ONE,    NOBODY, NOBODY },
		[PLAN_TEMPORARY] = { NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY },
	},
	[PLAN_REST_FOR_ONE] = {
		[PLAN_PERMANENT] = { REST,   REST,   REST,   REST,   REST,   REST,   NOBODY },
		[PLAN_TRANSIENT] = { REST,   REST,   REST,   REST,   REST,   NOBODY, NOBODY },
		[PLAN_TEMPORARY] = { NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY },
	},
	[PLAN_ONE_FOR_ALL] = {
		[PLAN_PERMANENT] = { ALL,    ALL,    ALL,    ALL,    ALL,    ALL,    NOBODY },
		[PLAN_TRANSIENT] = { ALL,    ALL,    ALL,    ALL,    ALL,    NOBODY, NOBODY },
		[PLAN_TEMPORARY] = { NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY },
	},
};

/* What the supervisor does with the two decisions, in the order of the start. */
static void restarted(enum plan_strategy strategy, enum plan_restart type, enum end end, char *ret_set)
{
	struct verdict_facts death = facts[end];
	bool behind[STAGES];

	death.type = type;
	ret_set[0] = '\0';
	if (verdict_of(&death) != VERDICT_RESTART)
		return;
	plan_downstream(&plan, seats[DEAD].stage, behind);
	for (size_t i = 0; i < SEATS; i++) {
		const struct sibling sibling = { .self = i == DEAD,
						 .downstream = behind[seats[i].stage],
						 .alive = i != DEAD };

		if (sibling.self || strategy_fate(strategy, &sibling) == SIBLING_RESTARTS)
			snprintf(ret_set + strlen(ret_set), SETS_SIZE - strlen(ret_set), "%s ", seats[i].name);
	}
}

static void test_every_cell(void **state)
{
	(void)state;
	for (int strategy = 0; strategy < 3; strategy++)
		for (int type = 0; type < 3; type++)
			for (int end = 0; end < ENDS; end++) {
				char set[SETS_SIZE];

				restarted((enum plan_strategy)strategy, (enum plan_restart)type, (enum end)end, set);
				if (strcmp(set, expected[strategy][type][end]) != 0)
					fail_msg("%s, type %d, end %d: '%s' instead of '%s'",
						 strategy_name((enum plan_strategy)strategy), type, end, set,
						 expected[strategy][type][end]);
			}
}

static void test_who_is_not_alive_is_left_alone(void **state)
{
	(void)state;
	for (int type = 0; type < 3; type++) {
		const struct sibling sibling = { .downstream = true, .type = (enum plan_restart)type };

		assert_int_equal(strategy_fate(PLAN_REST_FOR_ONE, &sibling), SIBLING_STAYS);
		assert_int_equal(strategy_fate(PLAN_ONE_FOR_ALL, &sibling), SIBLING_STAYS);
	}
}

/* As in OTP: a temporary child goes with the others, and does not come back. */
static void test_a_temporary_sibling_ends(void **state)
{
	struct sibling sibling = { .alive = true, .type = PLAN_TEMPORARY };

	(void)state;
	assert_int_equal(strategy_fate(PLAN_ONE_FOR_ONE, &sibling), SIBLING_STAYS);
	assert_int_equal(strategy_fate(PLAN_REST_FOR_ONE, &sibling), SIBLING_STAYS);
	assert_int_equal(strategy_fate(PLAN_ONE_FOR_ALL, &sibling), SIBLING_ENDS);
	sibling.downstream = true;
	assert_int_equal(strategy_fate(PLAN_REST_FOR_ONE, &sibling), SIBLING_ENDS);
}

static void test_what_is_behind_does_not_go_round_a_loop(void **state)
{
	struct plan_edge loop[] = { { .from = IN, .to = A },
				    { .from = A, .to = B },
				    { .from = B, .to = A, .feedback = true },
				    { .from = B, .to = OUT } };
	const struct plan looped = { .n_stages = STAGES, .edges = loop, .n_edges = 4 };
	bool behind[STAGES];

	(void)state;
	plan_downstream(&looped, B, behind);
	assert_true(behind[OUT] && !behind[A] && !behind[B] && !behind[IN] && !behind[C]);
	plan_downstream(&looped, A, behind);
	assert_true(behind[OUT] && behind[B] && !behind[A] && !behind[IN]);
	plan_downstream(&looped, OUT, behind);
	for (int i = 0; i < STAGES; i++)
		assert_false(behind[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell),
		cmocka_unit_test(test_who_is_not_alive_is_left_alone),
		cmocka_unit_test(test_a_temporary_sibling_ends),
		cmocka_unit_test(test_what_is_behind_does_not_go_round_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
