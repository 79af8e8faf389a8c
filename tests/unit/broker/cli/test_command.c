/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/command.h"
#include "broker/supervise/supervisor.h"

/* Reads all options of a call; what is printed on stderr meanwhile lands in `said`. Returns the last id. */
static int parse(char **argv, int *ids, struct command_parser *ret_parser, char *said, size_t said_size)
{
	FILE *file = tmpfile();
	int argc = 0, n = 0, id, saved = dup(STDERR_FILENO);

	while (argv[argc])
		argc++;
	*ret_parser = (struct command_parser)COMMAND_PARSER(argc, argv);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	while ((id = command_next(ret_parser)) > 0)
		ids[n++] = id;
	ids[n] = 0;
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	said[fread(said, 1, said_size - 1, file)] = '\0';
	fclose(file);
	return id;
}

static void check_wrong(const char *first, const char *second, const char *third, const char *expected)
{
	char words[3][64], *argv[4] = { NULL }, said[256];
	const char *given[] = { first, second, third };
	struct command_parser parser;
	int ids[8], id;

	for (int i = 0; i < 3 && given[i]; i++) {
		snprintf(words[i], sizeof(words[i]), "%s", given[i]);
		argv[i] = words[i];
	}
	id = parse(argv, ids, &parser, said, sizeof(said));
	assert_string_equal(said, expected);
	assert_int_equal(id, COMMAND_E_USAGE);
	assert_int_equal(command_exit(id), EXIT_USAGE);
}

static void test_options_and_arguments_in_any_order(void **state)
{
	char run[] = "run", spec[] = "a.yaml", set[] = "--set", value[] = "a.b=1", quiet[] = "-q",
	     joined[] = "--progress=never";
	char *argv[] = { run, spec, set, value, quiet, joined, NULL };
	struct command_parser parser;
	char said[256];
	int ids[8];

	(void)state;
	assert_int_equal(parse(argv, ids, &parser, said, sizeof(said)), 0);
	assert_int_equal(ids[0], OPTION_SET);
	assert_int_equal(ids[1], OPTION_QUIET);
	assert_int_equal(ids[2], OPTION_PROGRESS);
	assert_int_equal(ids[3], 0);
	assert_string_equal(argv[parser.first], "a.yaml");
	assert_string_equal(said, "");
}

static void test_usage_errors(void **state)
{
	(void)state;
	check_wrong("run", "x", "--quite",
		    "weir run: there is no option --quite, did you mean --quiet? see 'weir help run'\n");
	check_wrong("run", "x", "--frobnicate=1", "weir run: there is no option --frobnicate; see 'weir help run'\n");
	check_wrong("run", "x", "-Z", "weir run: there is no option -Z; see 'weir help run'\n");
	check_wrong("run", "x", "--json=yes", "weir run: option --json takes no value; see 'weir help run'\n");
	check_wrong("run", "x", "--set",
		    "weir run: option --set needs a value: --set KEY=VALUE; see 'weir help run'\n");
	check_wrong("run", NULL, NULL, "weir run: missing argument: weir run SPEC; see 'weir help run'\n");
	check_wrong("run", "a", "b", "weir run: unexpected argument 'b'; see 'weir help run'\n");
}

static void test_nearest_verb(void **state)
{
	(void)state;
	assert_string_equal(command_nearest("rnu")->name, "run");
	assert_string_equal(command_nearest("chekc")->name, "check");
	assert_string_equal(command_nearest("cancle")->name, "cancel");
	assert_null(command_nearest("xyzzy"));
	assert_null(command_nearest("x"));
	assert_null(command_find("rnu"));
}

static void test_the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *command = &commands[i];

		assert_non_null(command->run);
		assert_non_null(command->summary);
		assert_ptr_equal(command_find(command->name), command);
		assert_true(command->min_arguments <= command->max_arguments);
		assert_true((command->max_arguments == 0) == (*command->arguments == '\0'));
		for (size_t a = 0; command->options[a].id; a++)
			for (size_t b = 0; b < a; b++) {
				assert_string_not_equal(command->options[a].name, command->options[b].name);
				assert_true(!command->options[a].letter ||
					    command->options[a].letter != command->options[b].letter);
			}
	}
}

static void test_help_tells_everything(void **state)
{
	_cleanup_(text_deinit) struct text all = TEXT_NULL;

	(void)state;
	command_help_all(&all);
	for (size_t i = 0; i < n_commands; i++) {
		_cleanup_(text_deinit) struct text one = TEXT_NULL;

		assert_non_null(strstr(text_get(&all), commands[i].summary));
		command_help(&commands[i], &one);
		for (const struct command_option *option = commands[i].options; option->id; option++) {
			assert_non_null(strstr(text_get(&one), option->name));
			assert_non_null(strstr(text_get(&one), option->summary));
		}
		assert_non_null(strstr(text_get(&one), "--help"));
	}
}

/* The man page is written by hand: it must know every verb and every option. */
static void test_the_man_page_knows_every_word(void **state)
{
	static char page[65536];
	FILE *file = fopen(WEIR_SOURCE_DIR "/docs/man/weir.1", "r");

	(void)state;
	assert_non_null(file);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; i < n_commands; i++) {
		char word[64];

		snprintf(word, sizeof(word), ".Ss weir %s", commands[i].name);
		if (!strstr(page, word))
			fail_msg("docs/man/weir.1 lacks '%s'", word);
		for (const struct command_option *option = commands[i].options; option->id; option++) {
			snprintf(word, sizeof(word), "Fl Fl %s", option->name);
			if (!strstr(page, word))
				fail_msg("docs/man/weir.1 lacks '%s'", word);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_and_arguments_in_any_order),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_nearest_verb),
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_help_tells_everything),
		cmocka_unit_test(test_the_man_page_knows_every_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
