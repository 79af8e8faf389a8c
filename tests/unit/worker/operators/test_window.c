/* SPDX-License-Identifier: Apache-2.0 */
/* long: one reference, three sorts of windows, and the items that fit none */
/* Windows: of each sort, against a list of all items, with kills and full lanes; late items, idle time, and items of all sorts. */
#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/record.h>

struct setting {
	const char *const *aggregates; /* pairs, and a NULL */
	uint64_t size_s, slide_s, gap_s, lateness_s, idle_s;
	const char *key, *late, *without;
	bool no_time;
};

static const char *const count_and_sum[] = { "n", "count", "sum", "sum(.v)", NULL };

static void begin(struct fake_host *host, const struct setting *setting)
{
	const struct {
		const char *name;
		uint64_t s;
	} times[] = { { "size", setting->size_s },
		      { "slide", setting->slide_s },
		      { "gap", setting->gap_s },
		      { "lateness", setting->lateness_s },
		      { "idle", setting->idle_s } };

	fake_host_init(host, &window_operator_callbacks);
	fake_host_option_list(host, "aggregates", setting->aggregates);
	for (unsigned i = 0; i < 5; i++)
		if (times[i].s)
			fake_host_option_number(host, times[i].name, (int64_t)(times[i].s * NS_PER_S));
	if (!setting->no_time)
		fake_host_option_string(host, "time", ".t");
	if (setting->key)
		fake_host_option_string(host, "key", setting->key);
	fake_host_option_string(host, "unit", "s");
	fake_host_option_string(host, "late", setting->late ? setting->late : "reject");
	fake_host_option_string(host, "without", setting->without ? setting->without : "reject");
	fake_host_option_string(host, "emits", "same");
	host->now_ns = 1000 * NS_PER_S;
	assert_int_equal(fake_host_open(host), 0);
}

/* What the runtime does when it is asked for produce(), as long as there is more. */
static void produce(struct fake_host *host)
{
	int r;

	host->produce_wanted = false;
	do {
		r = fake_host_produce(host);
		assert_true(r == 0 || r == WEIR_MORE);
		assert_int_equal(fake_host_turn_end(host), 0);
	} while (r == WEIR_MORE);
}

static int give(struct fake_host *host, const char *text)
{
	int r = fake_host_process_item(host, text, strlen(text));

	if (host->produce_wanted)
		produce(host);
	return r;
}

static void end(struct fake_host *host)
{
	int r = fake_host_finish(host);

	assert_int_equal(fake_host_turn_end(host), 0);
	if (r == WEIR_MORE)
		produce(host);
	else
		assert_int_equal(r, 0);
	assert_int_equal(fake_host_finish(host), 0);
}

static void assert_left(const struct fake_host *host, const char *wanted)
{
	size_t size;
	char *text = fake_host_text(host, &size);

	assert_string_equal(text, wanted);
	free(text);
}

static void test_tumbling(void **state)
{
	static const char *const all[] = { "n",    "count",   "sum",  "sum(.v)",  "least", "min(.v)",
					   "most", "max(.v)", "mean", "mean(.v)", NULL };
	const struct setting setting = { .aggregates = all, .size_s = 10, .key = ".k" };
	struct fake_host host;

	(void)state;
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":1003,\"k\":\"b\",\"v\":1}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":1000,\"k\":\"a\",\"v\":-2.5}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":1009,\"k\":\"b\",\"v\":\"4\"}"), WEIR_HELD);
	assert_left(&host, "");
	assert_int_equal(give(&host, "{\"t\":\"1970-01-01T00:16:50.5Z\",\"k\":7,\"v\":9}"), WEIR_HELD);
	assert_left(&host, "{\"key\":\"a\",\"start\":\"1970-01-01T00:16:40Z\",\"end\":\"1970-01-01T00:16:50Z\",\"n\":1,"
			   "\"sum\":-2.5,\"least\":-2.5,\"most\":-2.5,\"mean\":-2.5}\n"
			   "{\"key\":\"b\",\"start\":\"1970-01-01T00:16:40Z\",\"end\":\"1970-01-01T00:16:50Z\",\"n\":2,"
			   "\"sum\":5,\"least\":1,\"most\":4,\"mean\":2.5}\n");
	assert_int_equal(host.n_settled, 3);
	/* Its window has left. */
	assert_int_equal(give(&host, "{\"t\":1009,\"k\":\"c\",\"v\":1}"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "it is late: its window has ended"));
	end(&host);
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
	struct setting setting = { .aggregates = count_and_sum, .size_s = 10, .lateness_s = 5 };
	struct fake_host host;

	(void)state;
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":100,\"v\":1}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":114,\"v\":1}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":109,\"v\":1}"), WEIR_HELD); /* 114 - 5 is not yet 110 */
	assert_left(&host, "");
	assert_int_equal(give(&host, "{\"t\":115,\"v\":1}"), WEIR_HELD);
	assert_left(&host, "{\"start\":\"1970-01-01T00:01:40Z\",\"end\":\"1970-01-01T00:01:50Z\",\"n\":2,\"sum\":2}\n");
	assert_int_equal(give(&host, "{\"t\":109,\"v\":1}"), WEIR_REJECTED);
	assert_int_equal(give(&host, "{\"t\":110,\"v\":1}"), WEIR_HELD);
	fake_host_deinit(&host);
	setting.late = "drop";
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":115,\"v\":1}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":99,\"v\":1}"), WEIR_OK);
	end(&host);
	assert_left(&host, "{\"start\":\"1970-01-01T00:01:50Z\",\"end\":\"1970-01-01T00:02:00Z\",\"n\":1,\"sum\":1}\n");
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

