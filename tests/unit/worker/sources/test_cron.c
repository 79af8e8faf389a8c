/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/common/record/document.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define HOUR_NS (3600 * NS_PER_S)

static struct fake_host host;

/* As worker/sources/cron.c has it. */
struct cursor {
	uint64_t last_ns, n_given, n_missed;
};

static void init(const char *schedule, const char *missed)
{
	fake_host_init(&host, &cron_source_callbacks);
	fake_host_option_string(&host, "schedule", schedule);
	fake_host_option_string(&host, "timezone", "UTC");
	fake_host_option_string(&host, "missed", missed);
	fake_host_option_number(&host, "late", NS_PER_MS);
	fake_host_option_string(&host, "text", "{unix} {n} {missed}");
}

/* The last time was so long ago. */
static void age(uint64_t ago_ns)
{
	((struct cursor *)(void *)host.cursor)->last_ns = clock_realtime_ns() - ago_ns;
}

static const struct cursor *cursor(void)
{
	return (const struct cursor *)(const void *)host.cursor;
}

static uint64_t unix_of(uint64_t index)
{
	return strtoull(fake_host_item(&host, index).data, NULL, 10);
}

static bool ends_with(uint64_t index, const char *text)
{
	struct fake_item item = fake_host_item(&host, index);

	return item.size_bytes > strlen(text) &&
	       memcmp(item.data + item.size_bytes - strlen(text), text, strlen(text)) == 0;
}

static void test_every(void **state)
{
	uint64_t begin_ns = clock_realtime_ns(), first = 0;

	(void)state;
	init("@every 20ms", "all");
	fake_host_option_string(&host, "text", "{time}");
	fake_host_option_number(&host, "count", 5);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, true), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 5);
	assert_in_range(clock_realtime_ns() - begin_ns, 80 * NS_PER_MS, 60 * NS_PER_S);
	for (uint64_t i = 0; i < 5; i++) {
		int second = 0, ms = 0;
		uint64_t at;

		assert_true(sscanf(fake_host_item(&host, i).data, "%*d-%*d-%*dT%*d:%*d:%d.%dZ", &second, &ms) >= 1);
		at = (uint64_t)second * 1000 + (uint64_t)ms;
		assert_int_equal(at % 20, 0);
		first = i ? first : at;
		assert_int_equal((at + 60000 - first) % 60000, 20 * i);
	}
	fake_host_deinit(&host);
}

/* Killed anywhere, each time comes once. */
static void test_kill(void **state)
{
	uint64_t first, n;

	(void)state;
	init("@every 1ms", "all");
	fake_host_option_string(&host, "text", "{n}");
	assert_int_equal(fake_host_open(&host), 0);
	first = cursor()->last_ns / NS_PER_MS;
	for (unsigned i = 0; i < 60; i++) {
		usleep(1000);
		(void)fake_host_produce(&host);
		if (i % 3)
			assert_int_equal(fake_host_turn_end(&host), 0);
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
	}
	n = fake_host_items(&host);
	assert_in_range(n, 5, 1000000);
	assert_int_equal(cursor()->last_ns / NS_PER_MS, first + n);
	for (uint64_t i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%" PRIu64, i + 1);
		assert_true(fake_host_item_is(&host, i, text));
	}
	fake_host_deinit(&host);
}

static void test_missed(void **state)
{
	static const struct {
		const char *schedule, *missed;
		uint64_t n_items, n_missed;
		const char *end;
	} rows[] = {
		{ "@every 1h", "skip", 0, 10, NULL },   { "0 * * * *", "skip", 0, 10, NULL },
		{ "@every 1h", "once", 1, 0, " 1 9" },  { "0 * * * *", "once", 1, 0, " 1 9" },
		{ "@every 1h", "all", 10, 0, " 10 0" }, { "0 * * * *", "all", 10, 0, " 10 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		init(rows[i].schedule, rows[i].missed);
		assert_int_equal(fake_host_open(&host), 0);
		age(10 * HOUR_NS);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		assert_int_equal(fake_host_items(&host), rows[i].n_items);
		assert_int_equal(cursor()->n_missed, rows[i].n_missed);
		if (rows[i].end)
			assert_true(ends_with(rows[i].n_items - 1, rows[i].end));
		for (uint64_t j = 0; j < rows[i].n_items; j++)
			assert_int_equal(unix_of(j) % 3600, 0);
		/* Nothing is left of it: all that comes is to come. */
		assert_int_equal(cursor()->last_ns, clock_realtime_ns() / HOUR_NS * HOUR_NS);
		fake_host_deinit(&host);
	}
}

/* A year of milliseconds: counted, and not gone through. */
static void test_long_ago(void **state)
{
	(void)state;
	init("@every 1ms", "once");
	fake_host_option_number(&host, "late", NS_PER_S);
	fake_host_option_number(&host, "count", 1);
	assert_int_equal(fake_host_open(&host), 0);
	age(8760 * HOUR_NS);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 1);
	assert_in_range(strtoull(strrchr(fake_host_item(&host, 0).data, ' '), NULL, 10),
			UINT64_C(8760) * 3600000 - 2000, UINT64_C(8760) * 3600000 + 600000);
	fake_host_deinit(&host);
}

