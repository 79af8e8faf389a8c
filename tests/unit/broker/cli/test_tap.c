/* SPDX-License-Identifier: Apache-2.0 */
/* Which edges are meant; what is made of an item's bytes; and that no line of it can do anything to a terminal. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/tap_edges.h"
#include "broker/cli/tap_text.h"
#include "broker/spec/plan.h"

/* ---- edges: read -> split, split.rest -> store, split.slow,rest -> all ---- */

struct drawn {
	struct plan_stage stages[4];
	struct plan_edge edges[3];
	struct plan_lane lanes[3];
	struct plan_slot slots[4];
	struct plan plan;
	char *names[2];
	struct catalog catalog;
};

static int setup(void **state)
{
	static const char *const names[] = { "read", "split", "store", "all" };
	static const uint32_t readers[] = { 0, 1, 1, 1 }, writers[] = { 1, 2, 0, 0 };
	struct drawn *drawn = calloc(1, sizeof(*drawn));
	uint64_t sizes[] = { 4096, 4096 }, offsets[4][2];
	int fd;

	assert_non_null(drawn);
	drawn->plan = (struct plan){ .pipeline = strdup("p"),
				     .spec_path = strdup("p.yaml"),
				     .stages = drawn->stages,
				     .edges = drawn->edges,
				     .lanes = drawn->lanes,
				     .slots = drawn->slots,
				     .n_stages = 4,
				     .n_edges = 3,
				     .n_lanes = 3,
				     .n_slots = 4 };
	for (uint32_t i = 0; i < 4; i++) {
		drawn->stages[i] = (struct plan_stage){
			.name = strdup(names[i]), .kind = strdup("made"), .workers = 1, .first_slot = i
		};
		drawn->slots[i] = (struct plan_slot){ .stage = i };
		segment_plan(&drawn->slots[i].geometry, i, readers[i], writers[i], sizes, offsets[i]);
	}
	drawn->names[0] = strdup("slow");
	drawn->names[1] = strdup("rest");
	drawn->stages[1].output_names = drawn->names;
	drawn->stages[1].n_output_names = 2;
	drawn->edges[0] = (struct plan_edge){ .from = 0, .to = 1, .first_lane = 0, .lane_bytes = 4096 };
	drawn->edges[1] = (struct plan_edge){ .from = 1, .to = 2, .first_lane = 1, .lane_bytes = 4096, .names = 2 };
	drawn->edges[2] = (struct plan_edge){ .from = 1, .to = 3, .first_lane = 2, .lane_bytes = 4096, .names = 3 };
	for (uint32_t i = 0; i < 3; i++)
		drawn->lanes[i] = (struct plan_lane){ .edge = i,
						      .producer = drawn->edges[i].from,
						      .consumer = drawn->edges[i].to,
						      .writer_index = i == 2,
						      .off_data = offsets[drawn->edges[i].from][i == 2],
						      .capacity_bytes = 4096 };
	assert_int_equal(catalog_create(&drawn->plan, 1, &fd), 0);
	assert_int_equal(catalog_open(&drawn->catalog, fd), 0);
	close(fd);
	*state = drawn;
	return 0;
}

static int teardown(void **state)
{
	struct drawn *drawn = *state;

	catalog_close(&drawn->catalog);
	for (uint32_t i = 0; i < 4; i++) {
		free(drawn->stages[i].name);
		free(drawn->stages[i].kind);
	}
	free(drawn->names[0]);
	free(drawn->names[1]);
	free(drawn->plan.pipeline);
	free(drawn->plan.spec_path);
	free(drawn);
	return 0;
}

