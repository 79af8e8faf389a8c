/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "broker/supervise/last_words.h"

struct heard {
	unsigned n;
	enum weir_log_level level;
	char line[WORDS_LINE_MAX + 1];
};

static void hear(void *data, enum weir_log_level level, const char *line)
{
	struct heard *heard = data;

	heard->n++;
	heard->level = level;
	snprintf(heard->line, sizeof(heard->line), "%s", line);
}

static void feed(struct last_words *words, struct heard *heard, const char *text)
{
	last_words_feed(words, text, strlen(text), hear, heard);
}

static void test_which_item_a_line_is_about(void **state)
{
	static const char *const lines[] = {
		"<4>\x1e"
		"abc-1\x1f"
		"7\x1emind \x1b[2J\x1ethis\n",
		"<4>\x1e\x1f"
		"0\x1eno more\n",
		"<4>plain\n",
	};
	struct last_words words = { 0 };
	struct heard heard = { 0 };

	(void)state;
	feed(&words, &heard, lines[0]);
	assert_string_equal(heard.line, "mind ?[2J?this");
	assert_int_equal(heard.level, WEIR_LOG_WARNING);
	assert_string_equal(words.item.trace_id, "abc-1");
	assert_int_equal(words.item.scope, 7);
	for (int i = 1; i < 3; i++) {
		feed(&words, &heard, lines[i]);
		assert_string_equal(heard.line, i == 1 ? "no more" : "plain");
		assert_true(!words.item.trace_id[0] && !words.item.scope);
	}
	feed(&words, &heard,
	     "<4>\x1e\x1f"
	     "0\x1f"
	     "41\x1f"
	     "1234567890123\x1eone\n");
	assert_true(words.item.has_sequence && words.item.sequence == 41 && words.item.monotonic_ns == 1234567890123);
	feed(&words, &heard,
	     "<4>\x1e"
	     "abc\x1f"
	     "7\x1f\x1f"
	     "5\x1enone\n");
	assert_string_equal(heard.line, "none");
	assert_true(!words.item.has_sequence && words.item.scope == 7 && words.item.monotonic_ns == 5);
	last_words_clear(&words);
}

/* Whatever else writes to that pipe: it is shown, and nothing worse. */
static void test_heads_that_are_none(void **state)
{
	char line[WORDS_LINE_MAX];
	struct last_words words = { 0 };
	struct heard heard = { 0 };

	(void)state;
	feed(&words, &heard,
	     "<6>\x1eno end\x1f"
	     "1\n");
	assert_string_equal(heard.line, "?no end?1");
	feed(&words, &heard, "\x1eno separator\x1e text\n");
	assert_string_equal(heard.line, "?no separator? text");
	memset(line, 'x', sizeof(line));
	memcpy(line, "\x1e", 1);
	memcpy(line + 300,
	       "\x1f"
	       "1\x1etail\n",
	       9);
	line[309] = '\0';
	feed(&words, &heard, line);
	assert_true(!words.item.trace_id[0] && heard.line[0] == '?');
	last_words_clear(&words);
}

static void test_lines_in_pieces(void **state)
{
	struct last_words words = { 0 };
	struct heard heard = { 0 };

	(void)state;
	feed(&words, &heard, "hel");
	assert_int_equal(heard.n, 0);
	feed(&words, &heard, "lo\n\nwor");
	assert_int_equal(heard.n, 1);
	assert_string_equal(heard.line, "hello");
	assert_int_equal(heard.level, WEIR_LOG_NOTICE);
	last_words_end(&words, hear, &heard);
	assert_int_equal(heard.n, 2);
	assert_string_equal(heard.line, "wor");
	last_words_end(&words, hear, &heard);
	assert_int_equal(heard.n, 2);
	last_words_clear(&words);
}

static void test_priorities(void **state)
{
	struct last_words words = { 0 };
	struct heard heard = { 0 };

	(void)state;
	feed(&words, &heard, "<4>careful\n");
	assert_int_equal(heard.level, WEIR_LOG_WARNING);
	assert_string_equal(heard.line, "careful");
	feed(&words, &heard, "<0>everything is lost\n");
	assert_int_equal(heard.level, WEIR_LOG_ERROR);
	feed(&words, &heard, "<7>chatter\n");
	assert_int_equal(heard.level, WEIR_LOG_DEBUG);
	feed(&words, &heard, "<9>no priority\n");
	assert_int_equal(heard.level, WEIR_LOG_NOTICE);
	assert_string_equal(heard.line, "<9>no priority");
	feed(&words, &heard, "<4>\n");
	assert_int_equal(heard.n, 4);
	last_words_clear(&words);
}

