/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody sees, and where keys lead, on the sample pipeline of which awk#1 is stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/cli/json_read.h"
#include "broker/cli/table.h"
#include "broker/cli/top_page.h"
#include "tests/unit/broker/cli/sample_view.h"

static const char why_json[] =
	"{\"stuck\":true,\"findings\":[{\"kind\":\"callback\",\"culprit\":{\"stage\":\"awk\",\"index\":1,\"pid\":4002},"
	"\"seconds\":7.5,\"chain\":[{\"stage\":\"read\",\"index\":0,\"pid\":1},{\"stage\":\"awk\",\"index\":1,\"pid\":4002}],"
	"\"sentence\":\"awk#1 (pid 4002) has been in its stage for 7.5 s\\u0007\"}]}";
static const char cycle_json[] =
	"{\"stuck\":true,\"findings\":[{\"kind\":\"cycle\",\"culprit\":{\"stage\":\"read\",\"index\":0,\"pid\":1},"
	"\"seconds\":2,\"chain\":[{\"stage\":\"read\",\"index\":0,\"pid\":1},{\"stage\":\"write\",\"index\":0,\"pid\":2}],"
	"\"sentence\":\"nothing has moved\"}]}";
static const char dump_json[] =
	"{\"stage\":\"awk\",\"workers\":[{\"index\":0},{\"index\":1,\"pid\":4002,\"doing\":\"waits\",\"seconds\":2.5,"
	"\"sentence\":\"waits for room at write#0\",\"item\":{\"from\":\"read\",\"sequence\":812,\"position\":65536},"
	"\"put_aside\":3,\"held\":0,\"kernel\":{\"state\":\"asleep\",\"where\":\"futex\"},"
	"\"program\":{\"pid\":77,\"name\":\"cat\\u001b[2J\",\"state\":\"running\"},"
	"\"in\":[{\"stage\":\"read\",\"lanes\":3,\"empty\":2,\"closed\":0,\"bytes\":750,\"kept_bytes\":10,\"capacity_bytes\":1000}],"
	"\"out\":[]}]}";

struct fixture {
	struct sample s;
	struct top_rates rates;
	struct fy_document *why, *cycle, *dump;
	struct top_picture picture;
	struct top_state state;
};

static int make(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	sample_init(&f.s);
	f.s.workers[0].ahead_bytes = 990;
	f.s.workers[0].ahead_capacity_bytes = 1000;
	f.s.workers[2].queue_bytes = 500;
	f.s.workers[2].queue_capacity_bytes = 1000;
	top_rates_update(&f.rates, &f.s.view, NS_PER_S);
	for (uint32_t i = 1; i < 5; i++)
		f.s.workers[i].ledger[LEDGER_TAKEN] = 10ul * i;
	top_rates_update(&f.rates, &f.s.view, 2 * NS_PER_S);
	f.why = json_parse(why_json);
	f.cycle = json_parse(cycle_json);
	f.dump = json_parse(dump_json);
	f.picture = (struct top_picture){ .pipeline = "orders",
					  .view = &f.s.view,
					  .rates = &f.rates,
					  .why = fy_document_root(f.why),
					  .dump = fy_document_root(f.dump),
					  .interval_s = 1 };
	*state = &f;
	return 0;
}

static int drop(void **state)
{
	struct fixture *f = *state;

	top_rates_deinit(&f->rates);
	fy_document_destroy(f->why);
	fy_document_destroy(f->cycle);
	fy_document_destroy(f->dump);
	return 0;
}

static const struct live_style eighty = { .columns = 80, .rows = 24 };

static void press(struct fixture *f, const char *keys)
{
	for (size_t used, n = strlen(keys); n; keys += used, n -= used)
		top_state_key(&f->state, top_key_read(keys, n, true, &used), &f->picture);
}

static void show(const struct fixture *f, const struct live_style *style, struct text *text)
{
	text_clear(text);
	top_page(&f->state, &f->picture, style, text);
}

static void test_stages(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture *f = *state;
	struct live_style style = eighty;

	style.rows = 9;
	show(f, &style, &text);
	assert_string_equal(text_get(&text),
			    "orders  pid 3999  running for 10.0 s                      every 1.0 s, by order\n"
			    "accepted 1,000 (0/s)  delivered 600 (0/s)  in flight 300\n"
			    "STUCK: awk#1 (pid 4002) has been in its stage for 7.5 s?\n"
			    "\n"
			    "STAGE    STATE     ITEMS/S  P50  P99  FILL  AHEAD     AGE  WORKERS  RESTARTS\n"
			    "> read   WAIT-OUT        0    -    -          99%  10.0 s  1/1             0\n"
			    "  awk    STUCK         100    -    -   75%          7.5 s  3/4             2\n"
			    "  write  WAIT-IN         0    -    -    0%         10.0 s  1/1             0\n"
			    "q quit  Up Down  Enter workers  s sort  r reverse  p pause  ? help\n");
}