static void expect_by_time(const struct setting *setting, const struct item *items, char *text)
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

static void expect_sessions(const struct setting *setting, const struct item *items, char *text)
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
static void run_items(const struct setting *setting, const struct item *items, bool kills, const char *expected)
{
	struct fake_host host;
	unsigned committed = 0, n_kills = 0;

	begin(&host, setting);
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
			produce(&host);
	}
	end(&host);
	assert_left(&host, expected);
	assert_int_equal(host.n_settled, ITEMS);
	assert_int_equal(host.entries.n, 0); /* nothing is remembered of what has left */
	assert_true(!kills || n_kills > 5);
	fake_host_deinit(&host);
}

static void test_against_a_list(void **state)
{
	static const struct setting settings[] = {
		{ count_and_sum, .size_s = 20, .lateness_s = 40, .key = ".k" },
		{ count_and_sum, .size_s = 60, .slide_s = 20, .lateness_s = 40, .key = ".k" },
		{ count_and_sum, .size_s = 70, .slide_s = 7, .lateness_s = 40, .key = ".k" },
		{ count_and_sum, .gap_s = 25, .lateness_s = 40, .key = ".k" },
		{ count_and_sum, .gap_s = 9, .lateness_s = 40, .key = ".k" },
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
	const struct setting setting = { .aggregates = count_and_sum, .gap_s = 10, .lateness_s = 100 };
	struct fake_host host;

	(void)state;
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":100,\"v\":1}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":118,\"v\":2}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":128,\"v\":8}"),
			 WEIR_HELD); /* just as far as the gap: a session of its own */
	assert_int_equal(give(&host, "{\"t\":109,\"v\":4}"), WEIR_HELD);
	end(&host);
	assert_left(&host, "{\"start\":\"1970-01-01T00:01:40Z\",\"end\":\"1970-01-01T00:01:58Z\",\"n\":3,\"sum\":7}\n"
			   "{\"start\":\"1970-01-01T00:02:08Z\",\"end\":\"1970-01-01T00:02:08Z\",\"n\":1,\"sum\":8}\n");
	fake_host_deinit(&host);
}

/* ---- numbers ---- */

static void test_numbers(void **state)
{
	static const char *const all[] = { "sum",      "sum(.v)", "most",    "max(.v)", "mean",
					   "mean(.v)", "p50",     "p50(.v)", NULL };
	const struct setting setting = { .aggregates = all, .size_s = 10, .without = "skip" };
	/* {"t":1, "v": ...} in msgpack */
	static const char item[] = "\x82\xa1t\x01\xa1v";
	struct fake_host host;
	char text[64];

	(void)state;
	begin(&host, &setting);
	/* 64 bits: 2^63-1 twice, and 3: no double has that sum. */
	memcpy(text, item, 6);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(text + 6, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
		assert_int_equal(fake_host_process_item(&host, text, 15), WEIR_HELD);
	}
	memcpy(text + 6, "\xd0\x80", 2); /* -128 */
	assert_int_equal(fake_host_process_item(&host, text, 8), WEIR_HELD);
	assert_int_equal(fake_host_process_item(&host, "\x81\xa1t\x01", 4), WEIR_HELD); /* nothing of it */
	end(&host);
	{
		struct fake_item out = fake_host_item(&host, 0);
		/* sum: 18446744073709551614 - 128; most: 2^63-1 */
		assert_non_null(memmem(out.data, out.size_bytes, "\xa3sum\xcf\xff\xff\xff\xff\xff\xff\xff\x7e", 13));
		assert_non_null(memmem(out.data, out.size_bytes, "\xa4most\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 14));
	}
	fake_host_deinit(&host);

	/* Beyond 64 bits it is a double; a window without numbers has none. */
	begin(&host, &setting);
	memcpy(text + 6, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fake_host_process_item(&host, text, 15), WEIR_HELD);
	end(&host);
	{
		struct fake_item out = fake_host_item(&host, 0);

		assert_non_null(memmem(out.data, out.size_bytes, "\xa3sum\xcb\x43\xf8", 7)); /* 1.5 * 2^64 */
	}
	fake_host_deinit(&host);
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":1}"), WEIR_HELD);
	end(&host);
	assert_left(&host,
		    "{\"start\":\"1970-01-01T00:00:00Z\",\"end\":\"1970-01-01T00:00:10Z\",\"sum\":0,\"most\":null,"
		    "\"mean\":null,\"p50\":null}\n");
	fake_host_deinit(&host);
}

