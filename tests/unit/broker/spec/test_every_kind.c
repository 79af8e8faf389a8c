/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/spec/every-kind.yaml has a stage of each kind of the registry, a line each, and is fine. Then one slip in each of its stages at
 * once, in the word that names the kind, and option by option: each slip is named, in its line. A kind without a line there fails this
 * test.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/spec.h"
#include "common/stage/registry.h"

#define SPEC WEIR_SOURCE_DIR "/tests/spec/every-kind.yaml"
#define LINES_MAX 120u

static char *lines[LINES_MAX + 1];                    /* with their newlines; owned */
static const struct weir_stage *kinds[LINES_MAX + 1]; /* of the stage in that line; NULL: none */
static uint32_t n_lines;
static char path[] = "/tmp/weir-every-kind-XXXXXX";

/* Where the word stands as a key of the stage, ": " behind it; NULL: nowhere. */
static char *find_key(char *line, const char *word)
{
	size_t n = strlen(word);

	for (char *at = line; (at = strstr(at, word)); at += n)
		if (at[n] == ':' && at > line && (at[-1] == ' ' || at[-1] == '{') && at[-2] != '{')
			return at;
	return NULL;
}

/* The word that says that the line's stage is of that kind. */
static char *find_kind(char *line, const struct weir_stage *kind)
{
	bool is_exec = kind->role == WEIR_OPERATOR && strcmp(kind->name, "exec") == 0;
	char *at = find_key(line, is_exec ? "exec" : stage_role_name(kind->role));
	size_t n = strlen(kind->name);

	if (!at || is_exec)
		return at;
	at = strchr(at, ':') + 2;
	return strncmp(at, kind->name, n) == 0 && (at[n] == ',' || at[n] == '}') ? at : NULL;
}

static int set_up(void **state)
{
	FILE *file = fopen(SPEC, "r");
	size_t room = 0;
	int fd = mkstemp(path);

	(void)state;
	setenv("WEIR_WORKER", WEIR_BINARY_DIR "/bin/weir-worker", 0); /* it is asked about expressions */
	assert_int_equal(chdir(WEIR_SOURCE_DIR "/tests/spec"), 0);
	assert_non_null(file);
	while (n_lines < LINES_MAX && getline(&lines[n_lines + 1], &room, file) > 0) {
		n_lines++;
		room = 0;
		for (size_t i = 0; i < n_stage_descriptors; i++)
			if (find_kind(lines[n_lines], stage_descriptors[i]))
				kinds[n_lines] = stage_descriptors[i];
	}
	fclose(file);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LINES_MAX + 1; i++)
		free(lines[i]);
	return unlink(path);
}

static void say(const char *spec, struct text *said)
{
	struct diagnostics diagnostics;
	struct plan *plan = NULL;

	(void)spec_load(spec, NULL, 0, &plan, &diagnostics);
	diagnostics_format(&diagnostics, false, said);
	plan_free(plan);
	diagnostics_deinit(&diagnostics);
}

static void test_each_has_its_line(void **state)
{
	_cleanup_(text_deinit) struct text said = TEXT_NULL;
	unsigned n_missing = 0;

	(void)state;
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		uint32_t line = 1;

		while (line <= n_lines && kinds[line] != stage_descriptors[i])
			line++;
		if (line <= n_lines)
			continue;
		print_error(
			"tests/spec/every-kind.yaml has no stage '%s: %s': add a line, with all options that go together\n",
			stage_role_name(stage_descriptors[i]->role), stage_descriptors[i]->name);
		n_missing++;
	}
	assert_int_equal(n_missing, 0);
	say(SPEC, &said);
	assert_string_equal(text_get(&said), "");
}

/* Whether a message about that line says that word. */
static bool is_named(const char *said, uint32_t line, const char *word)
{
	_cleanup_(text_deinit) struct text head = TEXT_NULL, quoted = TEXT_NULL;

	text_printf(&head, "%s:%u:", path, line);
	text_printf(&quoted, "'%s'", word);
	for (const char *at = said; (at = strstr(at, text_get(&head))); at += head.length) {
		const char *end = strchr(at, '\n'), *found = strstr(at, text_get(&quoted));

		if (found && end && found < end && strstr(at, ": error: ") && strstr(at, ": error: ") < end)
			return true;
	}
	return false;
}

/* The option of the stage in that line with that number among those that the line has; NULL: there are less. */
static char *find_option(uint32_t line, unsigned number, const struct weir_option **ret_option)
{
	const struct weir_stage *kind = kinds[line];

	for (size_t i = 0; kind && i < kind->n_options; i++) {
		char *at = find_key(lines[line], kind->options[i].name);

		if (!at || number--)
			continue;
		*ret_option = &kind->options[i];
		return at;
	}
	return NULL;
}

/* A slip of the finger: one letter more. */
static void write_with_slip(FILE *file, const char *line, const char *at, size_t word_bytes, char *ret_word)
{
	size_t head = (size_t)(at - line) + word_bytes;

	snprintf(ret_word, 64, "%.*sx", (int)word_bytes, at);
	fprintf(file, "%.*sx%s", (int)head, line, line + head);
}

/* In each stage the option of that number, or, for -1, the kind. Returns how many slips there were. */
static unsigned check_slips(int number)
{
	static char words[LINES_MAX + 1][64];
	_cleanup_(text_deinit) struct text said = TEXT_NULL;
	unsigned n = 0, n_unnamed = 0;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (uint32_t i = 1; i <= n_lines; i++) {
		const struct weir_option *option = NULL;
		char *at = !kinds[i]  ? NULL :
			   number < 0 ? find_kind(lines[i], kinds[i]) :
					find_option(i, (unsigned)number, &option);

		words[i][0] = '\0';
		if (at)
			write_with_slip(file, lines[i], at, strlen(option ? option->name : kinds[i]->name), words[i]);
		else
			fputs(lines[i], file);
		n += at != NULL;
	}
	fclose(file);
	if (n)
		say(path, &said);
	for (uint32_t i = 1; i <= n_lines; i++) {
		if (!words[i][0] || is_named(text_get(&said), i, words[i]))
			continue;
		print_error("nobody names '%s' in line %u: %s", words[i], i, lines[i]);
		n_unnamed++;
	}
	if (n_unnamed)
		fail_msg("said was:\n%s", text_get(&said));
	return n;
}

static void test_slips(void **state)
{
	int number = 0;

	(void)state;
	assert_true(check_slips(-1) >= n_stage_descriptors);
	while (check_slips(number))
		number++;
	assert_true(number > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_line),
		cmocka_unit_test(test_slips),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
