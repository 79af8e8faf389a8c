/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: of each sort, against a list of all items, with kills, full lanes; late items, idle time. What they hold: test_window_add.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/unit/worker/operators/windows.h"

static void test_tumbling(void **state)
{
	static const char *const all[] = { "n",    "count",   "sum",  "sum(.v)",  "least", "min(.v)",
					   "most", "max(.v)", "mean", "mean(.v)", NULL };
	const struct window_setting setting = { .aggregates = all, .size_s = 10, .key = ".k" };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":1003,\"k\":\"b\",\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":1000,\"k\":\"a\",\"v\":-2.5}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":1009,\"k\":\"b\",\"v\":\"4\"}"), WEIR_HELD);
	windows_assert_left(&host, "");
	assert_int_equal(windows_give(&host, "{\"t\":\"1970-01-01T00:16:50.5Z\",\"k\":7,\"v\":9}"), WEIR_HELD);
	windows_assert_left(
		&host, "{\"key\":\"a\",\"start\":\"1970-01-01T00:16:40Z\",\"end\":\"1970-01-01T00:16:50Z\",\"n\":1,"
		       "\"sum\":-2.5,\"least\":-2.5,\"most\":-2.5,\"mean\":-2.5}\n"
		       "{\"key\":\"b\",\"start\":\"1970-01-01T00:16:40Z\",\"end\":\"1970-01-01T00:16:50Z\",\"n\":2,"
		       "\"sum\":5,\"least\":1,\"most\":4,\"mean\":2.5}\n");
	assert_int_equal(host.n_settled, 3);
	/* Its window has left. */
	assert_int_equal(windows_give(&host, "{\"t\":1009,\"k\":\"c\",\"v\":1}"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "it is late: its window has ended"));
	windows_end(&host);
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(
		&host, 2,
		"{\"key\":7,\"start\":\"1970-01-01T00:16:50Z\",\"end\":\"1970-01-01T00:17:00Z\",\"n\":1,"
		"\"sum\":9,\"least\":9,\"most\":9,\"mean\":9.0}"));
	assert_int_equal(host.n_settled, 4);
	fake_host_deinit(&host);
}

static void test_late_items(void **state)
{
	struct window_setting setting = { .aggregates = windows_count_and_sum, .size_s = 10, .lateness_s = 5 };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":100,\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":114,\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":109,\"v\":1}"), WEIR_HELD); /* 114 - 5 is not yet 110 */
	windows_assert_left(&host, "");
	assert_int_equal(windows_give(&host, "{\"t\":115,\"v\":1}"), WEIR_HELD);
	windows_assert_left(
		&host, "{\"start\":\"1970-01-01T00:01:40Z\",\"end\":\"1970-01-01T00:01:50Z\",\"n\":2,\"sum\":2}\n");
	assert_int_equal(windows_give(&host, "{\"t\":109,\"v\":1}"), WEIR_REJECTED);
	assert_int_equal(windows_give(&host, "{\"t\":110,\"v\":1}"), WEIR_HELD);
	fake_host_deinit(&host);
	setting.late = "drop";
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":115,\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":99,\"v\":1}"), WEIR_OK);
	windows_end(&host);
	windows_assert_left(
		&host, "{\"start\":\"1970-01-01T00:01:50Z\",\"end\":\"1970-01-01T00:02:00Z\",\"n\":1,\"sum\":1}\n");
	fake_host_deinit(&host);
}

