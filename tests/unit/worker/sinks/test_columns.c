/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/record/json.h"
#include "tests/unit/worker/fake_host.h"
#include "worker/builtin.h"
#include "worker/sinks/columns.h"

static const char *const paths[] = { "a", ".a", "deep", ".b.c[1]", "all", ".", NULL };

struct fixture {
	struct fake_host host;
	struct columns columns;
	struct record_fault fault;
	struct record_scratch scratch;
};

static int begin(struct fixture *fixture, const char *const *list, enum weir_form form)
{
	*fixture = (struct fixture){ 0 };
	fake_host_init(&fixture->host, &discard_sink_callbacks);
	fake_host_option_list(&fixture->host, "columns", list);
	fake_host_option_string(&fixture->host, "mode", "insert");
	fake_host_option_number(&fixture->host, HOST_OPTION_FORM, form);
	return columns_init(&fixture->columns, &fixture->host.context);
}

static void end(struct fixture *fixture)
{
	columns_deinit(&fixture->columns);
	record_scratch_deinit(&fixture->scratch);
	fake_host_deinit(&fixture->host);
}

static int read_bytes(struct fixture *fixture, const void *data, size_t size_bytes)
{
	const struct weir_item item = { .data = data, .size_bytes = size_bytes };

	return columns_read(&fixture->columns, &item, &fixture->fault);
}

static int read_json(struct fixture *fixture, const char *text)
{
	struct record_scratch scratch = { 0 };
	char *room = record_scratch_get(&fixture->scratch, json_decode_bound(strlen(text)));
	size_t size_bytes;

	assert_int_equal(json_decode(&scratch, text, strlen(text), room, &size_bytes, &fixture->fault), 0);
	record_scratch_deinit(&scratch);
	return read_bytes(fixture, room, size_bytes);
}

/* The cell as one word, to compare it. */
static const char *cell(const struct fixture *fixture, uint32_t i)
{
	const struct cell *cell = &fixture->columns.cells[i];
	static char word[256];

	switch (cell->type) {
	case CELL_NULL:
		return "null";
	case CELL_BOOLEAN:
		return cell->integer ? "true" : "false";
	case CELL_INTEGER:
		snprintf(word, sizeof(word), "i %" PRId64, cell->integer);
		return word;
	case CELL_UNSIGNED:
		snprintf(word, sizeof(word), "u %" PRIu64, (uint64_t)cell->integer);
		return word;
	case CELL_REAL:
		snprintf(word, sizeof(word), "r %g", cell->real);
		return word;
	case CELL_TEXT:
	case CELL_BYTES:
		snprintf(word, sizeof(word), "%c %.*s", cell->type == CELL_TEXT ? 't' : 'b', (int)cell->size_bytes,
			 cell->data);
		return word;
	}
	return "?";
}

static void test_values(void **state)
{
	static const struct {
		const char *text, *a, *deep;
	} cases[] = {
		{ "{\"a\": 1, \"b\": {\"c\": [1, \"x\"]}}", "i 1", "t x" },
		{ "{\"a\": -5}", "i -5", "null" },
		{ "{\"a\": 18446744073709551615}", "u 18446744073709551615", "null" },
		{ "{\"a\": 9223372036854775807}", "i 9223372036854775807", "null" },
		{ "{\"a\": 1.5, \"b\": null}", "r 1.5", "null" },
		{ "{\"a\": true, \"b\": {\"c\": [0, false]}}", "true", "false" },
		{ "{\"a\": null}", "null", "null" },
		{ "{\"a\": [1, {\"x\": \"y\"}], \"b\": {\"c\": [0, {}]}}", "t [1,{\"x\":\"y\"}]", "t {}" },
		{ "[1]", "null", "null" },
		{ "{\"a\": \"\"}", "t ", "null" },
	};
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, paths, WEIR_FORM_STRUCTURED), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_json(&fixture, cases[i].text), 0);
		assert_string_equal(cell(&fixture, 0), cases[i].a);
		assert_string_equal(cell(&fixture, 1), cases[i].deep);
		assert_int_equal(cell(&fixture, 2)[0], 't');
	}
	assert_int_equal(read_json(&fixture, "{\"b\": 1, \"a\": [2]}"), 0);
	assert_string_equal(cell(&fixture, 2), "t {\"b\":1,\"a\":[2]}");
	assert_int_equal(read_json(&fixture, "\"word\""), 0);
	assert_string_equal(cell(&fixture, 2), "t word");
	end(&fixture);
}

