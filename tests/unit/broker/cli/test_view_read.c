/* SPDX-License-Identifier: Apache-2.0 */
/* What ps reads is what the supervisor wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/view_read.h"
#include "broker/supervise/view_json.h"
#include "tests/unit/broker/cli/sample_view.h"

static void test_there_and_back(void **state)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text there = TEXT_NULL, again = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.view.stop_deadline_ns = s.view.now_ns + 3 * NS_PER_S / 2;
	s.workers[2].pid = 0;
	s.workers[2].generation = s.workers[2].restarts = 3;
	view_format_json(&s.view, &there);
	assert_int_equal(view_read(text_get(&there), &copy), 0);
	assert_int_equal(copy.view.stages[1].n_workers, 4);
	assert_int_equal(copy.view.stages[1].workers[1].pid, 0);
	assert_int_equal(copy.view.ledger[LEDGER_ACCEPTED], 1000);
	view_format_json(&copy.view, &again);
	assert_string_equal(text_get(&there), text_get(&again));
}

/* Programs get the frames one by one. */
static void test_backtrace(void **state)
{
	static const struct {
		const char *line, *json;
	} rows[] = {
		{ NULL, "\"backtrace\":null" },
		{ "nonsense", "\"backtrace\":null" },
		{ "backtrace: f (a b+0x1) < g", "\"about\":\"\",\"frames\":[\"f (a b+0x1)\",\"g\"]}" },
		{ "backtrace (thread 7, address 0x0): 0x0 < \"g\" < ...",
		  "\"about\":\"thread 7, address 0x0\",\"frames\":[\"0x0\",\"\\\"g\\\"\",\"...\"]}" },
		{ "backtrace: ", "\"about\":\"\",\"frames\":[]}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;
		struct sample s;

		sample_init(&s);
		s.workers[0].backtrace = rows[i].line;
		s.workers[0].backtrace_ns = s.view.now_ns;
		view_format_json(&s.view, &text);
		assert_non_null(strstr(text_get(&text), rows[i].json));
	}
}

static void test_not_started_yet(void **state)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct view view = { .pipeline = "x", .phase = "starting", .cause = "none", .pid = 7, .now_ns = NS_PER_S };

	(void)state;
	view_format_json(&view, &text);
	assert_int_equal(view_read(text_get(&text), &copy), 0);
	assert_int_equal(copy.view.started_ns, 0);
	assert_int_equal(copy.view.stop_deadline_ns, 0);
	assert_int_equal(copy.view.n_stages, 0);
}

static void test_anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "null", "[]", "{", "{}", "{\"pipeline\":\"x\"", "{\"pipeline\":\"x\"}", "{\"error\":\"no\"}"
	};
	struct view_copy copy = VIEW_COPY_NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(view_read(texts[i], &copy), VIEW_E_BAD);
}

static void test_strange_shapes_do_no_harm(void **state)
{
	static const char *const texts[] = {
		"{\"pipeline\":\"x\",\"stages\":7}",
		"{\"pipeline\":[1],\"pid\":{},\"uptime_seconds\":1e300,\"ledger\":[],\"stages\":[1,[],{\"workers\":{}},{\"workers\":[7]}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		assert_int_equal(view_read(texts[i], &copy), 0);
		assert_int_equal(copy.view.n_stages, i == 0 ? 0 : 4);
		view_format_json(&copy.view, &text);
		assert_true(text.length > 0);
	}
}

static void test_reply_error(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	reply_error("{\"error\":\"no such cause\",\"causes\":[]}", &text);
	text_add_char(&text, '|');
	reply_error("what?", &text);
	assert_string_equal(text_get(&text), "no such cause|what?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_backtrace),
		cmocka_unit_test(test_not_started_yet),
		cmocka_unit_test(test_anything_else_is_refused),
		cmocka_unit_test(test_strange_shapes_do_no_harm),
		cmocka_unit_test(test_reply_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
