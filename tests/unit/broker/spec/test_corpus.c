/* SPDX-License-Identifier: Apache-2.0 */
/* Every spec in tests/spec, and what is said about it, byte for byte. WEIR_UPDATE=1 writes the expected texts anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/spec.h"

static void read_whole(const char *path, struct text *text)
{
	FILE *file = fopen(path, "r");
	char buffer[4096];
	size_t n;

	if (!file)
		fail_msg("%s is missing; WEIR_UPDATE=1 makes it", path);
	while ((n = fread(buffer, 1, sizeof(buffer), file)))
		text_add_bytes(text, buffer, n);
	fclose(file);
}

static void write_whole(const char *path, const struct text *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text_get(text), 1, text->length, file), text->length);
	fclose(file);
}

static void say(const char *path, struct text *said)
{
	struct diagnostics diagnostics;
	struct plan *plan = NULL;
	int r = spec_load(path, NULL, 0, &plan, &diagnostics);

	diagnostics_format(&diagnostics, false, said);
	text_printf(said, "%zu errors, %zu warnings\n", diagnostics.n_errors, diagnostics.n - diagnostics.n_errors);
	assert_int_equal(r, diagnostics.n_errors ? SPEC_E_INVALID : 0);
	assert_int_equal(!plan, !!diagnostics.n_errors);
	plan_free(plan);
	diagnostics_deinit(&diagnostics);
}

static void test_corpus(void **state)
{
	unsigned n_wrong = 0;
	glob_t found;

	(void)state;
	setenv("WEIR_WORKER", WEIR_BINARY_DIR "/bin/weir-worker", 0); /* it is asked about expressions */
	assert_int_equal(chdir(WEIR_SOURCE_DIR "/tests/spec"), 0);
	assert_int_equal(glob("*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 40);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_(text_deinit) struct text said = TEXT_NULL, expected = TEXT_NULL, path = TEXT_NULL;

		text_printf(&path, "%.*s.expected", (int)(strlen(found.gl_pathv[i]) - strlen(".yaml")),
			    found.gl_pathv[i]);
		say(found.gl_pathv[i], &said);
		if (getenv("WEIR_UPDATE"))
			write_whole(text_get(&path), &said);
		read_whole(text_get(&path), &expected);
		if (strcmp(text_get(&said), text_get(&expected)) == 0)
			continue;
		print_error("%s: said\n%s\nexpected\n%s\n", found.gl_pathv[i], text_get(&said), text_get(&expected));
		n_wrong++;
	}
	globfree(&found);
	assert_int_equal(n_wrong, 0);
}

/* Twenty-five planted errors, each in its line and column. */
static void test_twenty_five(void **state)
{
	static const struct spec_position places[25] = {
		{ 2, 11 },  { 3, 11 },  { 4, 1 },   { 5, 48 },  { 9, 5 },   { 11, 15 }, { 12, 11 },
		{ 16, 14 }, { 17, 12 }, { 19, 11 }, { 20, 12 }, { 23, 14 }, { 25, 12 }, { 27, 11 },
		{ 28, 11 }, { 33, 11 }, { 44, 12 }, { 45, 11 }, { 46, 11 }, { 51, 11 }, { 55, 5 },
		{ 60, 5 },  { 63, 11 }, { 65, 11 }, { 66, 13 },
	};
	struct diagnostics diagnostics;
	struct plan *plan = NULL;

	(void)state;
	assert_int_equal(chdir(WEIR_SOURCE_DIR "/tests/spec"), 0);
	assert_int_equal(spec_load("twenty-five.yaml", NULL, 0, &plan, &diagnostics), SPEC_E_INVALID);
	assert_int_equal(diagnostics.n, 25);
	assert_int_equal(diagnostics.n_errors, 25);
	for (size_t i = 0; i < 25; i++) {
		assert_int_equal(diagnostics.list[i].position.line, places[i].line);
		assert_int_equal(diagnostics.list[i].position.column, places[i].column);
	}
	diagnostics_deinit(&diagnostics);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_corpus), cmocka_unit_test(test_twenty_five) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