/* They go as they came to who reads them, and windows to who reads those. */
static void test_late_items_have_an_output(void **state)
{
	static const char late[] = "{\"t\":99,\"v\":1,\"more\":\"of it\"}";
	struct window_setting setting = { .aggregates = windows_count_and_sum, .size_s = 10, .late = "drop" };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	fake_host_close(&host);
	host.n_outputs = 3;
	host.output_names[0] = WEIR_OUTPUT_ERRORS;
	host.output_names[1] = WEIR_OUTPUT_ITEMS;
	host.output_names[2] = WEIR_OUTPUT_ITEMS | WEIR_OUTPUT_ERRORS;
	snprintf(host.baggage, sizeof(host.baggage), "trace");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(windows_give(&host, "{\"t\":115,\"v\":1}"), WEIR_HELD);
	assert_int_equal(host.unpacked[0], '\0');
	assert_int_equal(windows_give(&host, late), WEIR_OK);
	assert_string_equal(host.unpacked, "trace");
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(host.outputs[0], 0);
	assert_int_equal(host.outputs[1], 2);
	assert_true(fake_host_item_is(&host, 0, late));
	windows_end(&host);
	assert_int_equal(fake_host_items(&host), 4);
	assert_int_equal(host.outputs[2], 1);
	assert_int_equal(host.outputs[3], 2);
	assert_int_equal(host.n_settled, 1);
	fake_host_deinit(&host);
}

/* One has room, the other has not, and the worker is killed between the two. */
static void test_readers_find_room_one_after_the_other(void **state)
{
	struct window_setting setting = { .aggregates = windows_count_and_sum, .size_s = 10 };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	fake_host_close(&host);
	host.n_outputs = 3;
	host.output_names[0] = host.output_names[1] = WEIR_OUTPUT_ITEMS;
	host.output_names[2] = WEIR_OUTPUT_ERRORS;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(windows_give(&host, "{\"t\":100,\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":111,\"v\":2}"), WEIR_HELD);
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(fake_host_turn_end(&host), 0);
	host.room = 1;
	assert_int_equal(fake_host_finish(&host), WEIR_MORE);
	assert_int_equal(fake_host_produce(&host), WEIR_MORE);
	assert_int_equal(fake_host_items(&host), 3);
	assert_int_equal(fake_host_turn_end(&host), 0);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	host.room = UINT64_MAX;
	windows_produce(&host);
	assert_int_equal(fake_host_items(&host), 4);
	assert_int_equal(host.outputs[2], 0);
	assert_int_equal(host.outputs[3], 1);
	assert_int_equal(host.n_settled, 2);
	fake_host_deinit(&host);
}

/* ---- against a list of all items ---- */

#define ITEMS 600
#define KEYS 5

struct item {
	uint64_t t;
	unsigned k;
	int v;
};

static void write_window(char **at, unsigned key, uint64_t start_s, uint64_t end_s, unsigned n, int sum)
{
	char times[2][32];

	for (unsigned i = 0; i < 2; i++) {
		time_t seconds = (time_t)(i ? end_s : start_s);
		struct tm day;

		strftime(times[i], sizeof(times[i]), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &day));
	}
	*at += sprintf(*at, "{\"key\":%u,\"start\":\"%s\",\"end\":\"%s\",\"n\":%u,\"sum\":%d}\n", key, times[0],
		       times[1], n, sum);
}

static void expect_by_time(const struct window_setting *setting, const struct item *items, char *text)
{
	uint64_t slide = setting->slide_s ? setting->slide_s : setting->size_s;

	for (uint64_t start = 0; start < 3000; start += slide)
		for (unsigned k = 0; k < KEYS; k++) {
			uint64_t from = start >= setting->size_s ? start - setting->size_s : UINT64_MAX;
			unsigned n = 0;
			int sum = 0;

			for (unsigned i = 0; from != UINT64_MAX && i < ITEMS; i++)
				if (items[i].k == k && items[i].t >= from && items[i].t < start) {
					n++;
					sum += items[i].v;
				}
			if (n)
				write_window(&text, k, from, start, n, sum);
		}
	*text = '\0';
}

struct session {
	uint64_t start, last;
	unsigned k, n;
	int sum;
};

static int by_key_and_time(const void *one, const void *other)
{
	const struct item *a = one, *b = other;

	return a->k != b->k ? (a->k < b->k ? -1 : 1) : (a->t > b->t) - (a->t < b->t);
}

/* In the order in which they leave: by their ends, then by their beginnings, then by key. */
static int by_end(const void *one, const void *other)
{
	const struct session *a = one, *b = other;

	if (a->last != b->last)
		return a->last < b->last ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->k > b->k) - (a->k < b->k);
}

