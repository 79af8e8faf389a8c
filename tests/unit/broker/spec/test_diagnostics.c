/* SPDX-License-Identifier: Apache-2.0 */
/* Findings in one line, as systemd shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/spec/spec.h"

static void test_the_first_error_in_a_line(void **state)
{
	struct diagnostics diagnostics = { .path = strdup("p.yaml") };
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	diagnostics_format_first(&diagnostics, &text);
	diagnostics_add(&diagnostics, DIAGNOSTIC_WARNING, (struct spec_position){ 1, 1 }, NULL, "it may be slow");
	diagnostics_format_first(&diagnostics, &text);
	assert_int_equal(text.length, 0);
	diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, (struct spec_position){ 3, 5 }, "did you mean 'b'?",
			"no \n'a'");
	diagnostics_format_first(&diagnostics, &text);
	assert_string_equal(text_get(&text), "p.yaml:3:5: no ?'a' (did you mean 'b'?)");
	text_clear(&text);
	diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, (struct spec_position){ 2, 1 }, NULL, "what");
	diagnostics_format_first(&diagnostics, &text);
	assert_string_equal(text_get(&text), "p.yaml:2:1: what; and 1 more error");
	text_clear(&text);
	diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, (struct spec_position){ 4, 1 }, NULL, "what");
	diagnostics_format_first(&diagnostics, &text);
	assert_string_equal(text_get(&text), "p.yaml:2:1: what; and 2 more errors");
	diagnostics_deinit(&diagnostics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_error_in_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
