/* SPDX-License-Identifier: Apache-2.0 */
/* operator parse: the tables of docs/parse.md; outputs; bounds of steps, memory and time; what a killed worker's note says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/base/clock.h"
#include "common/stage/host.h"
#include "tests/unit/common/record/document.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/script/script_test.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#undef DOCUMENT
#define DOCUMENT WEIR_SOURCE_DIR "/docs/parse.md"

static const char *const a_and_b[] = { "a", "b", NULL };

static void prepare(struct fake_host *host, const char *format, enum weir_form form)
{
	fake_host_init(host, &parse_operator_callbacks);
	fake_host_option_string(host, "format", format);
	fake_host_option_string(host, "separator", ",");
	fake_host_option_number(host, "steps", 10000000);
	fake_host_option_number(host, "memory", 64 << 20);
	fake_host_option_number(host, HOST_OPTION_FORM, form);
	if (strcmp(format, "csv") == 0)
		fake_host_option_list(host, "columns", a_and_b);
}

static void prepare_pattern(struct fake_host *host, const char *pattern)
{
	prepare(host, "regex", WEIR_FORM_TEXT);
	fake_host_option_string(host, "pattern", pattern);
}

static void assert_becomes(struct fake_host *host, const void *data, size_t size_bytes, const char *json)
{
	uint64_t before = fake_host_items(host);
	char *items;

	if (fake_host_process(host, data, size_bytes) != WEIR_OK)
		fail_msg("'%.*s': %s", size_bytes < 200 ? (int)size_bytes : 200, (const char *)data, host->reason);
	items = items_as_json(host, before, fake_host_items(host));
	assert_string_equal(items, json);
	free(items);
}

static void assert_refused(struct fake_host *host, const void *data, size_t size_bytes, const char *reason)
{
	uint64_t before = fake_host_items(host);

	for (int i = 0; i < 2; i++) { /* and it goes on behind it */
		assert_int_equal(fake_host_process(host, data, size_bytes), WEIR_REJECTED);
		assert_string_equal(host->reason, reason);
	}
	assert_int_equal(fake_host_items(host), before);
}

/* ---- the tables ---- */

static void pattern_row(const struct document_cell *cells)
{
	struct fake_host host;

	prepare_pattern(&host, cells[0].data);
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, cells[1].data, cells[1].size_bytes, cells[2].data);
	fake_host_deinit(&host);
}

static void no_match_row(const struct document_cell *cells)
{
	struct fake_host host;

	prepare_pattern(&host, cells[0].data);
	assert_int_equal(fake_host_open(&host), 0);
	assert_refused(&host, cells[1].data, cells[1].size_bytes, cells[2].data);
	fake_host_deinit(&host);
}

static void bad_pattern_row(const struct document_cell *cells)
{
	struct fake_host host;
	char said[600];

	prepare_pattern(&host, cells[0].data);
	assert_int_equal(parse_operator_callbacks.check(&host.context), WEIR_FAILED);
	snprintf(said, sizeof(said), "pattern: %.500s", host.reason);
	assert_string_equal(said, cells[1].data);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	fake_host_deinit(&host);
}

static void text_row(const char *format, const struct document_cell *cells, bool fits)
{
	struct fake_host host;

	prepare(&host, format, WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	if (fits)
		assert_becomes(&host, cells[0].data, cells[0].size_bytes, cells[1].data);
	else
		assert_refused(&host, cells[0].data, cells[0].size_bytes, cells[1].data);
	fake_host_deinit(&host);
}

static void logfmt_row(const struct document_cell *cells)
{
	text_row("logfmt", cells, true);
}

static void bad_logfmt_row(const struct document_cell *cells)
{
	text_row("logfmt", cells, false);
}

static void csv_row(const struct document_cell *cells)
{
	text_row("csv", cells, true);
}

static void bad_csv_row(const struct document_cell *cells)
{
	text_row("csv", cells, false);
}

static void begin_typed(struct fake_host *host, const char *const types[3])
{
	prepare_pattern(host, "(?s)^(?<f>.*)$");
	fake_host_option_list(host, "types", types);
}

static void type_row(const struct document_cell *cells)
{
	const char *const types[] = { "f", cells[0].data, NULL };
	struct fake_host host;
	char json[600];

	begin_typed(&host, types);
	snprintf(json, sizeof(json), "{\"f\":%.500s}", cells[2].data);
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, cells[1].data, cells[1].size_bytes, json);
	fake_host_deinit(&host);
}

static void bad_text_row(const struct document_cell *cells)
{
	const char *const types[] = { "f", cells[0].data, NULL };
	struct fake_host host;

	begin_typed(&host, types);
	assert_int_equal(fake_host_open(&host), 0);
	assert_refused(&host, cells[1].data, cells[1].size_bytes, cells[2].data);
	fake_host_deinit(&host);
}