static void expect_sessions(const struct window_setting *setting, const struct item *items, char *text)
{
	static struct item sorted[ITEMS];
	static struct session sessions[ITEMS];
	unsigned n = 0;

	memcpy(sorted, items, sizeof(sorted));
	qsort(sorted, ITEMS, sizeof(*sorted), by_key_and_time);
	for (unsigned i = 0; i < ITEMS; i++) {
		if (!n || sorted[i].k != sessions[n - 1].k || sorted[i].t >= sessions[n - 1].last + setting->gap_s)
			sessions[n++] = (struct session){ .start = sorted[i].t, .k = sorted[i].k };
		sessions[n - 1].last = sorted[i].t;
		sessions[n - 1].n++;
		sessions[n - 1].sum += sorted[i].v;
	}
	qsort(sessions, n, sizeof(*sessions), by_end);
	for (unsigned i = 0; i < n; i++)
		write_window(&text, sessions[i].k, sessions[i].start, sessions[i].last, sessions[i].n, sessions[i].sum);
	*text = '\0';
}

/* Times are disturbed by less than the lateness, so nothing is late. */
static void make_items(struct item *items, unsigned seed)
{
	srand(seed);
	for (unsigned i = 0; i < ITEMS; i++)
		items[i] = (struct item){ .t = 100 + i * 4 + (unsigned)rand() % 30,
					  .k = (unsigned)rand() % KEYS,
					  .v = rand() % 100 };
}

/* With turns that end anywhere, workers that die anywhere, and lanes that are full now and then. */
static void run_items(const struct window_setting *setting, const struct item *items, bool kills, const char *expected)
{
	struct fake_host host;
	unsigned committed = 0, n_kills = 0;

	windows_begin(&host, setting);
	host.full_after = kills ? 3 : 0;
	while (committed < ITEMS) {
		unsigned i, n = 1 + (unsigned)rand() % 20;
		bool killed = false;

		for (i = committed; i < ITEMS && i < committed + n && !host.produce_wanted; i++) {
			char text[64];

			snprintf(text, sizeof(text), "{\"t\":%llu,\"k\":%u,\"v\":%d}", (unsigned long long)items[i].t,
				 items[i].k, items[i].v);
			assert_int_equal(fake_host_process_item(&host, text, strlen(text)), WEIR_HELD);
		}
		if (kills && rand() % 4 == 0) {
			if (rand() % 2)
				assert_int_equal(fake_host_flush(&host), 0);
			killed = true;
		} else {
			assert_int_equal(fake_host_turn_end(&host), 0);
			committed = i;
			killed = kills && rand() % 8 == 0;
		}
		if (killed) {
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
			n_kills++;
		}
		if (killed || host.produce_wanted)
			windows_produce(&host);
	}
	windows_end(&host);
	windows_assert_left(&host, expected);
	assert_int_equal(host.n_settled, ITEMS);
	assert_int_equal(host.entries.n, 0); /* nothing is remembered of what has left */
	assert_true(!kills || n_kills > 5);
	fake_host_deinit(&host);
}

static void test_against_a_list(void **state)
{
	static const struct window_setting settings[] = {
		{ windows_count_and_sum, .size_s = 20, .lateness_s = 40, .key = ".k" },
		{ windows_count_and_sum, .size_s = 60, .slide_s = 20, .lateness_s = 40, .key = ".k" },
		{ windows_count_and_sum, .size_s = 70, .slide_s = 7, .lateness_s = 40, .key = ".k" },
		{ windows_count_and_sum, .gap_s = 25, .lateness_s = 40, .key = ".k" },
		{ windows_count_and_sum, .gap_s = 9, .lateness_s = 40, .key = ".k" },
	};
	static struct item items[ITEMS];
	static char expected[1 << 20];

	(void)state;
	for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		make_items(items, 7 + i);
		if (settings[i].gap_s)
			expect_sessions(&settings[i], items, expected);
		else
			expect_by_time(&settings[i], items, expected);
		run_items(&settings[i], items, false, expected);
		for (unsigned round = 0; round < 5; round++)
			run_items(&settings[i], items, true, expected);
	}
}

