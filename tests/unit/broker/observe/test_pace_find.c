/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/wire/heritage.h"
#include "tests/unit/broker/observe/made_pace.h"

/* ---- who is to blame ---- */

static void test_slow_stage(void **state)
{
	struct made made;
	const struct pace_finding *finding;
	_cleanup_(text_deinit) struct text advice = TEXT_NULL;

	(void)state;
	made_line(&made, "plugin", 2);
	made_wants_room(&made, READ_WORK, 0, 0, 60);
	made_wants_room(&made, READ_WORK, 0, 1, 33);
	for (uint32_t i = 0; i < 2; i++) {
		made_does(&made, WORK, i, PACE_AT_WORK, 98);
		made_items(&made, WORK, i, 250, 4 * NS_PER_MS);
	}
	finding = made_one(&made, PACE_IS_SLOW_STAGE, WORK);
	assert_float_equal(finding->waits, 0.93, 0.001);
	assert_float_equal(finding->busy, 0.98, 0.001);
	assert_float_equal(finding->per_second, 500, 0.1);
	assert_float_equal(finding->item_ns, 4e6, 1);
	assert_int_equal(finding->n_chain, 2);
	made_words(&made, finding, "read waits for room at work 93% of the time; work (up to 2 workers) is busy 98%");
	made_words(&made, finding, "4 ms an item, 500 items/s");
	pace_advise(&made.catalog, finding, "orders", &advice);
	assert_non_null(strstr(text_get(&advice), "weir why orders --stack work shows where it is"));
	made_deinit(&made);
}

/* The blame goes on to the end of the chain, and the chain is told. */
static void test_chain(void **state)
{
	struct made made;
	const struct pace_finding *finding;

	(void)state;
	made_line(&made, "plugin", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_wants_room(&made, WORK_OUT, 0, 0, 80);
	made_does(&made, WORK, 0, PACE_AT_WORK, 15);
	made_does(&made, OUT, 0, PACE_AT_WORK, 99);
	finding = made_one(&made, PACE_IS_SLOW_STAGE, OUT);
	assert_int_equal(finding->n_chain, 3);
	made_words(&made, finding,
		   "read waits for room at work, work waits for room at out 80% of the time; out is busy 99%");
	made_deinit(&made);
}

/* Held up a little by who is behind it, but mostly by itself: the blame stays. */
static void test_blame_stays(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_wants_room(&made, WORK_OUT, 0, 0, 35);
	made_does(&made, WORK, 0, PACE_AT_WORK, 60);
	made_does(&made, OUT, 0, PACE_AT_WORK, 50);
	(void)made_first(&made, PACE_IS_SLOW_STAGE, WORK);
	made_deinit(&made);
}

static void test_outside(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "exec", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 90);
	made_does(&made, WORK, 0, PACE_OUTSIDE, 95);
	made_words(&made, made_one(&made, PACE_IS_OUTSIDE, WORK), "waits for something outside 95%");
	made_deinit(&made);
}

static void test_no_processor(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 90);
	made_does(&made, WORK, 0, PACE_AT_WORK, 98);
	made_worker(&made, WORK, 0)->starved_ns = 700 * NS_PER_MS;
	made_words(&made, made_one(&made, PACE_IS_NO_PROCESSOR, WORK), "for a processor 70%");
	made_deinit(&made);
}

static void test_small_lane(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 45);
	made_does(&made, WORK, 0, PACE_AT_WORK, 52);
	made_words(&made, made_one(&made, PACE_IS_SMALL_LANE, WORK), "the lane holds 64.0 KiB");
	made.stages[WORK].rendezvous =
		1; /* there a producer waits for its consumer, however fast that is: the lane is none */
	(void)made_one(&made, PACE_IS_SLOW_STAGE, WORK);
	made_deinit(&made);
}

/* ---- one of several ---- */

