/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/supervise/history.h"

static void add(struct history *history, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct history_event event = {
			.kind = HISTORY_STARTED, .stage = "price", .worker = 1, .slot = 2, .generation = 3
		};

		snprintf(event.text, sizeof(event.text), "event %llu", (unsigned long long)history->next);
		history_add(history, &event);
	}
}

static void format(const struct history *history, uint64_t from, struct text *text)
{
	text_clear(text);
	history_format_json(history, from, text);
}

static void test_one_event(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct history history;
	struct history_event event = { .kind = HISTORY_DIED,
				       .time = { 1700000000, 123456789 },
				       .stage = "price",
				       .worker = 0,
				       .slot = 4,
				       .generation = 2,
				       .pid = 4711,
				       .cause = "signal",
				       .text = "was killed by \"SIGKILL\"\n" };

	(void)state;
	assert_int_equal(history_open(&history, 7, 8), 0);
	history_format_event(&history, history_add(&history, &event), &text);
	assert_string_equal(
		text_get(&text),
		"{\"run\":7,\"supervisor\":8,\"number\":1,\"time\":1700000000.123456,\"event\":\"died\",\"stage\":\"price\","
		"\"worker\":0,\"slot\":4,\"generation\":2,\"pid\":4711,\"cause\":\"signal\","
		"\"text\":\"was killed by \\\"SIGKILL\\\"\\n\"}");
	text_clear(&text);
	event = (struct history_event){ .kind = HISTORY_DRAIN, .worker = -1 };
	history_format_event(&history, history_add(&history, &event), &text);
	assert_non_null(strstr(text_get(&text), "\"number\":2,"));
	assert_non_null(strstr(text_get(&text),
			       "\"event\":\"drain\",\"stage\":null,\"worker\":null,\"slot\":null,\"generation\":null,"
			       "\"pid\":null,\"cause\":null,\"text\":null}"));
	history_close(&history);
}

/* From a number on; what is asked for and not known any more is counted, and nothing that was not. */
static void test_the_oldest_give_way(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct history history;

	(void)state;
	assert_int_equal(history_open(&history, 7, 8), 0);
	format(&history, 0, &text);
	assert_string_equal(text_get(&text), "{\"next\":1,\"lost\":0,\"events\":[]}");
	add(&history, 3);
	format(&history, 3, &text);
	assert_non_null(strstr(text_get(&text),
			       "{\"next\":4,\"lost\":0,\"events\":[{\"run\":7,\"supervisor\":8,\"number\":3,"));
	format(&history, 4, &text);
	assert_string_equal(text_get(&text), "{\"next\":4,\"lost\":0,\"events\":[]}");
	format(&history, 99, &text);
	assert_string_equal(text_get(&text), "{\"next\":4,\"lost\":0,\"events\":[]}");
	add(&history, HISTORY_EVENTS_MAX - 3);
	format(&history, 1, &text);
	assert_non_null(strstr(text_get(&text), "\"lost\":0,\"events\":[{\"run\":7,\"supervisor\":8,\"number\":1,"));
	add(&history, 2);
	format(&history, 0, &text);
	assert_non_null(strstr(text_get(&text), "\"lost\":2,\"events\":[{\"run\":7,\"supervisor\":8,\"number\":3,"));
	assert_non_null(strstr(text_get(&text), "\"text\":\"event 1026\"}]}"));
	format(&history, 2, &text);
	assert_non_null(strstr(text_get(&text), "\"lost\":1,"));
	format(&history, 500, &text);
	assert_non_null(strstr(text_get(&text), "\"lost\":0,\"events\":[{\"run\":7,\"supervisor\":8,\"number\":500,"));
	history_close(&history);
	history_close(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_event),
		cmocka_unit_test(test_the_oldest_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