/* An eighth ten thousand times, beside a number that is too large to be added to. */
static void test_a_sum_loses_nothing_to_rounding(void **state)
{
	const struct setting setting = { .aggregates = count_and_sum, .size_s = 10 };
	struct fake_host host;

	(void)state;
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":1,\"v\":1e17}"), WEIR_HELD);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(give(&host, "{\"t\":1,\"v\":0.125}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"t\":1,\"v\":-1e17}"), WEIR_HELD);
	end(&host);
	assert_left(
		&host,
		"{\"start\":\"1970-01-01T00:00:00Z\",\"end\":\"1970-01-01T00:00:10Z\",\"n\":10002,\"sum\":1250.0}\n");
	fake_host_deinit(&host);
}

static void test_quantiles_and_distinct(void **state)
{
	static const char *const all[] = { "mid",      "p50(.v)", "high",         "p99(.v)", "all",
					   "p100(.v)", "values",  "distinct(.v)", NULL };
	const struct setting setting = { .aggregates = all, .size_s = 20, .slide_s = 10 };
	struct fake_host host;
	char text[64];

	(void)state;
	begin(&host, &setting);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"t\":%u,\"v\":%u}", 100 + i / 100, i % 300 + 1);
		assert_int_equal(give(&host, text), WEIR_HELD);
	}
	end(&host);
	assert_int_equal(fake_host_items(&host), 2); /* [90, 110) and [100, 120) */
	for (unsigned i = 0; i < 2; i++) {
		double mid, high, most;
		unsigned values;
		struct fake_item out = fake_host_item(&host, i);

		assert_int_equal(sscanf(strstr(out.data, "\"mid\""),
					"\"mid\":%lf,\"high\":%lf,\"all\":%lf,\"values\":%u", &mid, &high, &most,
					&values),
				 4);
		assert_true(mid > 131 && mid < 136);
		assert_true(high > 292 && high < 301);
		assert_true(most > 296 && most < 304);
		assert_int_equal(values, 300);
	}
	fake_host_deinit(&host);
}

/* ---- what can't be ---- */

static void refused(struct fake_host *host, const char *text, const char *why)
{
	uint64_t n = host->entries.n;

	assert_int_equal(give(host, text), WEIR_REJECTED);
	assert_string_equal(host->reason, why);
	assert_int_equal(host->entries.n, n);
}

static void test_bad_items(void **state)
{
	static const char *const both[] = { "sum", "sum(.v)", "kinds", "distinct(.d)", NULL };
	static const char *const count[] = { "n", "count", NULL };
	struct setting setting = { .aggregates = both, .size_s = 10, .key = ".k" };
	struct fake_host host;
	char text[700];

	(void)state;
	begin(&host, &setting);
	refused(&host, "no JSON", "it has no time (.t)");
	refused(&host, "{\"k\":1,\"v\":1,\"d\":1}", "it has no time (.t)");
	refused(&host, "{\"t\":\"noon\",\"k\":1,\"v\":1,\"d\":1}", "its .t is no time");
	refused(&host, "{\"t\":-5,\"k\":1,\"v\":1,\"d\":1}", "its .t is no time");
	refused(&host, "{\"t\":5,\"v\":1,\"d\":1}", "it has no key (.k)");
	refused(&host, "{\"t\":5,\"k\":1,\"d\":1}", "it has no .v");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":null,\"d\":1}", "it has no .v");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":\"NaN\",\"d\":1}", "its .v is no number");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":[1],\"d\":1}", "its .v is no number");
	refused(&host, "{\"t\":5,\"k\":1,\"v\":1}", "it has no .d");
	snprintf(text, sizeof(text), "{\"t\":5,\"k\":\"%0479d\",\"v\":1,\"d\":1}", 0);
	refused(&host, text, "its key is longer than 480 bytes (.k)");
	snprintf(text, sizeof(text), "{\"t\":5,\"k\":\"%0478d\",\"v\":1,\"d\":1}", 0);
	assert_int_equal(give(&host, text), WEIR_HELD);
	fake_host_deinit(&host);

	setting = (struct setting){ .aggregates = count, .size_s = 10, .key = "field(2)", .no_time = true };
	begin(&host, &setting);
	refused(&host, "a \xff", "its key is no UTF-8 (field(2))");
	fake_host_deinit(&host);
}