static void make_odd_one(struct made *made, uint64_t n_odd, uint64_t n_others)
{
	made_line(made, "plugin", 4);
	made_wants_room(made, READ_WORK, 0, 2, 90);
	for (uint32_t i = 0; i < 4; i++) {
		made_does(made, WORK, i, PACE_AT_WORK, i == 2 ? 100 : 10);
		made_items(made, WORK, i, i == 2 ? n_odd : n_others, NS_PER_MS);
	}
}

static void test_slow_worker(void **state)
{
	struct made made;
	const struct pace_finding *finding;

	(void)state;
	make_odd_one(&made, 10, 100);
	finding = made_one(&made, PACE_IS_SLOW_WORKER, WORK);
	assert_int_equal(finding->worker, made.stages[WORK].first_slot + 2);
	made_words(&made, finding, "work#2 is busy 100%");
	made_words(&made, finding, "100 ms an item, 10.0 items/s; the other workers of that stage take 1 ms");
	made_deinit(&made);
}

static void test_hot_key(void **state)
{
	struct made made;

	(void)state;
	make_odd_one(&made, 900, 30);
	made.stages[WORK].balance = HERITAGE_BALANCE_KEY;
	made_words(&made, made_one(&made, PACE_IS_HOT_KEY, WORK), "which are 91% of the items of work");
	/* The same share of the time, but for few items: it is the worker. */
	memset(made.after.workers[made.stages[WORK].first_slot + 2].ledger, 0, sizeof(made.after.workers[0].ledger));
	made_items(&made, WORK, 2, 5, NS_PER_MS);
	(void)made_one(&made, PACE_IS_SLOW_WORKER, WORK);
	made_deinit(&made);
}

/* The others take over what it does not get done, and nobody waits: it is named all the same, once items wait for it. */
static void test_slow_worker_that_holds_nobody_up(void **state)
{
	struct made made;

	(void)state;
	make_odd_one(&made, 10, 100);
	made_lane(&made, READ_WORK, 0, 2)->n_room = 0;
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_lane(&made, READ_WORK, 0, 2)->filled_bytes = MADE_LOOKS * 100;
	(void)made_one(&made, PACE_IS_SLOW_WORKER, WORK);
	made_deinit(&made);
}

/* All have the same to do. */
static void test_even_workers(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 4);
	for (uint32_t i = 0; i < 4; i++) {
		made_does(&made, WORK, i, PACE_AT_WORK, 80);
		made_items(&made, WORK, i, 100, NS_PER_MS);
		made_lane(&made, READ_WORK, 0, i)->filled_bytes = MADE_LOOKS * 100;
	}
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_deinit(&made);
}

/* ---- the wrong lane ---- */

/* Four workers in order: three have items ready and wait for room, the sink wants those of the fourth. */
static void test_head_of_line(void **state)
{
	struct made made;
	const struct pace_finding *finding;

	(void)state;
	made_line(&made, "exec", 4);
	for (uint32_t i = 0; i < 4; i++) {
		if (i == 1) {
			made_does(&made, WORK, i, PACE_OUTSIDE, 95);
			made_lane(&made, WORK_OUT, i, 0)->n_item = 90;
			continue;
		}
		made_wants_room(&made, WORK_OUT, i, 0, 95);
		made_lane(&made, WORK_OUT, i, 0)->n_passed_over = 90;
	}
	finding = made_first(&made, PACE_IS_HEAD_OF_LINE, WORK);
	assert_int_equal(finding->worker, made.stages[WORK].first_slot + 1);
	made_words(&made, finding, "out has items and waits 100% of the time for those of work#1");
	made_deinit(&made);
}