static void test_into_and_back(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture *f = *state;

	press(f, "j\r");
	show(f, &eighty, &text);
	assert_non_null(strstr(text_get(&text), "orders / awk  pid 3999"));
	assert_non_null(strstr(text_get(&text), "> awk#0  4001  BUSY          10    -    -"));
	assert_non_null(strstr(text_get(&text), "  awk#1  4002  STUCK         20    -    -  [####----]   50%"));
	assert_true(f->state.refresh); /* what the next level shows is asked for at once */
	press(f, "\033[B\r");
	show(f, &eighty, &text);
	assert_non_null(strstr(text_get(&text), "worker     awk#1 (exec), pid 4002, generation 0, restarts 0\n"));
	assert_non_null(strstr(text_get(&text), "state      STUCK, 20 items/s\n"));
	assert_non_null(strstr(text_get(&text), "does       waits for room at write#0; for 2.5 s\n"));
	assert_non_null(strstr(text_get(&text), "item       812 from 'read' (position 65536), 3 put aside\n"));
	assert_non_null(
		strstr(text_get(&text), "process    asleep (futex); its program cat?[2J (pid 77) is running\n"));
	assert_non_null(strstr(text_get(&text),
			       "in from    read: 750 B of 1000 B (75%) in 3 lanes, 2 empty, 10 B taken and not"));
	assert_non_null(strstr(text_get(&text), "items      taken 20\n"));
	press(f, "h");
	assert_int_equal(f->state.level, TOP_WORKERS);
	press(f, "hhh");
	assert_int_equal(f->state.level, TOP_STAGES);
	assert_int_equal(f->state.stage, 1);
}

/* A deadlock is everybody's who is in it. */
static void test_all_of_a_cycle(void **state)
{
	struct fixture *f = *state;
	struct fy_node *cycle = fy_document_root(f->cycle), *why = fy_document_root(f->why);
	double seconds;

	assert_non_null(top_stuck(cycle, "read", 0, &seconds));
	assert_non_null(top_stuck(cycle, "write", 0, &seconds));
	assert_null(top_stuck(cycle, "awk", 0, &seconds));
	assert_null(top_stuck(why, "read", 0, &seconds)); /* it waits for the culprit */
	assert_non_null(top_stuck(why, "awk", 1, &seconds));
	assert_float_equal(seconds, 7.5, 0.001);
	assert_null(top_stuck(NULL, "awk", 1, &seconds));
}

/* The numbers of the rows in the order that they have. */
static void order(struct fixture *f, char *numbers)
{
	struct top_row *rows;
	size_t n = top_state_rows(&f->state, &f->picture, &rows);

	for (size_t i = 0; i < n; i++)
		*numbers++ = (char)('0' + rows[i].number);
	*numbers = '\0';
	free(rows);
}

static void test_sorting(void **state)
{
	static const struct {
		enum top_sort sort;
		const char *there, *back;
	} rows[] = {
		{ TOP_SORT_ORDER, "0123", "3210" }, { TOP_SORT_STATE, "1032", "2031" },
		{ TOP_SORT_RATE, "3210", "0123" },  { TOP_SORT_P99, "0123", "0123" },
		{ TOP_SORT_FILL, "1023", "0231" },  { TOP_SORT_AGE, "0231", "1023" },
	};
	struct fixture *f = *state;
	char numbers[8];

	press(f, "j\r");
	for (size_t i = 0; i < TOP_SORT_COUNT; i++) {
		assert_int_equal(f->state.sort, rows[i].sort);
		order(f, numbers);
		assert_string_equal(numbers, rows[i].there);
		press(f, "r");
		order(f, numbers);
		assert_string_equal(numbers, rows[i].back);
		press(f, "rs");
	}
	assert_int_equal(f->state.sort, TOP_SORT_ORDER);
	assert_int_equal(top_sort_find("fill"), TOP_SORT_FILL);
	assert_int_equal(top_sort_find("full"), TOP_SORT_COUNT);
}

/* The mark stays on its worker while the order changes, and walks in the order that is shown. */
static void test_the_mark(void **state)
{
	struct fixture *f = *state;

	press(f, "j\rj");
	assert_int_equal(f->state.worker, 1);
	press(f, "ss"); /* by rate: 3 2 1 0 */
	assert_int_equal(f->state.worker, 1);
	press(f, "j");
	assert_int_equal(f->state.worker, 0);
	press(f, "j");
	assert_int_equal(f->state.worker, 0);
	press(f, "g");
	assert_int_equal(f->state.worker, 3);
	press(f, "\033[6~");
	assert_int_equal(f->state.worker, 0);
	press(f, "\033[5~");
	assert_int_equal(f->state.worker, 3);
	press(f, "G");
	assert_int_equal(f->state.worker, 0);
}

/* After a reload there may be fewer. */
static void test_what_was_marked_is_gone(void **state)
{
	struct fixture *f = *state;

	press(f, "j\rG\r");
	assert_int_equal(f->state.worker, 3);
	f->s.stages[1].n_workers = 2;
	top_state_clamp(&f->state, &f->s.view);
	assert_int_equal(f->state.worker, 1);
	assert_int_equal(f->state.level, TOP_WORKER);
	f->s.view.n_stages = 1;
	top_state_clamp(&f->state, &f->s.view);
	assert_int_equal(f->state.stage, 0);
	assert_int_equal(f->state.level, TOP_STAGES);
	f->s.view.n_stages = 0;
	top_state_clamp(&f->state, &f->s.view);
	press(f, "j\rk\rG\r");
	assert_int_equal(f->state.level, TOP_STAGES);
}

