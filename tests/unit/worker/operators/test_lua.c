/* SPDX-License-Identifier: Apache-2.0 */
/* operator lua: the tables of docs/lua.md, bounds that no pcall() survives, globals, bytes, files. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/record.h>

#include "common/base/clock.h"
#include "common/stage/host.h"
#include "tests/unit/common/record/document.h"
#include "tests/unit/common/record/random_item.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/script/script_test.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#undef DOCUMENT
#define DOCUMENT WEIR_SOURCE_DIR "/docs/lua.md"

static void prepare(struct fake_host *host, const char *script, enum weir_form form)
{
	fake_host_init(host, &lua_operator_callbacks);
	host->state_bytes = 64 << 10;
	fake_host_option_string(host, "script", script);
	fake_host_option_string(host, "emits", "same");
	fake_host_option_number(host, "memory", 64 << 20);
	fake_host_option_number(host, HOST_OPTION_FORM, form);
}

/* With this as the body of process(). */
static void begin(struct fake_host *host, const char *body, enum weir_form form)
{
	char script[1024];

	snprintf(script, sizeof(script), "function process(item) %s end", body);
	prepare(host, script, form);
	assert_int_equal(fake_host_open(host), 0);
}

static void lua_row(const struct document_cell *cells)
{
	struct packed item = packed_json(cells[1].data);
	struct fake_host host;
	char *items;

	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED);
	if (fake_host_process(&host, item.data, item.size_bytes) != WEIR_OK)
		fail_msg("%s: %s", cells[0].data, host.reason);
	items = items_as_json(&host, 0, fake_host_items(&host));
	assert_string_equal(items, cells[2].data);
	free(items);
	fake_host_deinit(&host);
	packed_free(&item);
}

static void refused_row(const struct document_cell *cells)
{
	struct packed item = packed_json(cells[1].data);
	struct fake_host host;

	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED);
	for (int i = 0; i < 3; i++) { /* and it goes on behind it */
		assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_REJECTED);
		assert_string_equal(host.reason, cells[2].data);
	}
	fake_host_deinit(&host);
	packed_free(&item);
}

static void no_value_row(const struct document_cell *cells)
{
	struct fake_host host;

	begin(&host, "return item", WEIR_FORM_STRUCTURED);
	assert_int_equal(fake_host_process(&host, cells[0].data, cells[0].size_bytes), WEIR_REJECTED);
	assert_string_equal(host.reason, cells[1].data);
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
}

static void text_row(const struct document_cell *cells)
{
	struct fake_host host;

	begin(&host, cells[0].data, WEIR_FORM_TEXT);
	assert_int_equal(fake_host_process(&host, cells[1].data, cells[1].size_bytes), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	assert_int_equal(fake_host_item(&host, 0).size_bytes, cells[2].size_bytes);
	assert_memory_equal(fake_host_item(&host, 0).data, cells[2].data, cells[2].size_bytes);
	fake_host_deinit(&host);
}

static void compile_row(const struct document_cell *cells)
{
	struct fake_host host;

	prepare(&host, cells[0].data, WEIR_FORM_TEXT);
	assert_int_equal(lua_operator_callbacks.check(&host.context), WEIR_FAILED);
	assert_string_equal(host.reason, cells[1].data);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, cells[1].data));
	fake_host_deinit(&host);
}

static void begin_row(const struct document_cell *cells)
{
	struct fake_host host;

	prepare(&host, cells[0].data, WEIR_FORM_TEXT);
	assert_int_equal(lua_operator_callbacks.check(&host.context), 0);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_string_equal(host.reason, cells[1].data);
	fake_host_deinit(&host);
}

/* What the items of the script come to, as JSON, "-" for one that was refused; the caller's to free. */
static char *what_becomes(struct fake_host *host, const char *items_json)
{
	char *copy = strdup(items_json), *rest = copy, *word, *answers = NULL;
	size_t size;
	FILE *out = open_memstream(&answers, &size);

	while ((word = strtok_r(rest, " ", &rest))) {
		struct packed item = packed_json(word);
		uint64_t n = fake_host_items(host);
		int r = fake_host_process_item(host, item.data, item.size_bytes);
		char *items = items_as_json(host, n, fake_host_items(host));

		fprintf(out, "%s%s", ftell(out) ? " " : "", r == WEIR_OK ? items : "-");
		free(items);
		packed_free(&item);
		fake_host_commit(host);
	}
	fclose(out);
	free(copy);
	return answers;
}

