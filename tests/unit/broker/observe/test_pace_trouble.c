/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/wire/heritage.h"
#include "tests/unit/broker/observe/made_pace.h"

/* ---- deaths, sizes ---- */

static void test_deaths(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_event(&made, PACE_EVENT_DIED, WORK, 40000, 0); /* long ago */
	made_event(&made, PACE_EVENT_DIED, WORK, 9000, 0);
	made_event(&made, PACE_EVENT_DIED, WORK, 5000, 0);
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_event(&made, PACE_EVENT_DIED, WORK, 1000, 0);
	made_words(&made, made_one(&made, PACE_IS_CRASHING, WORK),
		   "work: 3 workers have died within 9.0 s; the last one was killed by SIGKILL");
	strcpy(made.after.events[made.after.n_events - 1].text, "said \x1b[31m"); /* no terminal obeys it */
	made_words(&made, made_one(&made, PACE_IS_CRASHING, WORK), "; the last one said \\x1b[31m");
	/* Who is slow for that is not told twice. */
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_does(&made, WORK, 0, PACE_AWAY, 95);
	(void)made_one(&made, PACE_IS_CRASHING, WORK);
	made_deinit(&made);
}

static void test_poison(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	for (uint64_t i = 0; i < 3; i++)
		made_event(&made, PACE_EVENT_DIED, WORK, 3000 - (int64_t)i, 800 + i);
	(void)made_one(&made, PACE_IS_CRASHING, WORK); /* another item each time */
	made_event(&made, PACE_EVENT_DIED, WORK, 100, 801);
	(void)made_one(&made, PACE_IS_POISON, WORK);
	made_deinit(&made);
}

static void test_thrashing(void **state)
{
	static const uint64_t sizes[] = { 2, 4, 2, 1, 2, 1 };
	struct made made;

	(void)state;
	made_line(&made, "plugin", 4);
	for (size_t i = 0; i < 4; i++)
		made_event(&made, PACE_EVENT_SCALED, WORK, 9000 - (int64_t)i, sizes[i]);
	made_find(&made); /* up and down once: that is what it is for */
	assert_int_equal(made.n_findings, 0);
	for (size_t i = 4; i < 6; i++)
		made_event(&made, PACE_EVENT_SCALED, WORK, 9000 - (int64_t)i, sizes[i]);
	made_words(&made, made_one(&made, PACE_IS_THRASHING, WORK), "3 turns within 9.0 s");
	made_deinit(&made);
}

/* ---- losses ---- */

static void test_dead_letters(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_items(&made, WORK, 0, 100, 1000);
	made_worker(&made, WORK, 0)->ledger[LEDGER_REJECTED_IN] = 6;
	made_find(&made); /* a few are what the store is for */
	assert_int_equal(made.n_findings, 0);
	made_worker(&made, WORK, 0)->ledger[LEDGER_DEAD_LETTERED] = 6;
	made_words(&made, made_one(&made, PACE_IS_DEAD_LETTERS, WORK),
		   "12% of the items of work (12 in 1.0 s) are refused or given up");
	made_deinit(&made);
}

static void test_expiring(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_items(&made, WORK, 0, 100, 1000);
	made_worker(&made, WORK, 0)->ledger[LEDGER_EXPIRED] = 30;
	made_words(&made, made_one(&made, PACE_IS_EXPIRING, WORK), "30% of the items of work");
	made_deinit(&made);
}

/* New ones are counted by who sends, old ones by who takes; the stage that is too slow for them is named for both. */
static void test_drops(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_items(&made, WORK, 0, 300, 1000);
	made_does(&made, WORK, 0, PACE_AT_WORK, 99);
	made.edges[READ_WORK].full = HERITAGE_FULL_DROP_NEW;
	made_worker(&made, READ, 0)->ledger[LEDGER_DROPPED_NEW] = 700;
	made_words(&made, made_one(&made, PACE_IS_DROPS, WORK),
		   "70% of the items of work (700 in 1.0 s) are skipped, for its lane is full; it is busy 99%");
	made.edges[READ_WORK].full = HERITAGE_FULL_DROP_OLD;
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_worker(&made, WORK, 0)->ledger[LEDGER_DROPPED_OLD] = 100;
	(void)made_one(&made, PACE_IS_DROPS, WORK);
	made_deinit(&made);
}

/* ---- heads of loops ---- */

static void test_partners(void **state)
{
	enum { HEAD = 1, ASK = 2 };
	struct made made;
	uint32_t in, call, back, done;

	(void)state;
	made_init(&made);
	made_stage(&made, "read", "generate", WEIR_SOURCE, 1);
	made_stage(&made, "guard", "breaker", WEIR_OPERATOR, 1);
	made_stage(&made, "ask", "map", WEIR_OPERATOR, 1);
	made_stage(&made, "out", "discard", WEIR_SINK, 1);
	in = made_edge(&made, 0, HEAD);
	call = made_edge(&made, HEAD, ASK);
	back = made_edge(&made, ASK, HEAD);
	done = made_edge(&made, HEAD, 3);
	made.edges[back].feedback = 1;
	made_views(&made);
	made_worker(&made, HEAD, 0)->ledger[LEDGER_EMITTED] = 100;
	made_lane(&made, in, 0, 0)->bytes_in = 1000;
	made_lane(&made, call, 0, 0)->bytes_in = 900;
	made_lane(&made, done, 0, 0)->bytes_in = 1000;
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_lane(&made, call, 0, 0)->bytes_in = 100;
	made_words(&made, made_one(&made, PACE_IS_BREAKER, HEAD), "guard calls ask for 10% of what comes");
	made.stages[HEAD].kind = made.head.strings_bytes;
	strcpy(made.strings + made.head.strings_bytes, "retry");
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_lane(&made, call, 0, 0)->bytes_in = 3000;
	made_words(&made, made_one(&made, PACE_IS_RETRIES, HEAD), "guard calls ask 3.0 times for each item");
	made_deinit(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deaths),       cmocka_unit_test(test_poison),   cmocka_unit_test(test_thrashing),
		cmocka_unit_test(test_dead_letters), cmocka_unit_test(test_expiring), cmocka_unit_test(test_drops),
		cmocka_unit_test(test_partners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
