/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/summary.h"
#include "broker/supervise/supervisor.h"
#include "tests/unit/broker/cli/sample_view.h"

/* hello.yaml: five items, straight from a source to a sink. */
static void hello(struct sample *s)
{
	sample_init(s);
	memset(s->view.ledger, 0, sizeof(s->view.ledger));
	for (unsigned i = 0; i < 3; i++) {
		memset(s->stages[i].ledger, 0, sizeof(s->stages[i].ledger));
		s->stages[i].restarts = 0;
	}
	s->view.pipeline = "hello";
	s->view.ledger[LEDGER_ACCEPTED] = s->view.ledger[LEDGER_EMITTED] = 5;
	s->view.ledger[LEDGER_TAKEN] = s->view.ledger[LEDGER_DELIVERED] = 5;
	s->view.in_flight = 0;
	s->view.balanced = true;
}

static void check_summary(const struct ending *ending, const char *expected)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	summary_format(ending, 200, false, &text);
	assert_string_equal(text_get(&text), expected);
}

static void check_sentence(const struct ending *ending, const char *expected)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	ending_format(ending, &text);
	assert_string_equal(text_get(&text), expected);
}

static void test_hello_gets_one_line(void **state)
{
	struct sample s;
	struct ending ending = { .view = &s.view, .duration_ns = 42 * NS_PER_MS };

	(void)state;
	hello(&s);
	check_summary(&ending, "hello done in 42 ms: accepted 5 = delivered 5, balanced\n");
}

static void test_long_run_gets_a_table(void **state)
{
	struct sample s;
	struct ending ending = {
		.view = &s.view, .duration_ns = 10 * NS_PER_S, .exit_code = EXIT_LOSSES, .dead_letter_path = "bad.txt"
	};

	(void)state;
	sample_init(&s);
	s.view.balanced = true;
	s.stages[1].ledger[LEDGER_REJECTED_IN] = s.view.ledger[LEDGER_REJECTED_IN] = 2;
	check_summary(
		&ending,
		"STAGE     IN    OUT  FILTERED  REJECTED  RESTARTS  WORKERS\n"
		"read   1,000  1,000                                      1\n"
		"awk      900    800       100         2         2        4\n"
		"write    600    600                                      1\n"
		"orders ended in 10.0 s (100/s): accepted 1,000 + derived 800 = delivered 600 + filtered 100 + consumed 800 + rejected 2"
		" + in flight 300, balanced\n"
		"weir: ended with losses: 2 items rejected, 300 still in flight: these were accepted but have not arrived; run the pipeline"
		" again to have them done; look into bad.txt\n");
}

static void test_equation_holds_for_every_mix(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct view view = { .in_flight = 7, .balanced = true };

	(void)state;
	/* 100 accepted, 10 refused at once, 95 records made of the other 90; fates of all 95 and the 10 */
	view.ledger[LEDGER_ACCEPTED] = 100;
	view.ledger[LEDGER_REJECTED_OUT] = 10;
	view.ledger[LEDGER_EMITTED] = 95;
	view.ledger[LEDGER_DELIVERED] = 80;
	view.ledger[LEDGER_DEAD_LETTERED] = 1;
	view.ledger[LEDGER_EXPIRED] = 3;
	view.ledger[LEDGER_CANCELLED] = 4;
	ledger_format(&view, &text);
	assert_string_equal(
		text_get(&text),
		"accepted 100 + derived 5 = delivered 80 + rejected 10 + dead-lettered 1 + expired 3 + cancelled 4"
		" + in flight 7, balanced");
	assert_int_equal(100 + 5, 80 + 10 + 1 + 3 + 4 + 7);
	view.ledger[LEDGER_EMITTED] += 6;
	view.ledger[LEDGER_DROPPED_NEW] = 1;
	view.ledger[LEDGER_DROPPED_OLD] = 2;
	view.ledger[LEDGER_REFUSED] = 3;
	text_clear(&text);
	ledger_format(&view, &text);
	assert_string_equal(
		text_get(&text),
		"accepted 100 + derived 11 = delivered 80 + rejected 10 + dead-lettered 1 + expired 3 + cancelled 4"
		" + dropped (full: drop-new) 1 + dropped (full: drop-old) 2 + refused (full: reject) 3 + in flight 7, balanced");
}

static void test_broken_ledger_is_said(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct view view = { .balanced = false };

	(void)state;
	view.ledger[LEDGER_ACCEPTED] = 10;
	view.ledger[LEDGER_EMITTED] = 8;
	ledger_format(&view, &text);
	assert_string_equal(text_get(&text), "accepted 10 - derived 2 = delivered 0, NOT BALANCED");
}