static void state_row(const struct document_cell *cells)
{
	struct fake_host host;
	char *answers;

	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED);
	answers = what_becomes(&host, cells[1].data);
	assert_string_equal(answers, cells[2].data);
	free(answers);
	fake_host_deinit(&host);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows_of(DOCUMENT, "lua: what becomes of it", lua_row) >= 33);
	assert_true(document_rows_of(DOCUMENT, "lua: what is refused", refused_row) >= 29);
	assert_true(document_rows_of(DOCUMENT, "lua: state", state_row) >= 10);
	assert_true(document_rows_of(DOCUMENT, "lua: what is refused of state", refused_row) >= 9);
	assert_true(document_rows_of(DOCUMENT, "lua: items that it has no value for", no_value_row) >= 6);
	assert_true(document_rows_of(DOCUMENT, "lua: text", text_row) >= 4);
	assert_true(document_rows_of(DOCUMENT, "Scripts that do not compile", compile_row) >= 4);
	assert_true(document_rows_of(DOCUMENT, "Scripts that can't begin", begin_row) >= 6);
}

/* Whatever is caught, in whatever coroutine, at whatever depth; and the next item finds a script that works. */
static void test_nothing_outlasts_its_time(void **state)
{
	static const char *const loops[] = {
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"local function f() pcall(f) while true do end end f()",
		"while true do pcall(coroutine.wrap(function() while true do end end)) end",
		"local c = coroutine.create(function() while true do coroutine.yield() end end) while true do coroutine.resume(c) end",
		"while true do pcall(error, setmetatable({}, {__tostring = function() while true do end end})) end",
		"error(setmetatable({}, {__tostring = function() while true do end end}))",
		"local t <close> = setmetatable({}, {__close = function() while true do end end})",
		"table.sort({1, 2, 3}, function() while true do end end)",
		"for i = 1, math.huge do local x = ('x'):gsub('x', function() while true do end end) end",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		char body[512];
		struct fake_host host;

		snprintf(body, sizeof(body), "if item == 'ok' then return item end %s", loops[i]);
		begin(&host, body, WEIR_FORM_TEXT);
		for (int again = 0; again < 2; again++) {
			host.budget_ns = clock_now_ns() + 20 * NS_PER_MS;
			assert_int_equal(fake_host_process(&host, "x", 1), WEIR_REJECTED);
			assert_string_equal(host.reason,
					    "the script was still at work when the stage's deadline was over");
			host.budget_ns = 0;
			assert_int_equal(fake_host_process(&host, "ok", 2), WEIR_OK);
		}
		assert_int_equal(host.n_overran, 2);
		assert_int_equal(fake_host_items(&host), 2);
		fake_host_deinit(&host);
	}
}

/* Close comes to its end, whatever was tried: with a finaliser it would not. */
static void test_nothing_runs_when_it_is_closed(void **state)
{
	static const char *const values[] = {
		"pcall(setmetatable, {}, {__gc = f})",
		"pcall(function() getmetatable(array {}).__gc = f end) array {}",
		"pcall(function() getmetatable(map {}).__gc = f end) map {}",
		"pcall(function() getmetatable(bytes 'x').__gc = f end) bytes 'x'",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char body[512];
		struct fake_host host;

		snprintf(body, sizeof(body), "local function f() while true do end end %s return item", values[i]);
		begin(&host, body, WEIR_FORM_TEXT);
		assert_int_equal(fake_host_process(&host, "x", 1), WEIR_OK);
		alarm(10);
		fake_host_deinit(&host);
		alarm(0);
	}
}

static void test_a_cancel_is_seen(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "while true do end", WEIR_FORM_TEXT);
	host.cancelled = true;
	assert_int_equal(fake_host_process(&host, "x", 1), WEIR_CANCELLED);
	fake_host_deinit(&host);
}

static void test_instructions_are_counted_for_each_item(void **state)
{
	struct fake_host host;

	(void)state;
	prepare(&host, "function process(item) for i = 1, #item * 1000 do end return item end", WEIR_FORM_TEXT);
	fake_host_option_number(&host, "instructions", 10000);
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(fake_host_process(&host, "x", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "xxxxxxxxxxxxxxxxxxxx", 20), WEIR_REJECTED);
	assert_string_equal(host.reason, "the script has run more instructions than instructions: 10000 allows");
	assert_int_equal(fake_host_process(&host, "x", 1), WEIR_OK);
	fake_host_deinit(&host);
}

/* What is garbage counts no longer. */
static void test_memory_comes_back(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "local s = item:rep(1 << 20) return #s", WEIR_FORM_TEXT);
	for (int i = 0; i < 200; i++)
		assert_int_equal(fake_host_process(&host, "x", 1), WEIR_OK);
	fake_host_deinit(&host);
}

