/* SPDX-License-Identifier: Apache-2.0 */
/* What shells complete follows from the tables, and uses no word that they do not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/completion.h"
#include "common/stage/registry.h"

/* What the branch of a place replies, up to 4 KiB; fails if there is none. */
static const char *reply(const struct text *text, const char *verb, const char *place)
{
	static char words[4096];
	char branch[128];
	const char *at;

	snprintf(branch, sizeof(branch), "'%s %s'", verb, place);
	at = strstr(text_get(text), branch);
	if (!at)
		fail_msg("no branch for %s", branch);
	at = strstr(at, ") reply='");
	assert_non_null(at);
	at += strlen(") reply='");
	snprintf(words, sizeof(words), " %.*s ", (int)strcspn(at, "'"), at);
	return words;
}

static void assert_word(const char *words, const char *dashes, const char *word)
{
	char wanted[128];

	snprintf(wanted, sizeof(wanted), " %s%s ", dashes, word);
	if (!strstr(words, wanted))
		fail_msg("no '%s' in '%s'", wanted, words);
}

static void test_every_option_and_argument(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	completion_words(&text);
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *command = &commands[i];

		assert_word(reply(&text, command->name, "options"), "--", "help");
		for (const struct command_option *option = command->options; option->id; option++) {
			char place[64];

			assert_word(reply(&text, command->name, "options"), "--", option->name);
			snprintf(place, sizeof(place), "--%s", option->name);
			if (option->argument)
				assert_true(strlen(reply(&text, command->name, place)) > 2);
		}
		if (command->max_arguments)
			assert_true(strlen(reply(&text, command->name, "1")) > 2);
	}
	assert_string_equal(reply(&text, "dlq", "1"), " ls show export replay purge ");
	assert_string_equal(reply(&text, "dlq", "3"), " ID ");
	assert_string_equal(reply(&text, "reload", "2"), " SPEC ");
	assert_string_equal(reply(&text, "stages", "1"), " KIND PLUGIN.so ");
	assert_string_equal(reply(&text, "cancel", "1"), " NAME/STAGE ");
	assert_string_equal(reply(&text, "run", "--progress"), " auto always never json ");
	assert_non_null(strstr(text_get(&text), "'dlq 3' | 'dlq '[0-9]*)"));
	assert_null(strstr(text_get(&text), "'dlq 2' | 'dlq '[0-9]*)"));
}

/* A word in capitals that no shell knows would be offered as it stands. */
static void test_every_noun_is_known(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const char *at;

	(void)state;
	completion_words(&text);
	at = text_get(&text);
	while ((at = strstr(at, ") reply='"))) {
		for (at += strlen(") reply='"); *at != '\''; at += *at == ' ') {
			char word[128];

			snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, " '"), at);
			assert_true(strlen(word) > 0);
			if (isupper((unsigned char)word[0]) && !completion_is_noun(word))
				fail_msg("completion.c does not know '%s'", word);
			assert_null(strpbrk(word, "[]|"));
			at += strlen(word);
		}
	}
	assert_false(completion_is_noun("SOMETHING"));
}

static void test_nouns_and_summaries(void **state)
{
	_cleanup_(text_deinit) struct text nouns = TEXT_NULL, told = TEXT_NULL, words = TEXT_NULL;

	(void)state;
	completion_nouns(&nouns);
	completion_told(&told);
	for (size_t i = 0; i < n_commands; i++) {
		text_clear(&words);
		text_printf(&words, "'%s:", commands[i].name);
		assert_non_null(strstr(text_get(&told), text_get(&words)));
	}
	/* They stand between quotes and spaces. */
	for (char *c = nouns.data; *c; c++)
		*c = *c == '\'' ? ' ' : *c;
	for (size_t i = 0; i < n_commands; i++)
		assert_word(text_get(&nouns), "", commands[i].name);
	for (size_t i = 0; i < n_stage_descriptors; i++)
		assert_word(text_get(&nouns), "", stage_descriptors[i]->name);
	assert_word(text_get(&nouns), "", "run_deadline");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_and_argument),
		cmocka_unit_test(test_every_noun_is_known),
		cmocka_unit_test(test_nouns_and_summaries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