static void test_no_room(void **state)
{
	static const char *const all[] = { "sum", "sum(.v)", "mid", "p50(.v)", "kinds", "distinct(.v)", NULL };
	const struct setting setting = { .aggregates = all, .size_s = 10, .key = ".k" };
	struct fake_host host;
	unsigned n_held = 0, n_refused = 0;
	char text[64];

	(void)state;
	begin(&host, &setting);
	host.state_bytes = 16 * 1024;
	/* New keys, and old ones whose panes grow: both need room. */
	for (unsigned i = 0; i < 3000; i++) {
		int r;

		snprintf(text, sizeof(text), "{\"t\":5,\"k\":%u,\"v\":%u}", i % 40, i * i);
		r = give(&host, text);
		assert_true(r == WEIR_HELD || r == WEIR_REJECTED);
		n_held += r == WEIR_HELD;
		n_refused += r == WEIR_REJECTED;
		if (i % 50 == 0)
			assert_int_equal(fake_host_turn_end(&host), 0);
	}
	assert_true(n_held > 200 && n_refused > 200);
	assert_string_equal(host.reason, "no room for its window: more keys and open windows than state: allows");
	end(&host);
	assert_int_equal(host.n_settled, n_held); /* and nothing of what was refused is in them */
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);
}

/* ---- time that passes ---- */

static void test_idle(void **state)
{
	const struct setting setting = { .aggregates = count_and_sum, .size_s = 10, .lateness_s = 2, .idle_s = 3 };
	struct fake_host host;

	(void)state;
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":104,\"v\":1}"), WEIR_HELD);
	/* It is over at 110, two seconds of lateness and three of patience later: 8 + 3 from now. */
	assert_int_equal(host.watch_wake_ns, (1000 + 11) * NS_PER_S);
	host.now_ns += 2 * NS_PER_S;
	assert_int_equal(give(&host, "{\"t\":105,\"v\":1}"), WEIR_HELD);
	host.now_ns = 1011 * NS_PER_S;
	produce(&host);
	assert_left(&host, ""); /* something has come meanwhile */
	assert_int_equal(host.watch_wake_ns, (1002 + 10) * NS_PER_S);
	host.now_ns = 1012 * NS_PER_S;
	produce(&host);
	assert_left(&host, "{\"start\":\"1970-01-01T00:01:40Z\",\"end\":\"1970-01-01T00:01:50Z\",\"n\":2,\"sum\":2}\n");
	assert_int_equal(give(&host, "{\"t\":107,\"v\":1}"), WEIR_REJECTED);
	fake_host_deinit(&host);

	/* A worker that comes late, or anew, has not seen that nothing came. */
	begin(&host, &setting);
	assert_int_equal(give(&host, "{\"t\":104,\"v\":1}"), WEIR_HELD);
	assert_int_equal(fake_host_turn_end(&host), 0);
	host.now_ns += 100 * NS_PER_S;
	produce(&host);
	assert_left(&host, "");
	assert_int_equal(host.watch_wake_ns, (1100 + 11) * NS_PER_S);
	host.now_ns += 100 * NS_PER_S;
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(host.watch_wake_ns, (1200 + 11) * NS_PER_S);
	produce(&host);
	assert_left(&host, "");
	host.now_ns += 11 * NS_PER_S;
	produce(&host);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
}

static void test_without_a_time(void **state)
{
	const struct setting setting = { .aggregates = count_and_sum, .size_s = 10, .no_time = true };
	struct fake_host host;

	(void)state;
	begin(&host, &setting);
	host.accepted_ns = host.now_ns;
	assert_int_equal(give(&host, "{\"v\":1}"), WEIR_HELD);
	assert_int_equal(give(&host, "{\"v\":1}"), WEIR_HELD);
	host.now_ns = host.accepted_ns += 12 * NS_PER_S;
	assert_int_equal(give(&host, "{\"v\":1}"), WEIR_HELD);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(host.watch_wake_ns > host.now_ns);
	fake_host_deinit(&host);
}

static void test_wrong_options(void **state)
{
	static const char *const wrong[] = { "n", "counts", NULL };
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &window_operator_callbacks);
	fake_host_option_list(&host, "aggregates", wrong);
	fake_host_option_number(&host, "size", NS_PER_S);
	fake_host_option_string(&host, "unit", "s");
	fake_host_option_string(&host, "late", "drop");
	fake_host_option_string(&host, "without", "skip");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "aggregates.n: 'counts' is no aggregate: expected count, sum(EXPR)"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tumbling),
		cmocka_unit_test(test_late_items),
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_sessions_meet),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_a_sum_loses_nothing_to_rounding),
		cmocka_unit_test(test_quantiles_and_distinct),
		cmocka_unit_test(test_bad_items),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_without_a_time),
		cmocka_unit_test(test_wrong_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