static void test_sentences(void **state)
{
	struct view view = { .cause = "none", .balanced = true, .in_flight = 12 };
	struct ending ending = { .view = &view };

	(void)state;
	check_sentence(&ending, "");
	ending.exit_code = EXIT_SIGNAL_BASE + SIGINT;
	check_sentence(&ending, "ended by SIGINT (^C); nothing that was accepted was lost");
	ending.exit_code = EXIT_DRAIN_DEADLINE;
	check_sentence(
		&ending,
		"the drain deadline passed with 12 of the accepted items not delivered; give it more time ('drain:' in the spec,"
		" or --timeout), and look for the stage with the full queue");
	ending.unsettled = "some letters were not settled";
	check_sentence(
		&ending,
		"the drain deadline passed with 12 of the accepted items not delivered; give it more time ('drain:' in the spec,"
		" or --timeout), and look for the stage with the full queue; some letters were not settled");
	ending.unsettled = NULL;
	ending.exit_code = EXIT_TRY_AGAIN;
	ending.failure = "no such file";
	ending.failure_stage = "read";
	check_sentence(&ending, "could not start, nothing was accepted: stage 'read' failed: no such file");
	ending.exit_code = EXIT_LOSSES;
	check_sentence(
		&ending,
		"ended with losses: stage 'read' failed: no such file; 12 items still in flight: these were accepted but have not"
		" arrived; run the pipeline again to have them done");
	ending.failure = NULL;
	view.cause = "user";
	view.in_flight = 0;
	view.ledger[LEDGER_CANCELLED] = 1;
	check_sentence(&ending, "ended with losses: the run was cancelled (user); 1 item cancelled");
	ending.unsettled = "some letters were not settled";
	check_sentence(
		&ending,
		"ended with losses: the run was cancelled (user); 1 item cancelled; some letters were not settled");
	ending.unsettled = NULL;
	ending.exit_code = EXIT_STATE_CORRUPT;
	check_sentence(
		&ending,
		"the books do not balance, so the result can not be trusted; this is a fault of weir, not of the data: please"
		" report it together with this output");
	ending.failure = "its shared memory makes no sense";
	ending.failure_stage = "work";
	check_sentence(
		&ending,
		"the books do not balance, so the result can not be trusted: stage 'work' failed: its shared memory makes no sense; a"
		" stage that writes outside of its own memory does this: look for it there and in its neighbours. If none can: it is"
		" a fault of weir; please report it together with this output");
}

static void test_failed_start_has_no_ledger(void **state)
{
	struct view view = { .pipeline = "x", .cause = "sibling_failed", .balanced = true };
	struct ending ending = { .view = &view, .exit_code = EXIT_TRY_AGAIN, .duration_ns = NS_PER_S };

	(void)state;
	check_summary(&ending, "weir: could not start, nothing was accepted\n");
}

static void test_json(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct view view = { .pipeline = "x", .phase = "stopped", .cause = "none", .pid = 7, .balanced = true };
	struct ending ending = { .view = &view, .exit_code = EXIT_DONE, .duration_ns = 2 * NS_PER_S };

	(void)state;
	view.ledger[LEDGER_ACCEPTED] = view.ledger[LEDGER_EMITTED] = 10;
	summary_format_json(&ending, &text);
	assert_string_equal(
		text_get(&text),
		"{\"type\":\"summary\",\"exit_code\":0,\"seconds\":2.000,\"items_per_second\":5.0,\"balanced\":true,\"derived\":0,"
		"\"dead_letter_path\":null,\"message\":\"\",\"view\":{\"pipeline\":\"x\",\"phase\":\"stopped\",\"cause\":\"none\",\"pid\":7,"
		"\"uptime_seconds\":null,\"stop_seconds_left\":null,\"in_flight\":0,\"ledger\":{\"accepted\":10,\"rejected_at_source\":0,"
		"\"emitted\":10,\"taken\":0,\"delivered\":0,\"consumed\":0,\"filtered\":0,\"rejected\":0,\"dead_lettered\":0,\"expired\":0,"
		"\"cancelled\":0,\"unwanted\":0,\"held\":0,\"dropped_new\":0,\"dropped_old\":0,\"refused\":0,\"replayed\":0},\"stages\":[]}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_gets_one_line),
		cmocka_unit_test(test_long_run_gets_a_table),
		cmocka_unit_test(test_equation_holds_for_every_mix),
		cmocka_unit_test(test_broken_ledger_is_said),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_failed_start_has_no_ledger),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