/* Two sessions that an item joins are one, which began with the first of them. */
static void test_sessions_meet(void **state)
{
	const struct window_setting setting = { .aggregates = windows_count_and_sum, .gap_s = 10, .lateness_s = 100 };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":100,\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":118,\"v\":2}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"t\":128,\"v\":8}"),
			 WEIR_HELD); /* just as far as the gap: a session of its own */
	assert_int_equal(windows_give(&host, "{\"t\":109,\"v\":4}"), WEIR_HELD);
	windows_end(&host);
	windows_assert_left(
		&host, "{\"start\":\"1970-01-01T00:01:40Z\",\"end\":\"1970-01-01T00:01:58Z\",\"n\":3,\"sum\":7}\n"
		       "{\"start\":\"1970-01-01T00:02:08Z\",\"end\":\"1970-01-01T00:02:08Z\",\"n\":1,\"sum\":8}\n");
	fake_host_deinit(&host);
}

/* ---- time that passes ---- */

static void test_idle(void **state)
{
	const struct window_setting setting = {
		.aggregates = windows_count_and_sum, .size_s = 10, .lateness_s = 2, .idle_s = 3
	};
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":104,\"v\":1}"), WEIR_HELD);
	/* It is over at 110, two seconds of lateness and three of patience later: 8 + 3 from now. */
	assert_int_equal(host.watch_wake_ns, (1000 + 11) * NS_PER_S);
	host.now_ns += 2 * NS_PER_S;
	assert_int_equal(windows_give(&host, "{\"t\":105,\"v\":1}"), WEIR_HELD);
	host.now_ns = 1011 * NS_PER_S;
	windows_produce(&host);
	windows_assert_left(&host, ""); /* something has come meanwhile */
	assert_int_equal(host.watch_wake_ns, (1002 + 10) * NS_PER_S);
	host.now_ns = 1012 * NS_PER_S;
	windows_produce(&host);
	windows_assert_left(
		&host, "{\"start\":\"1970-01-01T00:01:40Z\",\"end\":\"1970-01-01T00:01:50Z\",\"n\":2,\"sum\":2}\n");
	assert_int_equal(windows_give(&host, "{\"t\":107,\"v\":1}"), WEIR_REJECTED);
	fake_host_deinit(&host);

	/* A worker that comes late, or anew, has not seen that nothing came. */
	windows_begin(&host, &setting);
	assert_int_equal(windows_give(&host, "{\"t\":104,\"v\":1}"), WEIR_HELD);
	assert_int_equal(fake_host_turn_end(&host), 0);
	host.now_ns += 100 * NS_PER_S;
	windows_produce(&host);
	windows_assert_left(&host, "");
	assert_int_equal(host.watch_wake_ns, (1100 + 11) * NS_PER_S);
	host.now_ns += 100 * NS_PER_S;
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(host.watch_wake_ns, (1200 + 11) * NS_PER_S);
	windows_produce(&host);
	windows_assert_left(&host, "");
	host.now_ns += 11 * NS_PER_S;
	windows_produce(&host);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
}

static void test_without_a_time(void **state)
{
	const struct window_setting setting = { .aggregates = windows_count_and_sum, .size_s = 10, .no_time = true };
	struct fake_host host;

	(void)state;
	windows_begin(&host, &setting);
	host.accepted_ns = host.now_ns;
	assert_int_equal(windows_give(&host, "{\"v\":1}"), WEIR_HELD);
	assert_int_equal(windows_give(&host, "{\"v\":1}"), WEIR_HELD);
	host.now_ns = host.accepted_ns += 12 * NS_PER_S;
	assert_int_equal(windows_give(&host, "{\"v\":1}"), WEIR_HELD);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(host.watch_wake_ns > host.now_ns);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tumbling),
		cmocka_unit_test(test_late_items),
		cmocka_unit_test(test_late_items_have_an_output),
		cmocka_unit_test(test_readers_find_room_one_after_the_other),
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_sessions_meet),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_without_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
