/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notation in which help shows arguments ("NAME [SPEC]", "ls|show NAME [ID...]", "auto|never") says also what can be completed: words in
 * small letters are themselves, words in capitals are nouns. completion/ has the rest, which is the same for all verbs.
 */
#include "broker/cli/completion.h"

#include <string.h>

#include "broker/cli/command.h"
#include "common/base/must.h"
#include "common/scope/cause.h"
#include "common/stage/registry.h"

/* Those in the second part have no words: nobody but the user knows them. */
static const char *const nouns[] = {
	"SPEC",    "NAME",    "NAME/STAGE", "STAGE", "VERB",   "KIND",     "CAUSE",     "PLUGIN.so",
	"PATH",    "DIR",     "FOLDER",

	"PROJECT", "ID",      "KEY",        "N",     "NUMBER", "DURATION", "KEY=VALUE", "HOST:PORT",
	"STAGE=N", "FROM:TO", "JQ",         "PATHS", "SIZE",   "URL",      "SHARE",
};

bool completion_is_noun(const char *word)
{
	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
		if (strcmp(nouns[i], word) == 0)
			return true;
	return false;
}

/* Appends the words of one place, "ls|show" or "[ID...]", without what is there for people. Returns where the next one begins. */
static const char *add_place(struct text *text, const char *at)
{
	for (; *at; at++) {
		if (*at == '|' || strncmp(at, " | ", 3) == 0) {
			text_add_char(text, ' ');
			at += *at == '|' ? 0 : 2;
		} else if (*at == ' ') {
			return at + 1;
		} else if (strncmp(at, "...", 3) == 0) {
			at += 2;
		} else if (!strchr("[]", *at)) {
			text_add_char(text, *at);
		}
	}
	return at;
}

static void add_options(struct text *text, const struct command *command)
{
	text_printf(text, "'%s options') reply='", command->name);
	for (const struct command_option *option = command->options; option->id; option++) {
		text_printf(text, "--%s ", option->name);
		if (option->letter)
			text_printf(text, "-%c ", option->letter);
	}
	text_add(text, "--help -h' ;;\n");
}

static void add_values(struct text *text, const struct command *command)
{
	for (const struct command_option *option = command->options; option->id; option++) {
		if (!option->argument)
			continue;
		text_printf(text, "'%s --%s'", command->name, option->name);
		if (option->letter)
			text_printf(text, " | '%s -%c'", command->name, option->letter);
		text_add(text, ") reply='");
		must(*add_place(text, option->argument) == '\0');
		text_add(text, "' ;;\n");
	}
}

/* The last place stands for all behind it: "[ID...]". */
static void add_arguments(struct text *text, const struct command *command)
{
	unsigned place = 1;

	for (const char *at = command->arguments; *at; place++) {
		bool repeated;
		const char *end;

		text_printf(text, "'%s %u'", command->name, place);
		end = at + strcspn(at, " ");
		repeated = end - at > 3 && memmem(at, (size_t)(end - at), "...", 3);
		if (repeated)
			text_printf(text, " | '%s '[0-9]*", command->name);
		text_add(text, ") reply='");
		at = add_place(text, at);
		text_add(text, "' ;;\n");
	}
}

void completion_words(struct text *text)
{
	for (size_t i = 0; i < n_commands; i++) {
		add_options(text, &commands[i]);
		add_values(text, &commands[i]);
		add_arguments(text, &commands[i]);
	}
}

void completion_nouns(struct text *text)
{
	text_add(text, "VERB) reply='");
	for (size_t i = 0; i < n_commands; i++)
		text_printf(text, "%s%s", i ? " " : "", commands[i].name);
	text_add(text, "' ;;\nKIND) reply='");
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		bool seen = false;

		for (size_t before = 0; before < i; before++)
			seen = seen || strcmp(stage_descriptors[before]->name, stage_descriptors[i]->name) == 0;
		if (!seen) /* there is a source `file`, and a sink */
			text_printf(text, "%s%s", i ? " " : "", stage_descriptors[i]->name);
	}
	text_add(text, "' ;;\nCAUSE) reply='");
	for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		text_printf(text, "%s%s", i > CAUSE_NONE + 1 ? " " : "", cause_name(i));
	text_add(text, "' ;;\n");
}

/* 'word:what it is', in quotes of the shell. */
static void add_told(struct text *text, const char *dashes, const char *word, const char *summary)
{
	text_printf(text, " '%s%s:", dashes, word);
	for (; *summary; summary++)
		if (*summary == '\'')
			text_add(text, "'\\''");
		else
			text_add_char(text, *summary);
	text_add_char(text, '\'');
}

void completion_told(struct text *text)
{
	text_add(text, "'- verbs') reply=(");
	for (size_t i = 0; i < n_commands; i++)
		add_told(text, "", commands[i].name, commands[i].summary);
	text_add(text, ") ;;\n");
	for (size_t i = 0; i < n_commands; i++) {
		text_printf(text, "'%s options') reply=(", commands[i].name);
		for (const struct command_option *option = commands[i].options; option->id; option++) {
			char letter[2] = { option->letter, '\0' };

			add_told(text, "--", option->name, option->summary);
			if (option->letter)
				add_told(text, "-", letter, option->summary);
		}
		add_told(text, "--", "help", "show this help");
		add_told(text, "-", "h", "show this help");
		text_add(text, ") ;;\n");
	}
}