/* Two sources, one of which says nothing. */
static void test_silent_input(void **state)
{
	struct made made;
	uint32_t loud, silent, merge, loud_edge, silent_edge;

	(void)state;
	made_init(&made);
	loud = made_stage(&made, "loud", "generate", WEIR_SOURCE, 1);
	silent = made_stage(&made, "silent", "exec", WEIR_SOURCE, 1);
	merge = made_stage(&made, "all", "merge", WEIR_SINK, 1);
	loud_edge = made_edge(&made, loud, merge);
	silent_edge = made_edge(&made, silent, merge);
	made_views(&made);
	made_wants_room(&made, loud_edge, 0, 0, 99);
	made_does(&made, silent, 0, PACE_OUTSIDE, 100);
	made_lane(&made, loud_edge, 0, 0)->n_passed_over = 100;
	made_lane(&made, silent_edge, 0, 0)->n_item = 100;
	made_words(&made, made_one(&made, PACE_IS_SILENT_INPUT, silent),
		   "all has items and waits 100% of the time for those of silent");
	/* The loud one has room left, but nothing comes out. */
	made_lane(&made, loud_edge, 0, 0)->n_room = 0;
	(void)made_one(&made, PACE_IS_SILENT_INPUT, silent);
	/* It goes on, and waits a little for each item. */
	made_items(&made, merge, 0, 10, 1);
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_deinit(&made);
}

/* ---- sources, programs ---- */

static void test_source(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_does(&made, READ, 0, PACE_AT_WORK, 97);
	made_words(&made, made_one(&made, PACE_IS_SOURCE, READ), "all others wait for items; read is busy 97%");
	made_does(&made, WORK, 0, PACE_AT_WORK, 60); /* then they are a match */
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made_deinit(&made);
}

static void test_source_whose_program_works(void **state)
{
	struct made made;
	struct pace_worker *worker;

	(void)state;
	made_line(&made, "plugin", 1);
	made_does(&made, READ, 0, PACE_OUTSIDE, 100);
	worker = made_worker(&made, READ, 0);
	worker->n_program_looks = 20;
	strcpy(worker->program, "slowly");
	worker->program_pid = 4711;
	made_find(&made); /* it waits for its input, and so does the source */
	assert_int_equal(made.n_findings, 0);
	worker->n_program_ran = 19;
	made_words(&made, made_one(&made, PACE_IS_SOURCE, READ), "its program slowly (pid 4711) is running");
	made_deinit(&made);
}

static void test_programs(void **state)
{
	struct made made;
	struct pace_worker *worker;

	(void)state;
	made_line(&made, "exec", 2);
	worker = made_worker(&made, WORK, 1);
	worker->n_program_looks = 20;
	worker->n_program_reads = 18;
	worker->ledger[LEDGER_HELD] = 12;
	strcpy(worker->program, "awk");
	made_words(&made, made_one(&made, PACE_IS_BUFFERING, WORK),
		   "work#1: its program awk (pid 0) waits for more input and has not answered 12 items");
	worker->n_program_stopped = 20;
	made_words(&made, made_one(&made, PACE_IS_PROGRAM_STOPPED, WORK), "is stopped by a signal");
	made_deinit(&made);
}

/* ---- a throttle ---- */

static void test_limit(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "throttle", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_does(&made, WORK, 0, PACE_DUE, 95);
	made_items(&made, WORK, 0, 1000, 100);
	made_words(&made, made_one(&made, PACE_IS_LIMIT, WORK), "100 ns an item, 1,000 items/s");
	assert_true(pace_kind_lines[PACE_IS_LIMIT].by_design);
	made_worker(&made, WORK, 0)->ledger[LEDGER_EXPIRED] = 7;
	(void)made_first(&made, PACE_IS_LIMIT_LOSES, WORK);
	assert_false(pace_kind_lines[PACE_IS_LIMIT_LOSES].by_design);
	made_deinit(&made);
}

/* What the spec asks for comes last. */
static void test_order(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "throttle", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_does(&made, WORK, 0, PACE_DUE, 95);
	made_items(&made, OUT, 0, 100, 100);
	made_worker(&made, OUT, 0)->ledger[LEDGER_REJECTED_IN] = 50;
	(void)made_first(&made, PACE_IS_DEAD_LETTERS, OUT);
	assert_int_equal(made.n_findings, 2);
	assert_int_equal(made.findings[1].kind, PACE_IS_LIMIT);
	made_deinit(&made);
}

/* ---- nothing holds these back ---- */

static void expect_nothing(struct made *made)
{
	made_find(made);
	assert_int_equal(made->n_findings, 0);
	made_deinit(made);
}