static void bad_type_row(const struct document_cell *cells)
{
	const char *const types[] = { "f", cells[0].data, NULL };
	struct fake_host host;
	char said[600];

	begin_typed(&host, types);
	assert_int_equal(parse_operator_callbacks.check(&host.context), WEIR_FAILED);
	snprintf(said, sizeof(said), "types.f: %.500s", host.reason);
	assert_string_equal(said, cells[1].data);
	fake_host_deinit(&host);
}

static void member_row(const struct document_cell *cells, bool fits)
{
	struct packed item = packed_json(cells[0].data);
	struct fake_host host;

	prepare(&host, "logfmt", WEIR_FORM_UNKNOWN);
	fake_host_option_string(&host, "field", "line");
	assert_int_equal(fake_host_open(&host), 0);
	if (fits)
		assert_becomes(&host, item.data, item.size_bytes, cells[1].data);
	else
		assert_refused(&host, item.data, item.size_bytes, cells[1].data);
	fake_host_deinit(&host);
	packed_free(&item);
}

static void field_row(const struct document_cell *cells)
{
	member_row(cells, true);
}

static void bad_field_row(const struct document_cell *cells)
{
	member_row(cells, false);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows_of(DOCUMENT, "regex: what becomes of it", pattern_row) >= 9);
	assert_true(document_rows_of(DOCUMENT, "regex: what does not fit", no_match_row) >= 3);
	assert_true(document_rows_of(DOCUMENT, "regex: patterns that can't be used", bad_pattern_row) >= 5);
	assert_true(document_rows_of(DOCUMENT, "logfmt: what becomes of it", logfmt_row) >= 7);
	assert_true(document_rows_of(DOCUMENT, "logfmt: what does not fit", bad_logfmt_row) >= 14);
	assert_true(document_rows_of(DOCUMENT, "csv: what becomes of it", csv_row) >= 3);
	assert_true(document_rows_of(DOCUMENT, "csv: what does not fit", bad_csv_row) >= 5);
	assert_true(document_rows_of(DOCUMENT, "types: what becomes of it", type_row) >= 26);
	assert_true(document_rows_of(DOCUMENT, "types: what does not fit", bad_text_row) >= 27);
	assert_true(document_rows_of(DOCUMENT, "types that can't be used", bad_type_row) >= 8);
	assert_true(document_rows_of(DOCUMENT, "field: what becomes of it", field_row) >= 3);
	assert_true(document_rows_of(DOCUMENT, "field: what does not fit", bad_field_row) >= 5);
}

/* ---- what is text ---- */

static void test_text_of_structured_items(void **state)
{
	struct packed string = packed_json("\"x=1\""), map = packed_json("{\"x\":1}");
	struct fake_host host;

	(void)state;
	prepare(&host, "logfmt", WEIR_FORM_STRUCTURED);
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, string.data, string.size_bytes, "{\"x\":\"1\"}");
	assert_refused(&host, map.data, map.size_bytes, "it is no text: say which of its members is, field: NAME");
	fake_host_deinit(&host);
	prepare(&host, "logfmt", WEIR_FORM_UNKNOWN);
	fake_host_option_string(&host, "field", "x");
	assert_int_equal(fake_host_open(&host), 0);
	assert_refused(&host, "x=1", 3, "it is text, and has no 'x': leave field out");
	assert_refused(&host, map.data, map.size_bytes, "its 'x' is no text");
	assert_refused(&host, "\x81\xa1x\xa3y=1\x01", 8, "something is behind its value: is what comes here decoded?");
	assert_refused(&host, "\x81\x01\xa3y=1", 6, "it has no 'x'");
	assert_refused(&host, "\x82\xa1x\xa3y=1\x01\x01", 9, "it has a name that is no string, or no end");
	assert_refused(&host, "\x82\xa1x\xa3y=1", 7, "it is no map: is what comes here decoded?");
	fake_host_deinit(&host);
	packed_free(&string);
	packed_free(&map);
}

/* A map of more than fifteen fields has a longer head, and names that come twice are sorted out. */
static void test_many_fields(void **state)
{
	char line[4096], json[8192], *at = line, *to = json;
	struct fake_host host;

	(void)state;
	for (int i = 0; i < 200; i++) {
		at += sprintf(at, "k%d=%d ", i % 100, i);
		if (i >= 100)
			to += sprintf(to, "%s\"k%d\":\"%d\"", i > 100 ? "," : "{", i % 100, i);
	}
	strcpy(to, "}");
	prepare(&host, "logfmt", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, line, (size_t)(at - line), json);
	fake_host_deinit(&host);
}

