/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text: the tables of the document, and random text there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/json.h"
#include "common/record/text_format.h"
#include "document.h"
#include "random_item.h"

static void bad_record(const struct document_cell *cells)
{
	struct record_fault fault = { "" };
	unsigned char room[1024];
	size_t size;

	assert_int_equal(text_format_decode(cells[0].data, cells[0].size_bytes, room, &size, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, cells[1].data);
}

static void bad_item(const struct document_cell *cells)
{
	struct record_fault fault = { "" };
	char room[4096];
	size_t size;

	assert_int_equal(text_format_encode(cells[0].data, cells[0].size_bytes, room, &size, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, cells[1].data);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows("Text: bad records", bad_record) >= 2);
	assert_true(document_rows("Text: items that it can't say", bad_item) >= 2);
}

static void test_there_and_back(void **state)
{
	struct random_source source = { 3 };
	struct record_fault fault;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		char text[600];
		size_t size = random_text(&source, i % 2 ? 8 : 200, text), item_size, again_size;
		unsigned char *item = malloc(text_format_decode_bound(size));
		char *again, *exact = memcpy(malloc(size + 1), text, size);
		bool is_line = !memchr(text, '\n', size);

		assert_int_equal(text_format_decode(exact, size, item, &item_size, &fault), 0);
		again = malloc(json_encode_bound(item_size));
		assert_int_equal(text_format_encode(item, item_size, again, &again_size, &fault),
				 is_line ? 0 : RECORD_E_BAD);
		if (is_line) {
			assert_int_equal(again_size, size);
			assert_memory_equal(again, text, size);
		}
		free(exact);
		free(again);
		free(item);
	}
}

static void test_others_as_json(void **state)
{
	struct record_fault fault;
	char room[256];
	size_t size;

	(void)state;
	assert_int_equal(text_format_encode("\x81\xa1"
					    "a\x01",
					    4, room, &size, &fault),
			 0);
	assert_int_equal(size, 7);
	assert_memory_equal(room, "{\"a\":1}", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_others_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