static void test_globals_live_as_long_as_the_worker(void **state)
{
	struct fake_host host;

	(void)state;
	prepare(&host, "n = 0\nfunction process(item) n = n + 1 if item == 'bad' then error('x') end return n end",
		WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "bad", 3), WEIR_REJECTED);
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "1"));
	assert_true(fake_host_item_is(&host, 1, "3"));
	fake_host_commit(&host);
	fake_host_close(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_true(fake_host_item_is(&host, 2, "1"));
	fake_host_deinit(&host);
}

static void test_bytes(void **state)
{
	static const char item[] = "\xc4\x03\x00\xff\x61";
	struct fake_host host;

	(void)state;
	begin(&host,
	      "assert(type(item) == 'userdata' and #item == 3 and tostring(item) == '\\0\\xffa' and item == bytes('\\0\\xffa') "
	      "and item ~= bytes('x')) return item",
	      WEIR_FORM_STRUCTURED);
	if (fake_host_process(&host, item, sizeof(item) - 1) != WEIR_OK)
		fail_msg("%s", host.reason);
	assert_int_equal(fake_host_item(&host, 0).size_bytes, sizeof(item) - 1);
	assert_memory_equal(fake_host_item(&host, 0).data, item, sizeof(item) - 1);
	fake_host_deinit(&host);
}

/* What goes in comes out, but for the order of names: twice the same bytes. */
static void test_there_and_back(void **state)
{
	static unsigned char item[RANDOM_ITEM_BYTES];
	struct random_source source = { 5 };
	struct fake_host host;
	unsigned n_same = 0;

	(void)state;
	begin(&host, "return item", WEIR_FORM_STRUCTURED);
	for (unsigned i = 0; i < 20000; i++) {
		size_t size = random_item(&source, item);
		uint64_t n = fake_host_items(&host);
		int r = fake_host_process(&host, item, size);
		struct fake_item out;

		assert_true(r == WEIR_OK || strstr(host.reason, "which Lua does not have") ||
			    strstr(host.reason, "does not fit a lane"));
		if (r != WEIR_OK)
			continue;
		out = fake_host_item(&host, n);
		assert_int_equal(out.size_bytes, size);
		n_same += memcmp(out.data, item, size) == 0;
		assert_int_equal(fake_host_process(&host, out.data, out.size_bytes), WEIR_OK);
		assert_memory_equal(fake_host_item(&host, n + 1).data, out.data, size);
		fake_host_commit(&host);
	}
	assert_true(n_same > 5000);
	fake_host_deinit(&host);
}

static void test_files(void **state)
{
	struct fake_host host;
	char path[256];

	(void)state;
	file_write_text(
		"good.lua",
		"local function twice(x)\n  return x .. x\nend\nfunction process(item)\n  if item == '' then local none = twice() end\n  return twice(item)\nend\n");
	file_write_text("bad.lua", "x = = 1\n");
	snprintf(path, sizeof(path), "%s", folder_path("good.lua"));
	fake_host_init(&host, &lua_operator_callbacks);
	fake_host_option_string(&host, "file", path);
	fake_host_option_number(&host, "memory", 64 << 20);
	fake_host_option_number(&host, HOST_OPTION_FORM, WEIR_FORM_TEXT);
	assert_int_equal(lua_operator_callbacks.check(&host.context), 0);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "ab", 2), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "abab"));
	assert_int_equal(fake_host_process(&host, "", 0), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "good.lua:2: attempt to concatenate a nil value (local 'x'), in "));
	assert_non_null(strstr(host.reason, "< process ("));
	fake_host_close(&host);
	fake_host_option_string(&host, "file", folder_path("bad.lua"));
	assert_int_equal(lua_operator_callbacks.check(&host.context), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "bad.lua:1: unexpected symbol near '='"));
	fake_host_option_string(&host, "file", folder_path("none.lua"));
	assert_int_equal(lua_operator_callbacks.check(&host.context), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "none.lua' can't be read: No such file or directory"));
	file_write("nul.lua", "x = 1\0", 6);
	fake_host_option_string(&host, "file", folder_path("nul.lua"));
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "is no script: it holds NUL bytes"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_nothing_outlasts_its_time),
		cmocka_unit_test(test_nothing_runs_when_it_is_closed),
		cmocka_unit_test(test_a_cancel_is_seen),
		cmocka_unit_test(test_instructions_are_counted_for_each_item),
		cmocka_unit_test(test_memory_comes_back),
		cmocka_unit_test(test_globals_live_as_long_as_the_worker),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