static void test_logfmt_types(void **state)
{
	static const char *const types[] = { "n", "int", "ok", "bool", "s", "text", NULL };
	struct fake_host host;

	(void)state;
	prepare(&host, "logfmt", WEIR_FORM_TEXT);
	fake_host_option_list(&host, "types", types);
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, "n=5 ok s=7 x=8", 14, "{\"n\":5,\"ok\":true,\"s\":\"7\",\"x\":\"8\"}");
	assert_becomes(&host, "ok=false", 8, "{\"ok\":false}");
	assert_refused(&host, "n ok", 4, "n: it has no value");
	fake_host_deinit(&host);
}

static void test_separator(void **state)
{
	struct fake_host host;

	(void)state;
	prepare(&host, "csv", WEIR_FORM_TEXT);
	fake_host_option_string(&host, "separator", "\t");
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, "1,5\t2", 5, "{\"a\":\"1,5\",\"b\":\"2\"}");
	fake_host_deinit(&host);
}

/* ---- where it goes ---- */

static void test_errors_output(void **state)
{
	struct fake_host host;

	(void)state;
	prepare(&host, "logfmt", WEIR_FORM_TEXT);
	host.n_outputs = 3;
	host.output_names[0] = WEIR_OUTPUT_ITEMS;
	host.output_names[1] = WEIR_OUTPUT_ERRORS;
	host.output_names[2] = WEIR_OUTPUT_ITEMS | WEIR_OUTPUT_ERRORS;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a=1", 3), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(host.last_output, 2);
	assert_int_equal(fake_host_process(&host, "a=\"1", 4), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 4);
	assert_true(fake_host_item_is(&host, 2, "a=\"1"));
	fake_host_deinit(&host);

	prepare(&host, "logfmt", WEIR_FORM_TEXT);
	host.n_outputs = 2;
	host.output_names[0] = WEIR_OUTPUT_ERRORS;
	host.output_names[1] = WEIR_OUTPUT_ITEMS;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "a=1", 3), WEIR_OK);
	assert_int_equal(host.last_output, 1);
	assert_int_equal(fake_host_process(&host, "=", 1), WEIR_OK);
	assert_int_equal(host.last_output, 0);
	assert_int_equal(fake_host_items(&host), 2);
	fake_host_deinit(&host);
}

