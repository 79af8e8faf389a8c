/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/live.h"
#include "broker/cli/table.h"
#include "tests/unit/broker/cli/sample_view.h"

static void format(const struct view *view, struct live_style style, struct text *text)
{
	struct rates rates = RATES_NULL;
	size_t n_lines, counted = 0;

	rates_update(&rates, view);
	n_lines = live_format(view, &rates, &style, text);
	for (size_t i = 0; i < text->length; i++)
		counted += text->data[i] == '\n';
	assert_int_equal(n_lines, counted);
	rates_deinit(&rates);
}

/* No line may be as wide as the terminal, or it would wrap and the block could not be found again. */
static void assert_fits(const struct text *text, unsigned columns)
{
	const char *line = text_get(text);

	for (const char *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(table_text_width(line, (size_t)(end - line)) < columns);
}

static void test_eighty_columns(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	format(&s.view, (struct live_style){ .columns = 80, .rows = 24 }, &text);
	assert_string_equal(text_get(&text),
			    "STAGE  KIND  WORKERS  ITEMS  ITEMS/S  QUEUE            RESTARTS  STATE\n"
			    "read   file  1/1      1,000      100                             wait-out\n"
			    "awk    exec  3/4        900       90  [######--]  75%         2  busy\n"
			    "write  file  1/1        600       60  [--------]   0%            wait-in\n"
			    "[###############-----------------------]  42%  0:14 left  1,000 accepted  100/s\n");
}

static void test_forty_columns(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	format(&s.view, (struct live_style){ .columns = 40, .rows = 24 }, &text);
	assert_fits(&text, 40);
	assert_non_null(strstr(text_get(&text), "75%"));
	assert_non_null(strstr(text_get(&text), "0:14 left"));
	assert_null(strstr(text_get(&text), "KIND"));
}

static void test_every_width_fits(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	for (unsigned columns = 2; columns <= 200; columns++)
		for (unsigned variant = 0; variant < 4; variant++) {
			_cleanup_(text_deinit) struct text text = TEXT_NULL;

			format(&s.view,
			       (struct live_style){
				       .columns = columns, .rows = 24, .utf8 = variant & 1, .color = variant & 2 },
			       &text);
			assert_fits(&text, columns);
			assert_non_null(strstr(text_get(&text), columns > 7 ? "write" : "\n"));
		}
}

static void test_huge_numbers_fit(void **state)
{
	static const unsigned widths[] = { 20, 40, 80, 200 };
	struct sample s;

	(void)state;
	sample_init(&s);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned line = 0; line < LEDGER_COUNT; line++)
			s.stages[i].ledger[line] = s.view.ledger[line] = UINT64_MAX;
	s.view.in_flight = UINT64_MAX;
	s.stages[1].restarts = UINT32_MAX;
	s.stages[1].queue_bytes = UINT64_MAX;
	s.stages[1].name = "a-name-of-sixty-four-characters-that-somebody-has-chosen-for-fun";
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		format(&s.view, (struct live_style){ .columns = widths[i], .rows = 24 }, &text);
		assert_fits(&text, widths[i]);
	}
}

static void test_utf8_bar(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	live_bar(0.5, 3, true, &text);
	live_bar(-1, 2, true, &text);
	live_bar(7, 2, true, &text);
	live_bar(0.5, 4, false, &text);
	assert_string_equal(text_get(&text), "▕█▌ ▏▕  ▏▕██▏[##--]");
}

static void test_only_utf8_when_asked(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	format(&s.view, (struct live_style){ .columns = 80, .rows = 24, .color = true }, &text);
	for (size_t i = 0; i < text.length; i++)
		assert_true((unsigned char)text.data[i] < 0x80);
}

static void test_low_window_shows_what_fits(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	format(&s.view, (struct live_style){ .columns = 80, .rows = 6 }, &text);
	assert_non_null(strstr(text_get(&text), "... 1 more stages"));
	assert_null(strstr(text_get(&text), "write"));
}

static void test_before_the_start(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct view empty = { .pipeline = "x", .phase = "starting", .cause = "none", .now_ns = NS_PER_S };

	(void)state;
	format(&empty, (struct live_style){ .columns = 80, .rows = 24 }, &text);
	assert_non_null(strstr(text_get(&text), "starting"));
}

static void test_draining(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.view.stop_deadline_ns = s.view.now_ns + 12 * NS_PER_S;
	format(&s.view, (struct live_style){ .columns = 80, .rows = 24 }, &text);
	assert_non_null(strstr(text_get(&text), "draining, at most 0:12  300 in flight"));
}

static void test_stage_state(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_string_equal(live_stage_state(&s.stages[1]), "busy");
	s.workers[3].state = "restarting";
	assert_string_equal(live_stage_state(&s.stages[1]), "restarting");
	s.workers[2].state = "of-tomorrow";
	assert_string_equal(live_stage_state(&s.stages[1]), "of-tomorrow");
}

static void test_progress_line(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct rates rates = RATES_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	rates_update(&rates, &s.view);
	live_format_line(&s.view, &rates, &text);
	assert_string_equal(
		text_get(&text),
		"running 0:10: accepted 1,000 (100/s), delivered 600 (60/s), in flight 300, 42% read, 0:14 left, restarts 2");
	rates_deinit(&rates);
}

static void test_tree(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.workers[0].ledger[LEDGER_ACCEPTED] = 1000;
	s.workers[3].pid = 0;
	s.workers[3].state = "restarting";
	live_format_tree(&s.view, &(struct live_style){ .columns = 0 }, &text);
	assert_string_equal(text_get(&text), "STAGE          PID  STATE        SINCE  ITEMS  QUEUE  RESTARTS\n"
					     "read (file)         1/1 live            1,000                0\n"
					     "`- read#0     4000  wait-out    10.0 s  1,000                0\n"
					     "awk (exec)          3/4 live              900    75%         2\n"
					     "|- awk#0      4001  busy        10.0 s      0                0\n"
					     "|- awk#1      4002  busy        10.0 s      0                0\n"
					     "|- awk#2            restarting  10.0 s      0                0\n"
					     "`- awk#3      4004  busy        10.0 s      0                0\n"
					     "write (file)        1/1 live              600     0%         0\n"
					     "`- write#0    4005  wait-in     10.0 s      0                0\n");
}

static void test_numbers(void **state)
{
	char b[LIVE_NUMBER_SIZE];

	(void)state;
	assert_string_equal(live_number(0, b), "0");
	assert_string_equal(live_number(9999999, b), "9,999,999");
	assert_string_equal(live_number(10000000, b), "10.0M");
	assert_string_equal(live_number(999600000, b), "1.0G");
	assert_string_equal(live_number(UINT64_MAX, b), "18.4E");
	assert_string_equal(live_speed(0, b), "0");
	assert_string_equal(live_speed(0.25, b), "0.25");
	assert_string_equal(live_speed(3.14, b), "3.1");
	assert_string_equal(live_speed(1234.4, b), "1,234");
	assert_string_equal(live_speed(1e30, b), "1.0E");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eighty_columns),
		cmocka_unit_test(test_forty_columns),
		cmocka_unit_test(test_every_width_fits),
		cmocka_unit_test(test_huge_numbers_fit),
		cmocka_unit_test(test_utf8_bar),
		cmocka_unit_test(test_only_utf8_when_asked),
		cmocka_unit_test(test_low_window_shows_what_fits),
		cmocka_unit_test(test_before_the_start),
		cmocka_unit_test(test_draining),
		cmocka_unit_test(test_stage_state),
		cmocka_unit_test(test_progress_line),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