static void test_healthy(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 2); /* idle: its source waits for input */
	made_does(&made, READ, 0, PACE_OUTSIDE, 100);
	expect_nothing(&made);
	made_line(&made, "plugin", 1); /* a match: now and then there is no room */
	made_does(&made, READ, 0, PACE_AT_WORK, 75);
	made_wants_room(&made, READ_WORK, 0, 0, 20);
	made_does(&made, WORK, 0, PACE_AT_WORK, 90);
	expect_nothing(&made);
	made_line(&made, "plugin", 1); /* all have died once, of different things */
	made_event(&made, PACE_EVENT_DIED, READ, 100, 0);
	made_event(&made, PACE_EVENT_DIED, WORK, 90, 5);
	made_event(&made, PACE_EVENT_DIED, OUT, 80, 5);
	expect_nothing(&made);
}

/* What comes up, ends, or was hardly seen is not judged. */
static void test_not_judged(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 1);
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_does(&made, WORK, 0, PACE_AT_WORK, 99);
	(void)made_one(&made, PACE_IS_SLOW_STAGE, WORK);
	made.after.running = false;
	made_find(&made);
	assert_int_equal(made.n_findings, 0);
	made.after.running = true;
	for (uint32_t i = 0; i < made.head.n_slots; i++)
		made.before.workers[i].n_looks = MADE_LOOKS - 5;
	expect_nothing(&made);
}

/* Seats where nobody is wanted do not make a stage look idle. */
static void test_resting_seats(void **state)
{
	struct made made;

	(void)state;
	made_line(&made, "plugin", 4);
	made_wants_room(&made, READ_WORK, 0, 0, 95);
	made_does(&made, WORK, 0, PACE_AT_WORK, 99);
	for (uint32_t i = 1; i < 4; i++)
		made_worker(&made, WORK, i)->counts = false;
	(void)made_one(&made, PACE_IS_SLOW_STAGE, WORK);
	made_deinit(&made);
}

static void test_json(void **state)
{
	struct made made;
	_cleanup_(text_deinit) struct text json = TEXT_NULL;

	(void)state;
	make_odd_one(&made, 10, 100);
	pace_format_json(&made.catalog, made_one(&made, PACE_IS_SLOW_WORKER, WORK), "orders", &json);
	assert_non_null(strstr(
		text_get(&json),
		"{\"kind\":\"slow-worker\",\"by_design\":false,\"stage\":\"work\",\"index\":2,\"waits\":0.900,"));
	assert_non_null(strstr(text_get(&json), "\"items_per_second\":10.000,\"item_seconds\":0.100000000,"));
	assert_non_null(strstr(text_get(&json), "\"chain\":[\"read\",\"work\"],\"sentence\":\"read waits for room"));
	made_deinit(&made);
}

/* docs/slow.md has a row for each kind. */
static void test_the_document_knows_every_kind(void **state)
{
	static char document[65536];
	FILE *file = fopen(WEIR_SOURCE_DIR "/docs/slow.md", "r");

	(void)state;
	assert_non_null(file);
	assert_true(fread(document, 1, sizeof(document) - 1, file) > 0);
	assert_int_equal(fclose(file), 0);
	for (unsigned i = 0; i < PACE_KIND_COUNT; i++) {
		char row[64];

		snprintf(row, sizeof(row), "\n| `%s` | ", pace_kind_lines[i].name);
		if (!strstr(document, row))
			fail_msg("docs/slow.md has no row for '%s'", pace_kind_lines[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_stage),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_blame_stays),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_no_processor),
		cmocka_unit_test(test_small_lane),
		cmocka_unit_test(test_slow_worker),
		cmocka_unit_test(test_hot_key),
		cmocka_unit_test(test_slow_worker_that_holds_nobody_up),
		cmocka_unit_test(test_even_workers),
		cmocka_unit_test(test_head_of_line),
		cmocka_unit_test(test_silent_input),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_source_whose_program_works),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_not_judged),
		cmocka_unit_test(test_resting_seats),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_the_document_knows_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
