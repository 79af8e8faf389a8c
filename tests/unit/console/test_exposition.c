/* SPDX-License-Identifier: Apache-2.0 */
/* What is scraped, at any size, and what the API tells of the same; also of workers that write what they like. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "broker/cli/json_read.h"
#include "broker/observe/observer.h"
#include "common/base/clock.h"
#include "common/observe/counters.h"
#include "common/observe/worker_state.h"
#include "console/exposition.h"
#include "console/picture.h"
#include "tests/unit/broker/observe/exhibition.h"

struct fixture {
	struct exhibition exhibition;
	struct observer *observer;
};

static void open_fixture(struct fixture *f, uint32_t n_stages, uint32_t workers)
{
	struct text why = TEXT_NULL;

	exhibition_init(&f->exhibition, n_stages, workers);
	exhibition_open(&f->exhibition);
	assert_int_equal(observer_open(f->exhibition.dir.path, EXHIBITION_BOUND_NS, &f->observer, &why), 0);
}

static void close_fixture(struct fixture *f)
{
	observer_close(f->observer);
	exhibition_deinit(&f->exhibition);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static void test_values(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture f;

	(void)state;
	open_fixture(&f, 3, 2);
	store_relaxed(&f.exhibition.segments[0].writers[1].tail, 1000);
	store_relaxed(&f.exhibition.segments[1].writers[0].tail, 24);
	store_relaxed(&f.exhibition.segments[2].counters->values[COUNTER_TURNS], 5);
	store_relaxed(&f.exhibition.segments[3].counters->values[COUNTER_TURNS], 6);
	store_relaxed(&f.exhibition.segments[3].counters->values[COUNTER_WAIT_DATA_NS], 1500000000);
	store_relaxed(&f.exhibition.segments[3].status->state, WORKER_STATE_BUSY);
	exposition_of_segments(f.observer, "", &text);
	assert_non_null(strstr(text_get(&text), "weir_edge_bytes{pipeline=\"shown\",from=\"s0\",to=\"s1\"} 1024\n"));
	assert_non_null(
		strstr(text_get(&text), "weir_edge_capacity_bytes{pipeline=\"shown\",from=\"s0\",to=\"s1\"} 16384\n"));
	assert_non_null(strstr(text_get(&text), "weir_stage_turns_total{pipeline=\"shown\",stage=\"s1\"} 11\n"));
	assert_non_null(strstr(text_get(&text),
			       "weir_stage_wait_data_seconds_total{pipeline=\"shown\",stage=\"s1\"} 1.500000000\n"));
	assert_non_null(
		strstr(text_get(&text), "weir_workers_in_state{pipeline=\"shown\",stage=\"s1\",state=\"busy\"} 1\n"));
	assert_int_equal(count(text_get(&text), "# TYPE "), count(text_get(&text), "# HELP "));
	close_fixture(&f);
}

/* What the supervisor tells already is not told twice; a name that only begins so is another. */
static void test_known(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct fixture f;

	(void)state;
	open_fixture(&f, 2, 1);
	exposition_of_segments(f.observer, "# TYPE weir_edge_bytes gauge\nweir_edge_bytes 1\n", &text);
	assert_int_equal(count(text_get(&text), "weir_edge_bytes"), 0);
	assert_int_equal(count(text_get(&text), "# TYPE weir_edge_capacity_bytes gauge\n"), 1);
	close_fixture(&f);
}

/* As many as there can be in practice: 64 stages of 64 workers, a quarter of a million lanes. */
static void test_large(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL, json = TEXT_NULL;
	struct rlimit limit;
	struct fixture f;
	uint64_t begun_ns;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < 16384)
		skip();
	open_fixture(&f, 64, 64);
	store_relaxed(&f.exhibition.segments[64 * 64 - 1].counters->values[COUNTER_TURNS], 77);
	begun_ns = clock_now_ns();
	exposition_of_segments(f.observer, "", &text);
	print_message("first scrape of 64 x 64: %" PRIu64 " us\n", (clock_now_ns() - begun_ns) / NS_PER_US);
	text_clear(&text);
	begun_ns = clock_now_ns();
	exposition_of_segments(f.observer, "", &text);
	print_message("a scrape of 64 x 64: %" PRIu64 " us, %zu bytes\n", (clock_now_ns() - begun_ns) / NS_PER_US,
		      text.length);
	assert_int_equal(count(text_get(&text), "weir_edge_bytes{"), 63);
	assert_int_equal(count(text_get(&text), "weir_stage_turns_total{"), 64);
	assert_non_null(strstr(text_get(&text), "weir_stage_turns_total{pipeline=\"shown\",stage=\"s63\"} 77\n"));
	picture_now(f.observer, NULL, &json);
	assert_int_equal(count(text_get(&json), "\"slot\":"), 64 * 64);
	close_fixture(&f);
}

