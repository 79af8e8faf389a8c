/* SPDX-License-Identifier: Apache-2.0 */
/* operator map: the tables of docs/jq.md, `emits`, values there and back. */
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/record/json.h"
#include "common/stage/host.h"
#include "tests/unit/common/record/document.h"
#include "tests/unit/common/record/random_item.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/script/script_test.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static void begin(struct fake_host *host, const char *expr, enum weir_form form, const char *emits)
{
	fake_host_init(host, &map_operator_callbacks);
	fake_host_option_string(host, "expr", expr);
	fake_host_option_string(host, "emits", emits);
	fake_host_option_number(host, HOST_OPTION_FORM, form);
	assert_int_equal(fake_host_open(host), 0);
}

static void map_row(const struct document_cell *cells)
{
	struct packed item = packed_json(cells[1].data);
	struct fake_host host;
	char *items;

	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED, "same");
	assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_OK);
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

	begin(&host, cells[0].data, WEIR_FORM_STRUCTURED, "same");
	assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_REJECTED);
	assert_string_equal(host.reason, cells[2].data);
	fake_host_deinit(&host);
	packed_free(&item);
}

static void no_value_row(const struct document_cell *cells)
{
	struct fake_host host;

	begin(&host, ".", WEIR_FORM_STRUCTURED, "same");
	assert_int_equal(fake_host_process(&host, cells[0].data, cells[0].size_bytes), WEIR_REJECTED);
	assert_string_equal(host.reason, cells[1].data);
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
}

static void text_row(const struct document_cell *cells)
{
	struct fake_host host;

	begin(&host, cells[0].data, WEIR_FORM_TEXT, "same");
	assert_int_equal(fake_host_process(&host, cells[1].data, cells[1].size_bytes), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, cells[2].data));
	fake_host_deinit(&host);
}

static void refused_text_row(const struct document_cell *cells)
{
	struct fake_host host;

	begin(&host, cells[0].data, WEIR_FORM_TEXT, "same");
	assert_int_equal(fake_host_process(&host, cells[1].data, cells[1].size_bytes), WEIR_REJECTED);
	assert_string_equal(host.reason, cells[2].data);
	fake_host_deinit(&host);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows_of(DOCUMENT, "map: what becomes of it", map_row) >= 18);
	assert_true(document_rows_of(DOCUMENT, "map: what is refused", refused_row) >= 9);
	assert_true(document_rows_of(DOCUMENT, "map: items that jq has no value for", no_value_row) >= 7);
	assert_true(document_rows_of(DOCUMENT, "map: text", text_row) >= 6);
	assert_true(document_rows_of(DOCUMENT, "map: text that is refused", refused_text_row) >= 3);
}

static void test_emits(void **state)
{
	struct packed item = packed_json("{\"a\":[1,\"x\"]}");
	struct fake_host host;
	char *items;

	(void)state;
	begin(&host, ".a, \"x y\"", WEIR_FORM_STRUCTURED, "text");
	assert_int_equal(fake_host_process(&host, item.data, item.size_bytes), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "[1,\"x\"]"));
	assert_true(fake_host_item_is(&host, 1, "x y"));
	fake_host_deinit(&host);
	begin(&host, "fromjson, .", WEIR_FORM_TEXT, "structured");
	assert_int_equal(fake_host_process(&host, "[1, 2]", 6), WEIR_OK);
	items = items_as_json(&host, 0, 2);
	assert_string_equal(items, "[1,2] \"[1, 2]\"");
	free(items);
	fake_host_deinit(&host);
	packed_free(&item);
}

/* Whatever JSON can say that jq can hold comes out as it went in. */
static void test_there_and_back(void **state)
{
	struct random_source source = { 11 };
	unsigned n_same = 0;
	struct fake_host host;

	(void)state;
	begin(&host, ".", WEIR_FORM_STRUCTURED, "same");
	for (unsigned i = 0; i < 20000; i++) {
		static unsigned char item[RANDOM_ITEM_BYTES];
		size_t size = random_item(&source, item);
		uint64_t n = fake_host_items(&host);
		int r = fake_host_process(&host, item, size);
		struct fake_item out;

		assert_true(r == WEIR_OK || r == WEIR_REJECTED);
		if (r != WEIR_OK)
			continue;
		assert_int_equal(fake_host_items(&host), n + 1);
		out = fake_host_item(&host, n);
		assert_int_equal(fake_host_process(&host, out.data, out.size_bytes),
				 WEIR_OK); /* settled after one pass */
		assert_int_equal(fake_host_item(&host, n + 1).size_bytes, out.size_bytes);
		assert_memory_equal(fake_host_item(&host, n + 1).data, out.data, out.size_bytes);
		n_same += out.size_bytes == size && memcmp(out.data, item, size) == 0;
		fake_host_commit(&host);
	}
	assert_true(n_same > 1000);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_emits),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
