/* SPDX-License-Identifier: Apache-2.0 */
/* operator filter: the tables of docs/jq.md, text, what passes unchanged. */
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/stage/host.h"
#include "tests/unit/common/record/document.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/script/script_test.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void begin(struct fake_host *host, const char *expr, enum weir_form form)
{
	fake_host_init(host, &filter_operator_callbacks);
	fake_host_option_string(host, "expr", expr);
	fake_host_option_number(host, HOST_OPTION_FORM, form);
	assert_int_equal(fake_host_open(host), 0);
}

static void passing_row(const struct document_cell *cells)
{
	struct packed item = packed_json(cells[1].data);
	bool passes = strcmp(cells[2].data, "passes") == 0;
	struct fake_host host;

	if (!passes)
		assert_string_equal(cells[2].data, "is filtered");
	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED);
	assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_OK);
	assert_int_equal(fake_host_items(&host), passes);
	if (passes) {
		struct fake_item emitted = fake_host_item(&host, 0);

		assert_int_equal(emitted.size_bytes, item.size_bytes);
		assert_memory_equal(emitted.data, item.data, item.size_bytes);
	}
	fake_host_deinit(&host);
	packed_free(&item);
}

static void refused_row(const struct document_cell *cells)
{
	struct packed item = packed_json(cells[1].data), fine = packed_json("1");
	struct fake_host host;

	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED);
	for (int i = 0; i < 20; i++) { /* and it goes on behind it */
		assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_REJECTED);
		assert_string_equal(host.reason, cells[2].data);
	}
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
	packed_free(&item);
	packed_free(&fine);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows_of(DOCUMENT, "filter: what passes", passing_row) >= 13);
	assert_true(document_rows_of(DOCUMENT, "filter: what is refused", refused_row) >= 10);
}

static void test_text_is_a_string(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "startswith(\"[\")", WEIR_FORM_TEXT);
	assert_int_equal(fake_host_process(&host, "[1", 2), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "5", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "[\xff", 2), WEIR_REJECTED);
	assert_string_equal(host.reason, "it is no value for jq: byte 2: invalid UTF-8");
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "[1"));
	fake_host_deinit(&host);
}

/* Behind a plugin the item says itself what it is: whole arrays and maps are structured. */
static void test_what_nobody_knows(void **state)
{
	static const char *const texts[] = { "5", "{\"a\":1}", "\xdc\xa0 is a letter", "" };
	struct packed map = packed_json("{\"a\":1}");
	struct fake_host host;

	(void)state;
	begin(&host, "type == \"object\"", WEIR_FORM_UNKNOWN);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(fake_host_process(&host, texts[i], strlen(texts[i])), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(fake_host_process(&host, map.data, map.size_bytes), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
	packed_free(&map);
}

static void test_what_does_not_compile_is_said_at_the_start(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &filter_operator_callbacks);
	fake_host_option_string(&host, "expr", ".a\n+");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_string_equal(host.reason, "expr: syntax error, unexpected $end");
	assert_int_equal(filter_operator_callbacks.check(&host.context), WEIR_FAILED);
	fake_host_deinit(&host);
}

static void compile_row(const struct document_cell *cells)
{
	struct fake_host host;

	fake_host_init(&host, &filter_operator_callbacks);
	fake_host_option_string(&host, "expr", cells[0].data);
	assert_int_equal(filter_operator_callbacks.check(&host.context), WEIR_FAILED);
	assert_string_equal(host.reason, cells[1].data);
	fake_host_deinit(&host);
}

static void test_expressions_that_do_not_compile(void **state)
{
	(void)state;
	assert_true(document_rows_of(DOCUMENT, "Expressions that do not compile", compile_row) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_text_is_a_string),
		cmocka_unit_test(test_what_nobody_knows),
		cmocka_unit_test(test_what_does_not_compile_is_said_at_the_start),
		cmocka_unit_test(test_expressions_that_do_not_compile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