static struct fy_node *root_of(const char *json, struct fy_document **ret_document)
{
	*ret_document = json_parse(json);
	assert_non_null(*ret_document);
	return fy_document_root(*ret_document);
}

static void test_pictures(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct view_worker workers[2] = { { .slot = 2, .pid = 4711, .generation = 3, .restarts = 2, .state = "ready" },
					  { .slot = 3, .generation = 1, .state = "restarting" } };
	struct view_stage stages[3] = { { .name = "s0" },
					{ .name = "s1", .n_workers = 2, .workers = workers },
					{ .name = "s2" } };
	struct view view = { .phase = "running", .cause = "none", .n_stages = 3, .stages = stages };
	struct fy_document *document;
	struct fy_node *root;
	struct fixture f;

	(void)state;
	open_fixture(&f, 3, 2);
	f.exhibition.board->slots[2].generation = 3;
	f.exhibition.board->slots[3].generation = 1;
	store_relaxed(&f.exhibition.segments[2].status->generation, 3);
	store_relaxed(&f.exhibition.segments[2].status->state, WORKER_STATE_WAIT_SPACE);
	store_relaxed(&f.exhibition.segments[2].status->wait_for, WAIT_FOR_ROOM);
	picture_worker(f.observer, 2, &view, &text);
	root = root_of(text_get(&text), &document);
	assert_string_equal(json_string(root, "state"), "wait-out");
	assert_string_equal(json_string(root, "pid"), "4711");
	assert_string_equal(json_string(json_get(root, "waits_at"), "to"), "s2");
	assert_int_equal(fy_node_sequence_item_count(json_get(root, "inputs")), 2);
	fy_document_destroy(document);
	text_clear(&text);
	picture_now(f.observer, &view, &text);
	root = root_of(text_get(&text), &document);
	assert_string_equal(json_string(json_get(root, "supervisor"), "phase"), "running");
	assert_non_null(strstr(text_get(&text), "\"state\":\"restarting\""));
	fy_document_destroy(document);
	text_clear(&text);
	f.exhibition.board->slots[3].generation = 2; /* newer than what the supervisor has said */
	picture_worker(f.observer, 3, &view, &text);
	assert_non_null(strstr(text_get(&text), "\"generation\":2,\"state\":\"starting\""));
	text_clear(&text);
	picture_plan(f.observer, &text);
	root = root_of(text_get(&text), &document);
	assert_int_equal(fy_node_sequence_item_count(json_get(root, "edges")), 2);
	fy_document_destroy(document);
	close_fixture(&f);
}

/* Whatever workers write, what is told of it is JSON, and text that can be scraped. */
static void test_hostile(void **state)
{
	struct fixture f;

	(void)state;
	srand(11);
	open_fixture(&f, 3, 2);
	for (unsigned round = 0; round < 60; round++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL, json = TEXT_NULL;
		struct fy_document *document;

		for (uint32_t i = 0; i < 6; i++)
			for (size_t at = SEGMENT_PAGE_SIZE; at < f.exhibition.plan.slots[i].geometry.control_size_bytes;
			     at++)
				f.exhibition.segments[i].base[at] = (unsigned char)rand();
		exposition_of_segments(f.observer, "", &text);
		assert_int_equal(count(text_get(&text), "weir_edge_bytes{"), 2);
		picture_now(f.observer, NULL, &json);
		root_of(text_get(&json), &document);
		fy_document_destroy(document);
		for (uint32_t i = 0; i < 6; i++) {
			text_clear(&json);
			picture_worker(f.observer, i, NULL, &json);
			root_of(text_get(&json), &document);
			fy_document_destroy(document);
		}
	}
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),   cmocka_unit_test(test_known),   cmocka_unit_test(test_large),
		cmocka_unit_test(test_pictures), cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