static void test_edges(void **state)
{
	static const struct {
		const char *words;
		unsigned meant; /* a bit for each edge */
	} rows[] = {
		{ NULL, 7 },
		{ "read:split", 1 },
		{ "read", 1 },
		{ "split", 7 },
		{ "store", 2 },
		{ "split:store", 2 },
		{ "split:all", 4 },
		{ "split.slow:all", 4 },
		{ "split.rest:all", 4 },
		{ "split.slow", 4 },
		{ "split.rest", 6 },
		{ "split.rest:store", 2 },
		{ "split.slow:store", 0 },
		{ "split:read", 0 },
		{ "", 0 },
		{ ":", 0 },
		{ "read:", 0 },
		{ ":split", 0 },
		{ "split.", 0 },
		{ "spli", 0 },
		{ "split.slo:all", 0 },
		{ "read.x:split", 0 },
		{ "all:all", 0 },
	};
	const struct catalog *catalog = &((struct drawn *)*state)->catalog;

	assert_string_equal(catalog_string(catalog, catalog->edges[2].outputs), "slow,rest");
	assert_string_equal(catalog_string(catalog, catalog->edges[0].outputs), "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint32_t edge = 0; edge < 3; edge++)
			if (tap_edge_is_meant(catalog, edge, rows[i].words) != (bool)(rows[i].meant >> edge & 1))
				fail_msg("'%s' and edge %u", rows[i].words, edge);
}

static void test_edges_explained(void **state)
{
	const struct catalog *catalog = &((struct drawn *)*state)->catalog;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	tap_edges_explain(catalog, "write", &why);
	assert_string_equal(text_get(&why),
			    "there is no edge 'write'; there are read:split, split.rest:store, split.slow:all; "
			    "or name a stage, for all edges at it");
	text_clear(&why);
	tap_edges_explain(catalog, "split.slow:alll", &why);
	assert_string_equal(text_get(&why), "there is no edge 'split.slow:alll', did you mean split.slow:all?");
}

/* ---- payloads ---- */

static void check_form(const char *bytes, size_t size_bytes, const char *paths, enum tap_form form, const char *shown)
{
	struct tap_payload payload = TAP_PAYLOAD_NULL;
	struct redact *redact = calloc(1, sizeof(*redact));
	struct record_fault fault;

	if (paths)
		assert_int_equal(redact_add(redact, paths, &fault), 0);
	tap_payload_read(&payload, bytes, size_bytes);
	tap_payload_show(&payload, redact);
	assert_string_equal(tap_form_name(payload.form), tap_form_name(form));
	assert_int_equal(payload.shown_bytes, strlen(shown));
	assert_memory_equal(payload.shown, shown, payload.shown_bytes);
	tap_payload_deinit(&payload);
	free(redact);
}

static void test_forms(void **state)
{
	(void)state;
	check_form("\x81\xa1"
		   "a\x01",
		   4, NULL, TAP_FORM_JSON, "{\"a\":1}");
	check_form(" {\"a\": 1}", 9, NULL, TAP_FORM_JSON, "{\"a\":1}");
	check_form("[1, 2]\n", 7, NULL, TAP_FORM_JSON, "[1,2]");
	check_form("{\"a\": 1", 7, NULL, TAP_FORM_TEXT, "{\"a\": 1");
	check_form("12", 2, NULL, TAP_FORM_TEXT, "12");
	check_form("a line", 6, NULL, TAP_FORM_TEXT, "a line");
	check_form("", 0, NULL, TAP_FORM_TEXT, "");
	check_form("\xff\xfe", 2, NULL, TAP_FORM_BYTES, "\xff\xfe");
	check_form("\x91\xc4\x01z", 4, NULL, TAP_FORM_BYTES, "\x91\xc4\x01z"); /* JSON has no bytes */
}

/* Where the paths can't be followed nothing is shown. */
static void test_redacted(void **state)
{
	(void)state;
	check_form("\x81\xa1"
		   "a\x01",
		   4, "a", TAP_FORM_JSON, "{\"a\":\"***\"}");
	check_form("{\"a\":1,\"b\":2}", 13, "..a", TAP_FORM_JSON, "{\"a\":\"***\",\"b\":2}");
	check_form("{\"b\":\"{\\\"a\\\":1}\"}", 17, "..a", TAP_FORM_JSON, "{\"b\":\"{\\\"a\\\":1}\"}"); /* b is text */
	check_form("{\"b\":\"{\\\"a\\\":1}\"}", 17, "b", TAP_FORM_JSON, "{\"b\":\"***\"}");
	check_form("{\"a\":1", 6, "a", TAP_FORM_WITHHELD, "");
	check_form("a=1", 3, "a", TAP_FORM_WITHHELD, "");
	check_form("", 0, "a", TAP_FORM_WITHHELD, "");
	check_form("\x81\xa1"
		   "a\x01\x00",
		   5, "a", TAP_FORM_WITHHELD, "");
	check_form("\x82\xa1"
		   "a\x01\xa1"
		   "b\xc4\x01z",
		   9, "a", TAP_FORM_BYTES,
		   "\x82\xa1"
		   "a\xa3***\xa1"
		   "b\xc4\x01z");
}

/* ---- lines ---- */

static const char *line_of(const char *bytes, size_t size_bytes, const struct tap_style *style, struct text *line)
{
	struct tap_payload payload = TAP_PAYLOAD_NULL;
	const struct tap_shown shown = { .time = { 1, 250000000 },
					 .from = "split",
					 .outputs = "slow",
					 .to = "store",
					 .to_worker = 2,
					 .generation = 3,
					 .position = 640,
					 .sequence = 42,
					 .size_bytes = size_bytes,
					 .age_ns = 1200000,
					 .between = 17,
					 .payload = &payload };

	text_clear(line);
	tap_payload_read(&payload, bytes, size_bytes);
	tap_payload_show(&payload, NULL);
	tap_format(&shown, style, line);
	tap_payload_deinit(&payload);
	return text_get(line);
}

static void test_lines(void **state)
{
	struct tap_style style = { .output = TAP_LINES, .bytes_max = 8 };
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	(void)state;
	setenv("TZ", "UTC", 1);
	assert_string_equal(line_of("{\"a\":1}", 7, &style, &line),
			    "00:00:01.250 split#0.slow -> store#2 at 640 item 42 gen 3, 7 B, "
			    "1 ms old, 17 between: {\"a\":1}\n");
	assert_non_null(strstr(line_of("abcdefg\xc3\xa4z", 10, &style, &line), ": abcdefg... (7 of 10 bytes)\n"));
	assert_non_null(strstr(line_of("\xff\x00\x01", 3, &style, &line), ": ff0001\n"));
	style.output = TAP_HEX;
	assert_non_null(strstr(line_of("abc", 3, &style, &line), ": 616263\n"));
	style = (struct tap_style){ .output = TAP_RAW };
	assert_string_equal(line_of("a\x1b[2Jb", 6, &style, &line), "a\x1b[2Jb\n");
	style.visible = true;
	assert_string_equal(line_of("a\x1b[2Jb", 6, &style, &line), "a\\x1b[2Jb\n");
}

static void test_json(void **state)
{
	struct tap_style style = { .output = TAP_JSON };
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	(void)state;
	assert_string_equal(
		line_of("{\"a\":1}", 7, &style, &line),
		"{\"time\":\"1970-01-01T00:00:01.250000Z\",\"from\":\"split\",\"from_worker\":0,\"outputs\":\"slow\","
		"\"to\":\"store\",\"to_worker\":2,\"position\":640,\"generation\":3,\"sequence\":42,\"size_bytes\":7,"
		"\"age_seconds\":0.001200000,\"between\":17,\"form\":\"json\",\"truncated\":false,\"value\":{\"a\":1}}\n");
	assert_non_null(strstr(line_of("a\nb", 3, &style, &line),
			       "\"form\":\"text\",\"truncated\":false,\"text\":\"a\\nb\"}\n"));
	assert_non_null(
		strstr(line_of("\xff", 1, &style, &line), "\"form\":\"bytes\",\"truncated\":false,\"hex\":\"ff\"}\n"));
	/* On a terminal the same, and nothing that it obeys; elsewhere the characters themselves. */
	assert_non_null(strstr(line_of("{\"a\":\"\xc2\x9b\"}", 10, &style, &line), "{\"a\":\"\xc2\x9b\"}}\n"));
	style.visible = true;
	assert_non_null(strstr(line_of("{\"a\":\"\xc2\x9b\xe2\x80\xae\xc3\xa4\"}", 15, &style, &line),
			       "\"value\":{\"a\":\"\\u009b\\u202e\xc3\xa4\"}}\n"));
	assert_non_null(strstr(line_of("\xe2\x80\xa8\x7f\xd8\x9c\x1b", 7, &style, &line),
			       "\"text\":\"\\u2028\\u007f\\u061c\\u001b\"}\n"));
	style.visible = false;
	style.bytes_max = 4;
	assert_non_null(strstr(line_of("{\"a\":1}", 7, &style, &line),
			       "\"form\":\"json\",\"truncated\":true,\"text\":\"{\\\"a\\\"\"}\n"));
}

/* Whatever an item holds: one line, and nothing in it that a terminal obeys. */
static void test_harmless(void **state)
{
	const struct tap_style style = { .output = TAP_LINES, .bytes_max = 40 };
	static const char *const seeds[] = { "\x1b", "\x9b", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa6",
					     "\x7f", "\r",   "\n",       "\b",           "{\"",
					     "\"}",  "a",    "\xc3" };
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	(void)state;
	srand(5);
	for (unsigned round = 0; round < 20000; round++) {
		char bytes[128];
		size_t n = 0;

		while (n < 60 && rand() % 12) {
			const char *seed = seeds[rand() % (int)(sizeof(seeds) / sizeof(seeds[0]))];

			memcpy(bytes + n, seed, strlen(seed));
			n += strlen(seed);
		}
		line_of(bytes, n, &style, &line);
		assert_int_equal(line.data[line.length - 1], '\n');
		assert_true(text_is_utf8(line.data, line.length));
		for (size_t i = 0; i + 1 < line.length; i++) {
			assert_true((unsigned char)line.data[i] >= 0x20 && line.data[i] != 0x7f);
			assert_false((unsigned char)line.data[i] == 0xc2 && (unsigned char)line.data[i + 1] < 0xa0);
		}
		assert_null(strstr(line.data, "\xe2\x80\xae"));
		assert_null(strstr(line.data, "\xe2\x81\xa6"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edges_explained, setup, teardown),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_redacted),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