static void test_other_keys(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture *f = *state;

	press(f, "p");
	show(f, &eighty, &text);
	assert_non_null(strstr(text_get(&text), "paused, every 1.0 s"));
	press(f, "?");
	show(f, &eighty, &text);
	assert_non_null(strstr(text_get(&text), "Up, k"));
	press(f, "j"); /* any other key: back to the page, and nothing else */
	assert_false(f->state.help);
	assert_int_equal(f->state.stage, 0);
	press(f, "x q");
	assert_true(f->state.quit && f->state.refresh);
}

/* Every level at every size: no line reaches the last column, no page is higher than the window, the marked line is in it. */
static void test_every_size_fits(void **state)
{
	static const char *const levels[] = { "", "jj", "kk\r", "G", "\r", "?" };
	struct fixture *f = *state;

	f->picture.trouble = "no answer: it is stopped by a signal; 'kill -CONT 4711' lets it go on";
	press(f, "j");
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		press(f, levels[i]);
		for (unsigned columns = 2; columns <= 120; columns++)
			for (unsigned rows = 1; rows <= 30; rows++) {
				const struct live_style style = {
					.columns = columns, .rows = rows, .utf8 = rows & 1, .color = columns & 1
				};
				_cleanup_(text_deinit) struct text text = TEXT_NULL;
				const char *line;
				size_t n = 0, said = top_page(&f->state, &f->picture, &style, &text);

				line = text_get(&text);
				for (const char *end; (end = strchr(line, '\n')); line = end + 1, n++)
					if (columns > 40) /* single words of sentences are not broken */
						assert_true(table_text_width(line, (size_t)(end - line)) < columns);
				assert_true(n == said && n <= rows);
				if (rows > 9 && columns > 60 && f->state.level != TOP_WORKER && !f->state.help)
					assert_non_null(strstr(text_get(&text), "> "));
			}
	}
}

static void test_nothing_known_yet(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture *f = *state;

	f->picture.view = NULL;
	f->picture.why = f->picture.dump = NULL;
	f->picture.trouble = "the pipeline is still starting; ask again";
	press(f, "j\rs");
	show(f, &eighty, &text);
	assert_non_null(strstr(text_get(&text), "still starting"));
	assert_int_equal(f->state.level, TOP_STAGES);
}

/* For a file or a pipe: all at once, no mark, no keys, nothing cut. */
static void test_without_a_window(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture *f = *state;

	top_page(&f->state, &f->picture, &(struct live_style){ 0 }, &text);
	assert_non_null(strstr(text_get(&text), "\nread "));
	assert_non_null(strstr(text_get(&text), "\n  awk#3 "));
	assert_null(strstr(text_get(&text), "q quit"));
	assert_null(strstr(text_get(&text), "\n> "));
	assert_null(strstr(text_get(&text), "\033"));
}

static void test_json(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture *f = *state;
	struct fy_document *document;
	struct fy_node *stage;

	top_json(&f->picture, &text);
	assert_int_equal(text_get(&text)[text.length - 1], '\n');
	assert_ptr_equal(strchr(text_get(&text), '\n'), text_get(&text) + text.length - 1);
	document = json_parse(text_get(&text));
	assert_non_null(document);
	assert_string_equal(json_string(fy_document_root(document), "over_seconds"), "1.000000");
	stage = fy_node_sequence_get_by_index(json_get(fy_document_root(document), "stages"), 1);
	assert_string_equal(json_string(stage, "state"), "STUCK");
	assert_string_equal(json_string(stage, "items_per_second"), "100.0");
	assert_string_equal(json_string(stage, "p99_seconds"), "null");
	assert_int_equal(fy_node_sequence_item_count(json_get(stage, "workers")), 4);
	stage = fy_node_sequence_get_by_index(json_get(stage, "workers"), 1);
	assert_string_equal(json_string(stage, "fill"), "0.500000");
	assert_string_equal(json_string(stage, "pid"), "4002");
	fy_document_destroy(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stages, make, drop),
		cmocka_unit_test_setup_teardown(test_into_and_back, make, drop),
		cmocka_unit_test_setup_teardown(test_all_of_a_cycle, make, drop),
		cmocka_unit_test_setup_teardown(test_sorting, make, drop),
		cmocka_unit_test_setup_teardown(test_the_mark, make, drop),
		cmocka_unit_test_setup_teardown(test_what_was_marked_is_gone, make, drop),
		cmocka_unit_test_setup_teardown(test_other_keys, make, drop),
		cmocka_unit_test_setup_teardown(test_every_size_fits, make, drop),
		cmocka_unit_test_setup_teardown(test_nothing_known_yet, make, drop),
		cmocka_unit_test_setup_teardown(test_without_a_window, make, drop),
		cmocka_unit_test_setup_teardown(test_json, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