/* What is late is given, whatever becomes of what is missed. */
static void test_late(void **state)
{
	(void)state;
	init("@every 1h", "skip");
	fake_host_option_number(&host, "late", (int64_t)(3 * HOUR_NS));
	assert_int_equal(fake_host_open(&host), 0);
	age(2 * HOUR_NS);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
	assert_int_equal(fake_host_items(&host), 2);
	fake_host_deinit(&host);
}

/* A little: nothing comes twice. By much: it begins anew. */
static void test_set_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t ahead_ns = (i ? 5 : 2) * HOUR_NS, before;

		init("@every 1ms", "all");
		assert_int_equal(fake_host_open(&host), 0);
		age(-ahead_ns);
		before = cursor()->last_ns;
		assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
		assert_int_equal(fake_host_items(&host), 0);
		if (i)
			assert_in_range(cursor()->last_ns, before - ahead_ns, before - ahead_ns + 600 * NS_PER_S);
		else
			assert_int_equal(cursor()->last_ns, before);
		fake_host_deinit(&host);
	}
}

/* Without room a time stays where it is, and is judged when there is some. */
static void test_full(void **state)
{
	(void)state;
	init("@every 1h", "all");
	host.room = 3;
	assert_int_equal(fake_host_open(&host), 0);
	age(10 * HOUR_NS);
	assert_int_equal(fake_host_produce(&host), WEIR_MORE);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(fake_host_items(&host), 3);
	assert_int_equal(fake_host_produce(&host), WEIR_MORE);
	assert_int_equal(cursor()->n_given, 3);
	host.room = UINT64_MAX;
	assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
	assert_int_equal(fake_host_items(&host), 10);
	for (uint64_t i = 1; i < 10; i++)
		assert_int_equal(unix_of(i) - unix_of(i - 1), 3600);
	fake_host_deinit(&host);
}

static void test_zone(void **state)
{
	(void)state;
	init("0 * * * *", "once");
	fake_host_option_string(&host, "timezone", "Asia/Kolkata");
	fake_host_option_string(&host, "text", "{time}{");
	assert_int_equal(fake_host_open(&host), 0);
	age(2 * HOUR_NS);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
	assert_true(ends_with(0, ":00:00+05:30{"));
	fake_host_deinit(&host);

	init("0 * * * *", "once");
	fake_host_option_string(&host, "timezone", "Europe/Berlyn");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "timezone 'Europe/Berlyn': this host does not know that time zone"));
	fake_host_deinit(&host);
}

static void test_too_large(void **state)
{
	(void)state;
	init("@every 1h", "all");
	host.item_size_max = 5;
	assert_int_equal(fake_host_open(&host), 0);
	age(2 * HOUR_NS);
	assert_int_equal(fake_host_produce(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "does not fit the lane, which takes 5"));
	fake_host_deinit(&host);
}

static void try_row(const struct document_cell *cells)
{
	init(cells[0].data, "once");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	if (!strstr(host.reason, cells[1].data))
		fail_msg("'%s': '%s' does not say '%s'", cells[0].data, host.reason, cells[1].data);
	fake_host_deinit(&host);
}

static void test_document(void **state)
{
	(void)state;
	assert_int_equal(document_rows_of(WEIR_SOURCE_DIR "/docs/cron.md", "Cron: what goes wrong", try_row), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every),    cmocka_unit_test(test_kill), cmocka_unit_test(test_missed),
		cmocka_unit_test(test_long_ago), cmocka_unit_test(test_late), cmocka_unit_test(test_set_back),
		cmocka_unit_test(test_full),     cmocka_unit_test(test_zone), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
