/* SPDX-License-Identifier: Apache-2.0 */
/* docs/spec.md says what the tables say. WEIR_UPDATE=1 writes its tables anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spec/reference.h"

#define DOCUMENT WEIR_SOURCE_DIR "/docs/spec.md"

static void read_document(struct text *text)
{
	FILE *file = fopen(DOCUMENT, "r");
	char buffer[4096];
	size_t n;

	assert_non_null(file);
	while ((n = fread(buffer, 1, sizeof(buffer), file)))
		text_add_bytes(text, buffer, n);
	fclose(file);
}

static void test_document(void **state)
{
	_cleanup_(text_deinit) struct text document = TEXT_NULL, reference = TEXT_NULL, wanted = TEXT_NULL;
	const char *begin, *end;

	(void)state;
	read_document(&document);
	begin = strstr(text_get(&document), "<!-- begin of the generated tables");
	assert_non_null(begin);
	begin = strchr(begin, '\n') + 1;
	end = strstr(begin, "<!-- end of the generated tables");
	assert_non_null(end);
	spec_reference(&reference);
	text_add_bytes(&wanted, document.data, (size_t)(begin - document.data));
	text_printf(&wanted, "\n%s%s", text_get(&reference), end);
	if (getenv("WEIR_UPDATE")) {
		FILE *file = fopen(DOCUMENT, "w");

		assert_non_null(file);
		fputs(text_get(&wanted), file);
		fclose(file);
		return;
	}
	if (strcmp(text_get(&document), text_get(&wanted)) != 0)
		fail_msg("docs/spec.md is behind its tables: run this test with WEIR_UPDATE=1 and read the difference");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