/* Where a worker stands is heard apart, and takes no room among its words; in the middle of a line that is open, too. */
static void test_backtraces_are_no_words(void **state)
{
	struct last_words words = { .on_backtrace = hear };
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct heard heard = { 0 };

	(void)state;
	feed(&words, &heard, "an open line\n<5>\002backtrace: f (x.so+0x1) < g (x.so+0x2\033)\n");
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.level, WEIR_LOG_NOTICE);
	assert_string_equal(heard.line, "backtrace: f (x.so+0x1) < g (x.so+0x2?)");
	feed(&words, &heard, "<7>\002backtrace: f\n");
	assert_int_equal(heard.level, WEIR_LOG_DEBUG);
	last_words_format(&words, 100, &text);
	assert_string_equal(text_get(&text), "\"an open line\"");
	words.on_backtrace = NULL;
	feed(&words, &heard, "<7>\002backtrace: g\n<5>\002\n");
	assert_int_equal(heard.n, 3);
	feed(&words, &heard, "not\002in the middle\n");
	assert_string_equal(heard.line, "not?in the middle");
	last_words_clear(&words);
}

static void test_a_line_without_end_is_cut(void **state)
{
	struct last_words words = { 0 };
	struct heard heard = { 0 };
	char much[4096];

	(void)state;
	memset(much, 'x', sizeof(much));
	for (unsigned i = 0; i < 100; i++)
		last_words_feed(&words, much, sizeof(much), hear, &heard);
	feed(&words, &heard, "\nnext\n");
	assert_int_equal(heard.n, 2);
	assert_string_equal(heard.line, "next");
	feed(&words, &heard, "<3>");
	last_words_feed(&words, much, sizeof(much), hear, &heard);
	feed(&words, &heard, "\n");
	assert_int_equal(strlen(heard.line), WORDS_LINE_MAX - 3);
	last_words_clear(&words);
}

static void test_hostile_bytes_are_made_safe(void **state)
{
	struct last_words words = { 0 };
	struct heard heard = { 0 };

	(void)state;
	last_words_feed(&words, "a\0b\033[2Jc\td\r\n", 12, hear, &heard);
	assert_string_equal(heard.line, "a?b?[2Jc\td");
	feed(&words, &heard, "gr\xc3\xbc\xc3\x9f\n");
	assert_string_equal(heard.line, "gr\xc3\xbc\xc3\x9f");
	last_words_clear(&words);
}

static void test_the_last_ten_are_kept(void **state)
{
	struct last_words words = { 0 };
	struct heard heard = { 0 };
	struct text text = TEXT_NULL;
	char line[32];

	(void)state;
	last_words_format(&words, 100, &text);
	assert_string_equal(text_get(&text), "");
	for (unsigned i = 0; i < 25; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		feed(&words, &heard, line);
	}
	last_words_format(&words, 100, &text);
	assert_true(strncmp(text_get(&text), "\"line 15\" / \"line 16\"", 21) == 0);
	assert_non_null(strstr(text_get(&text), "/ \"line 24\""));
	text_clear(&text);
	last_words_clear(&words);
	feed(&words, &heard, "a rather long line\n");
	last_words_format(&words, 8, &text);
	assert_string_equal(text_get(&text), "\"a rather...\"");
	text_deinit(&text);
	last_words_clear(&words);
}

static void test_limit_suppresses_and_counts(void **state)
{
	struct line_limit limit = { .max = 200, .window_ns = 1000 };
	unsigned passed = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		passed += line_limit_pass(&limit, 5000 + i / 10);
	assert_int_equal(passed, 200);
	assert_int_equal(line_limit_report_ns(&limit), 6000);
	assert_int_equal(line_limit_take(&limit), 800);
	assert_int_equal(line_limit_report_ns(&limit), 0);
	assert_false(line_limit_pass(&limit, 5999));
	assert_true(line_limit_pass(&limit, 6000));
	assert_int_equal(line_limit_take(&limit), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_item_a_line_is_about),
		cmocka_unit_test(test_heads_that_are_none),
		cmocka_unit_test(test_lines_in_pieces),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_backtraces_are_no_words),
		cmocka_unit_test(test_a_line_without_end_is_cut),
		cmocka_unit_test(test_hostile_bytes_are_made_safe),
		cmocka_unit_test(test_the_last_ten_are_kept),
		cmocka_unit_test(test_limit_suppresses_and_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