static void test_too_large(void **state)
{
	char text[600];
	struct fake_host host;

	(void)state;
	memset(text, 'x', sizeof(text));
	prepare_pattern(&host, "(?<a>(?<b>.*))");
	host.item_size_max = 1000;
	assert_int_equal(fake_host_open(&host), 0);
	assert_refused(&host, text, 600,
		       "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	assert_int_equal(fake_host_process(&host, text, 400), WEIR_OK);
	fake_host_deinit(&host);
	prepare(&host, "logfmt", WEIR_FORM_TEXT);
	host.item_size_max = 100;
	assert_int_equal(fake_host_open(&host), 0);
	assert_refused(&host, text, 600,
		       "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	fake_host_deinit(&host);
}

/* ---- bounds ---- */

#define BACKWARDS "^(?<a>(?:x+x+)+)y"

static void test_steps(void **state)
{
	char text[64];
	struct fake_host host;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (int compiled = 0; compiled < 2; compiled++) {
		prepare_pattern(&host, compiled ? BACKWARDS "\\w" : "(*NO_JIT)" BACKWARDS "\\w");
		fake_host_option_number(&host, "steps", 200000);
		assert_int_equal(fake_host_open(&host), 0);
		text[63] = 'y'; /* or it is seen at once that there is none */
		assert_refused(&host, text, sizeof(text),
			       "the pattern took more than steps: 200000 allows: it goes back too often");
		assert_becomes(&host, "xxyz", 4, "{\"a\":\"xx\"}");
		fake_host_deinit(&host);
	}
}

/* Fewer than a match begins with. */
static void test_few_steps(void **state)
{
	char text[64];
	struct fake_host host;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[63] = 'y';
	prepare_pattern(&host, "(*NO_JIT)^(?<a>(?:x|x+){12})yz?\\w");
	fake_host_option_number(&host, "steps", 1000);
	assert_int_equal(fake_host_open(&host), 0);
	assert_refused(&host, text, sizeof(text),
		       "the pattern took more than steps: 1000 allows: it goes back too often");
	fake_host_deinit(&host);
}

static void test_memory(void **state)
{
	const size_t size = 4000000;
	char *text = malloc(size);
	struct fake_host host;

	(void)state;
	memset(text, 'x', size);
	prepare_pattern(&host, "(*NO_JIT)^(?<a>(?:x|z)+)y");
	fake_host_option_number(&host, "memory", 1 << 20);
	host.item_size_max = 8 << 20;
	assert_int_equal(fake_host_open(&host), 0);
	text[size - 1] = 'y';
	assert_refused(&host, text, size, "the pattern took more memory than memory: 1.0 MiB allows");
	assert_becomes(&host, "xy", 2, "{\"a\":\"x\"}");
	fake_host_deinit(&host);
	free(text);
}

/* What overflows the stack of compiled code is done without it. */
static void test_small_stack(void **state)
{
	const size_t size = 150000;
	char *text = malloc(size);
	struct fake_host host;

	(void)state;
	memset(text, 'x', size);
	text[size - 1] = 'y';
	prepare_pattern(&host, "^(?:x|z)+(?<a>y)");
	host.item_size_max = 8 << 20;
	assert_int_equal(fake_host_open(&host), 0);
	assert_becomes(&host, text, size, "{\"a\":\"y\"}");
	fake_host_deinit(&host);
	free(text);
}

static void test_deadline(void **state)
{
	char text[64];
	struct fake_host host;
	uint64_t began_ns = clock_now_ns();

	(void)state;
	memset(text, 'x', sizeof(text));
	text[63] = 'y';
	prepare_pattern(&host, BACKWARDS "\\w");
	fake_host_option_number(&host, "steps", 4000000000);
	assert_int_equal(fake_host_open(&host), 0);
	host.budget_ns = clock_now_ns() + 100 * NS_PER_MS;
	assert_int_equal(fake_host_process(&host, text, sizeof(text)), WEIR_REJECTED);
	assert_string_equal(host.reason, "the pattern was still at work when the stage's deadline was over");
	assert_int_equal(host.n_overran, 1);
	assert_true(clock_now_ns() - began_ns < 10 * NS_PER_S); /* four thousand million steps take longer */
	host.budget_ns = 0;
	assert_becomes(&host, "xxyz", 4, "{\"a\":\"xx\"}");
	fake_host_deinit(&host);
}

static void test_cancelled(void **state)
{
	char text[64];
	struct fake_host host;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[63] = 'y';
	prepare_pattern(&host, BACKWARDS "\\w");
	fake_host_option_number(&host, "steps", 4000000000);
	assert_int_equal(fake_host_open(&host), 0);
	host.cancelled = true;
	assert_int_equal(fake_host_process(&host, text, sizeof(text)), WEIR_CANCELLED);
	fake_host_deinit(&host);
}

/* ---- options ---- */

static void assert_complaint(struct fake_host *host, const char *reason)
{
	assert_int_equal(parse_operator_callbacks.check(&host->context), WEIR_FAILED);
	assert_string_equal(host->reason, reason);
	fake_host_deinit(host);
}

static void test_options(void **state)
{
	static const char *const types[] = { "c", "int", NULL }, *const twice[] = { "a", "b", "a", NULL };
	struct fake_host host;

	(void)state;
	prepare(&host, "regex", WEIR_FORM_TEXT);
	assert_complaint(&host, "regex needs a 'pattern' with named groups: '^(?<ip>\\S+) '");
	prepare(&host, "logfmt", WEIR_FORM_TEXT);
	fake_host_option_string(&host, "pattern", "x");
	assert_complaint(&host, "it is for format: regex");
	prepare_pattern(&host, "(?<a>x)");
	fake_host_option_list(&host, "columns", a_and_b);
	assert_complaint(&host, "they are for format: csv");
	prepare_pattern(&host, "(?<a>x)");
	fake_host_option_list(&host, "types", types);
	assert_complaint(&host, "the pattern has no group of this name");
	prepare(&host, "csv", WEIR_FORM_TEXT);
	fake_host_option_list(&host, "types", types);
	assert_complaint(&host, "there is no column of this name");
	prepare(&host, "csv", WEIR_FORM_TEXT);
	fake_host_option_list(&host, "columns", twice);
	assert_complaint(&host, "two columns have the name 'a'");
	for (const char *const *bad = (const char *const[]){ "", ",,", "\"", "\n", "\xc3", NULL }; *bad; bad++) {
		prepare(&host, "csv", WEIR_FORM_TEXT);
		fake_host_option_string(&host, "separator", *bad);
		assert_complaint(&host, "expected one byte, and no quote or newline; \"\\t\" is a tab");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),    cmocka_unit_test(test_text_of_structured_items),
		cmocka_unit_test(test_many_fields), cmocka_unit_test(test_logfmt_types),
		cmocka_unit_test(test_separator),   cmocka_unit_test(test_errors_output),
		cmocka_unit_test(test_too_large),   cmocka_unit_test(test_steps),
		cmocka_unit_test(test_few_steps),   cmocka_unit_test(test_memory),
		cmocka_unit_test(test_small_stack), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_cancelled),   cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
