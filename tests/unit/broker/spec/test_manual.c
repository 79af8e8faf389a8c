/* SPDX-License-Identifier: Apache-2.0 */
/* The generated manual pages have every key, kind and option, and nothing in them that roff would take for its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "broker/spec/keys.h"
#include "broker/spec/manual.h"
#include "common/stage/registry.h"

/* The part of a page between a title and the next; at most 32 KiB. */
static const char *section(const struct text *page, const char *title)
{
	static char part[32768];
	const char *at = strstr(text_get(page), title), *end;

	if (!at)
		fail_msg("no '%s'", title);
	at += strlen(title);
	end = strstr(at, "\n.Ss ");
	snprintf(part, sizeof(part), "%.*s", (int)(end ? end + 1 - at : (long)strlen(at)), at);
	return part;
}

static void assert_option(const struct text *page, const char *title, const char *name)
{
	char item[128];

	snprintf(item, sizeof(item), "\n.It Cm %s\n", name);
	if (!strstr(section(page, title), item))
		fail_msg("'%s' lacks '%s'", title, name);
}

static void test_every_key(void **state)
{
	static const struct {
		const char *title;
		const struct key_table *table;
	} tables[] = {
		{ ".Ss The top of a spec\n", &keys_top },
		{ ".Ss Every stage\n", &keys_stage },
		{ ".Ss dead_letter\n", &keys_dead_letter },
		{ ".Ss decode\n", &keys_decode },
		{ ".Ss encode\n", &keys_encode },
		{ ".Ss restart\n", &keys_restart },
		{ ".Ss canary\n", &keys_canary },
		{ ".Ss workers\n", &keys_workers },
		{ ".Ss sandbox\n", &keys_sandbox },
		{ ".Ss resources\n", &keys_resources },
		{ ".Ss A feedback edge in from\n", &keys_feedback },
	};
	_cleanup_(text_deinit) struct text page = TEXT_NULL;

	(void)state;
	manual_keys(&page);
	assert_int_equal(sizeof(tables) / sizeof(tables[0]), n_key_sections);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (size_t k = 0; k < tables[i].table->n; k++)
			assert_option(&page, tables[i].title, tables[i].table->keys[k].name);
	assert_non_null(strstr(section(&page, ".Ss Every stage\n"), "\nnone | fifo | key; default: none\n"));
	assert_non_null(strstr(section(&page, ".Ss Every stage\n"), "\ninteger, 1 to 4096; default: 64\n"));
}

static void test_every_kind(void **state)
{
	_cleanup_(text_deinit) struct text page = TEXT_NULL;

	(void)state;
	manual_kinds(&page);
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		const struct weir_stage *stage = stage_descriptors[i];
		bool is_exec = stage->role == WEIR_OPERATOR && strcmp(stage->name, "exec") == 0;
		char title[64];

		snprintf(title, sizeof(title), ".Ss %s: %s\n", is_exec ? "exec" : stage_role_name(stage->role),
			 is_exec ? "COMMAND" : stage->name);
		for (size_t k = 0; k < stage->n_options; k++) {
			bool is_key = is_exec && strcmp(stage->options[k].name, "command") == 0;

			assert_option(&page, title, is_key ? "exec" : stage->options[k].name);
		}
	}
}

/* Each line is one of the requests that are meant, or text. */
static void test_text_stays_text(void **state)
{
	static const char *const requests[] = { ".Ss ", ".Sh ", ".It Cm ", ".Bl -tag ", ".El\n", ".br\n", ".Pp\n" };
	_cleanup_(text_deinit) struct text page = TEXT_NULL;

	(void)state;
	manual_keys(&page);
	manual_kinds(&page);
	for (const char *line = text_get(&page); *line; line += strcspn(line, "\n") + 1) {
		bool known = *line != '.' && *line != '\'';

		for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
			known = known || strncmp(line, requests[i], strlen(requests[i])) == 0;
		if (!known)
			fail_msg("roff takes this for a request: %.60s", line);
		for (const char *at = line; *at != '\n'; at++)
			if (*at == '\\' && !strchr("e&-", *++at))
				fail_msg("roff takes this for an escape: %.60s", line);
	}
	assert_non_null(strstr(text_get(&page), "\n\\&.")); /* an example that begins with a dot */
	assert_non_null(strstr(text_get(&page), "\\et"));   /* separator: '\t' is a tab */
	assert_non_null(strstr(text_get(&page), "drop\\-new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_text_stays_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