static void test_values_that_no_database_has(void **state)
{
	static const struct {
		const char *item;
		size_t size_bytes;
		const char *why;
	} cases[] = {
		{ "\x81\xa1"
		  "a\xcb\x7f\xf8\0\0\0\0\0\0",
		  12, "column 'a': not a number (NaN)" },
		{ "\x81\xa1"
		  "a\xa2x\0",
		  6, "column 'a': a string with U+0000 in it" },
		{ "\x81\xa1"
		  "a\xa1\xff",
		  5, "column 'a': a string that is no UTF-8" },
		{ "\x81\xa1"
		  "a\xd4\x01\x02",
		  6, "column 'a': an extension type of msgpack" },
		{ "\xc1", 1, "column 'all': no msgpack" },
		{ "\x81\xa1"
		  "b\xc4\x01x",
		  6, "column 'all': byte 4 of the item: bytes (bin), which JSON does not have" },
	};
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, paths, WEIR_FORM_STRUCTURED), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_bytes(&fixture, cases[i].item, cases[i].size_bytes), RECORD_E_BAD);
		if (strncmp(fixture.fault.why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("'%s' does not begin with '%s'", fixture.fault.why, cases[i].why);
	}
	end(&fixture);
}

static void test_bytes_that_are_not_structured(void **state)
{
	static const char *const whole[] = { "line", ".", NULL };
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, whole, WEIR_FORM_TEXT), 0);
	assert_int_equal(read_bytes(&fixture, "{\"a\": 1}", 8), 0);
	assert_string_equal(cell(&fixture, 0), "t {\"a\": 1}");
	assert_int_equal(read_bytes(&fixture, "", 0), 0);
	assert_string_equal(cell(&fixture, 0), "t ");
	assert_int_equal(read_bytes(&fixture, "a\xff", 2), 0);
	assert_string_equal(cell(&fixture, 0), "b a\xff");
	assert_int_equal(read_bytes(&fixture, "a\0b", 3), 0);
	assert_int_equal(fixture.columns.cells[0].type, CELL_BYTES);
	assert_int_equal(fixture.columns.cells[0].size_bytes, 3);
	end(&fixture);

	assert_int_equal(begin(&fixture, whole, WEIR_FORM_UNKNOWN), 0); /* each item says itself */
	assert_int_equal(read_bytes(&fixture, "text", 4), 0);
	assert_string_equal(cell(&fixture, 0), "t text");
	assert_int_equal(read_bytes(&fixture, "\x91\x05", 2), 0);
	assert_string_equal(cell(&fixture, 0), "t [5]");
	end(&fixture);

	assert_int_equal(begin(&fixture, paths, WEIR_FORM_UNKNOWN), 0);
	assert_int_equal(read_bytes(&fixture, "text", 4), RECORD_E_BAD);
	assert_non_null(strstr(fixture.fault.why, "the item is not structured"));
	end(&fixture);

	assert_int_equal(begin(&fixture, paths, WEIR_FORM_TEXT), WEIR_FAILED);
	assert_non_null(strstr(fixture.host.reason, "what comes here is text"));
	end(&fixture);
}

static void test_sql(void **state)
{
	static const char *const names[] = { "a", ".a", "say \"b\"", ".b", NULL };
	static const char *const key[] = { "a", NULL }, *const both[] = { "a", "say \"b\"", NULL };
	struct text sql = TEXT_NULL;
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, names, WEIR_FORM_STRUCTURED), 0);
	columns_add_names(&fixture.columns, &sql);
	columns_add_conflict(&fixture.columns, &fixture.host.context, &sql);
	assert_string_equal(text_get(&sql), "\"a\", \"say \"\"b\"\"\"");
	end(&fixture);

	for (int i = 0; i < 2; i++) {
		text_clear(&sql);
		fake_host_init(&fixture.host, &discard_sink_callbacks);
		fake_host_option_list(&fixture.host, "columns", names);
		fake_host_option_list(&fixture.host, "key", i ? both : key);
		fake_host_option_string(&fixture.host, "mode", "upsert");
		assert_int_equal(columns_init(&fixture.columns, &fixture.host.context), 0);
		columns_add_conflict(&fixture.columns, &fixture.host.context, &sql);
		assert_string_equal(
			text_get(&sql),
			i ? " ON CONFLICT (\"a\", \"say \"\"b\"\"\") DO NOTHING" :
			    " ON CONFLICT (\"a\") DO UPDATE SET \"say \"\"b\"\"\" = excluded.\"say \"\"b\"\"\"");
		fixture.scratch = (struct record_scratch){ 0 };
		end(&fixture);
	}
	text_deinit(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_values_that_no_database_has),
		cmocka_unit_test(test_bytes_that_are_not_structured),
		cmocka_unit_test(test_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
