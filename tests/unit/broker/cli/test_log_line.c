/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/log_line.h"

static struct log_line sample(void)
{
	return (struct log_line){ .level = WEIR_LOG_WARNING,
				  .pipeline = "orders",
				  .stage = "awk",
				  .worker = 1,
				  .pid = 4711,
				  .message = "a bad line",
				  .time = { .tv_sec = 3600, .tv_nsec = 7000000 } };
}

static void check(const struct log_line *line, struct log_style style, const char *expected)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	log_line_format(line, &style, &text);
	assert_string_equal(text_get(&text), expected);
}

static void test_text(void **state)
{
	struct log_line line = sample();

	(void)state;
	check(&line, (struct log_style){ .format = LOG_TEXT }, "01:00:00 awk#1 warning: a bad line\n");
	check(&line, (struct log_style){ .format = LOG_TEXT, .color = true },
	      "\033[2m01:00:00\033[0m \033[1mawk#1\033[0m \033[33mwarning\033[0m: a bad line\n");
	check(&line, (struct log_style){ .format = LOG_TEXT, .journal = true }, "<4>awk#1 warning: a bad line\n");
	line.worker = -1;
	line.level = WEIR_LOG_INFO;
	check(&line, (struct log_style){ .format = LOG_TEXT }, "01:00:00 awk: a bad line\n");
	line.stage = NULL;
	line.level = WEIR_LOG_ERROR;
	check(&line, (struct log_style){ .format = LOG_TEXT }, "01:00:00 weir error: a bad line\n");
}

static void test_fields_for_the_journal(void **state)
{
	const struct log_item item = { .trace_id = "a-b", .scope = 7, .has_sequence = true, .sequence = 0 };
	const struct log_style style = { .format = LOG_TEXT, .journal = true, .fields = true };
	struct log_line line = sample();

	(void)state;
	check(&line, style,
	      "<4>\x1eWEIR_PIPELINE=orders\x1fWEIR_STAGE=awk\x1fWEIR_SLOT=1\x1fWEIR_PID=4711\x1f\x1e"
	      "awk#1 warning: a bad line\n");
	line.item = &item;
	line.message = "\x1e\x1f";
	check(&line, style,
	      "<4>\x1eWEIR_PIPELINE=orders\x1fWEIR_STAGE=awk\x1fWEIR_SLOT=1\x1fWEIR_PID=4711\x1fWEIR_ITEM=0\x1f"
	      "WEIR_TRACE_ID=a-b\x1fWEIR_SCOPE=7\x1f\x1e"
	      "awk#1 warning: \\x1e\\x1f [trace-id a-b] [scope 7]\n");
	line = (struct log_line){ .level = WEIR_LOG_INFO, .worker = -1, .message = "up" };
	check(&line, style, "<6>\x1e\x1eweir: up\n");
}

static void test_logfmt(void **state)
{
	struct log_line line = sample();

	(void)state;
	check(&line, (struct log_style){ .format = LOG_LOGFMT },
	      "time=1970-01-01T01:00:00.007Z level=warning pipeline=orders stage=awk worker=1 pid=4711 msg=\"a bad line\"\n");
	line.message = "done";
	line.pipeline = line.stage = NULL;
	line.pid = 0;
	check(&line, (struct log_style){ .format = LOG_LOGFMT, .journal = true }, "<4>level=warning msg=done\n");
	line.message = "";
	check(&line, (struct log_style){ .format = LOG_LOGFMT, .journal = true }, "<4>level=warning msg=\"\"\n");
}

static void test_json(void **state)
{
	struct log_line line = sample();

	(void)state;
	line.message = "say \"no\"\n\xff";
	check(&line, (struct log_style){ .format = LOG_JSON },
	      "{\"type\":\"log\",\"time\":\"1970-01-01T01:00:00.007Z\",\"level\":\"warning\",\"pipeline\":\"orders\",\"stage\":\"awk\",\"worker\":1,"
	      "\"pid\":4711,\"message\":\"say \\\"no\\\"\\n\\ufffd\"}\n");
}

static void test_which_item_it_is_about(void **state)
{
	const struct log_item both = { .trace_id = "4bf9 \"x\"", .scope = 18446744073709551615u },
			      one = { .trace_id = "", .scope = 7 },
			      told = { .trace_id = "4bf9",
				       .sequence = 41,
				       .has_sequence = true,
				       .monotonic_ns = 1234567890123,
				       .has_generation = true };
	struct log_line line = sample();

	(void)state;
	line.item = &both;
	check(&line, (struct log_style){ .format = LOG_TEXT },
	      "01:00:00 awk#1 warning: a bad line [trace-id 4bf9 \"x\"] [scope 18446744073709551615]\n");
	check(&line, (struct log_style){ .format = LOG_JSON },
	      "{\"type\":\"log\",\"time\":\"1970-01-01T01:00:00.007Z\",\"level\":\"warning\",\"pipeline\":\"orders\",\"stage\":\"awk\",\"worker\":1,"
	      "\"pid\":4711,\"trace_id\":\"4bf9 \\\"x\\\"\",\"scope\":18446744073709551615,\"message\":\"a bad line\"}\n");
	line.item = &one;
	check(&line, (struct log_style){ .format = LOG_LOGFMT, .journal = true },
	      "<4>level=warning pipeline=orders stage=awk worker=1 pid=4711 scope=7 msg=\"a bad line\"\n");
	line.item = &told;
	check(&line, (struct log_style){ .format = LOG_TEXT }, "01:00:00 awk#1 warning: a bad line [trace-id 4bf9]\n");
	check(&line, (struct log_style){ .format = LOG_LOGFMT, .journal = true },
	      "<4>level=warning pipeline=orders stage=awk worker=1 pid=4711 generation=0 sequence=41 trace_id=4bf9 msg=\"a bad line\"\n");
	check(&line, (struct log_style){ .format = LOG_JSON },
	      "{\"type\":\"log\",\"time\":\"1970-01-01T01:00:00.007Z\",\"level\":\"warning\",\"pipeline\":\"orders\",\"stage\":\"awk\",\"worker\":1,"
	      "\"pid\":4711,\"generation\":0,\"monotonic_ns\":1234567890123,\"sequence\":41,\"trace_id\":\"4bf9\",\"message\":\"a bad line\"}\n");
}

static void test_nothing_moves_the_cursor(void **state)
{
	struct log_line line = sample();

	(void)state;
	line.message = "\033[2Jx\r\xc2\x9b\xc3\xa4\x80\tend";
	check(&line, (struct log_style){ .format = LOG_TEXT, .journal = true },
	      "<4>awk#1 warning: \\x1b[2Jx\\x0d\\xc2\\x9b\xc3\xa4\\x80\tend\n");
}

static void test_journal_is_recognised(void **state)
{
	char stream[64];
	struct stat st;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	unsetenv("JOURNAL_STREAM");
	assert_false(log_is_journal(fds[1]));
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	assert_true(log_is_journal(fds[1]));
	assert_false(log_is_journal(STDIN_FILENO));
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_false(log_is_journal(fds[1]));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_fields_for_the_journal),
		cmocka_unit_test(test_logfmt),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_which_item_it_is_about),
		cmocka_unit_test(test_nothing_moves_the_cursor),
		cmocka_unit_test(test_journal_is_recognised),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
