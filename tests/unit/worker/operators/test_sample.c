/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define N 20000u

static void begin(struct fake_host *host, int64_t every, int64_t share, int64_t seed)
{
	fake_host_init(host, &sample_operator_callbacks);
	if (every)
		fake_host_option_number(host, "every", every);
	else
		fake_host_option_number(host, "share", share);
	fake_host_option_number(host, "seed", seed);
	assert_int_equal(fake_host_open(host), 0);
}

/* Gives it n numbered items; each_kill: after so many it dies, and what was not committed comes again. */
static void feed(struct fake_host *host, unsigned n, unsigned each_kill)
{
	unsigned committed = 0, deaths = 0;

	for (unsigned i = 0; i < n; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i + 1);
		assert_int_equal(fake_host_process(host, text, strlen(text)), WEIR_OK);
		if (i % 7 == 6) {
			fake_host_commit(host);
			committed = i + 1;
		}
		if (each_kill && i / each_kill > deaths) {
			deaths++;
			fake_host_kill(host);
			assert_int_equal(fake_host_open(host), 0);
			i = committed - 1;
		}
	}
	fake_host_commit(host);
}

static void test_every_nth(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, 3, 0, 0);
	feed(&host, 10, 0);
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(&host, 0, "3"));
	assert_true(fake_host_item_is(&host, 1, "6"));
	assert_true(fake_host_item_is(&host, 2, "9"));
	fake_host_deinit(&host);
	begin(&host, 1, 0, 0);
	feed(&host, 10, 0);
	assert_int_equal(fake_host_items(&host), 10);
	fake_host_deinit(&host);
}

/* The lot is no chance: a seed has its sample. But it is as large as a fair lot makes it, within five times the deviation of one. */
static void test_a_share_by_lot(void **state)
{
	static const struct {
		int64_t share;
		uint64_t least, most;
	} cases[] = { { 1000000000, N, N },
		      { 500000000, 9646, 10354 },
		      { 100000000, 1787, 2213 },
		      { 1000000, 1, 43 },
		      { 999000000, N - 43, N - 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int64_t seed = 0; seed < 3; seed++) {
			struct fake_host host;

			begin(&host, 0, cases[i].share, seed);
			feed(&host, N, 0);
			assert_in_range(fake_host_items(&host), cases[i].least, cases[i].most);
			fake_host_deinit(&host);
		}
}

static char *sample_of(int64_t every, int64_t share, int64_t seed, unsigned each_kill)
{
	struct fake_host host;
	size_t size;
	char *text;

	begin(&host, every, share, seed);
	feed(&host, N, each_kill);
	text = fake_host_text(&host, &size);
	fake_host_deinit(&host);
	return text;
}

static void test_kills_and_runs_choose_the_same_and_seeds_do_not(void **state)
{
	(void)state;
	for (int64_t every = 0; every < 10; every += 9) {
		char *calm = sample_of(every, 250000000, 42, 0), *again = sample_of(every, 250000000, 42, 0);
		char *killed = sample_of(every, 250000000, 42, 100), *other = sample_of(every, 250000000, 43, 0);

		assert_string_equal(calm, again);
		assert_string_equal(calm, killed);
		assert_int_equal(strcmp(calm, other) == 0, every != 0);
		free(calm);
		free(again);
		free(killed);
		free(other);
	}
}

/* No run of luck: of four neighbours chosen at one half, each of the sixteen ways comes as often as it should. */
static void test_neighbours_have_nothing_to_do_with_each_other(void **state)
{
	unsigned ways[16] = { 0 };
	struct fake_host host;

	(void)state;
	begin(&host, 0, 500000000, 1);
	for (unsigned i = 0; i < N / 4; i++) {
		unsigned way = 0;

		for (unsigned j = 0; j < 4; j++) {
			uint64_t before = fake_host_items(&host);

			assert_int_equal(fake_host_process(&host, "x", 1), WEIR_OK);
			way = way << 1 | (fake_host_items(&host) != before);
		}
		ways[way]++;
	}
	for (unsigned i = 0; i < 16; i++)
		assert_in_range(ways[i], 226, 399); /* 312.5, five deviations of 17.1 */
	fake_host_deinit(&host);
}

static void test_what_finds_no_room_is_not_counted(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, 2, 0, 0);
	host.item_size_max = 3;
	assert_int_equal(fake_host_process(&host, "a", 1), WEIR_OK);
	assert_int_equal(fake_host_process(&host, "long", 4), WEIR_TOO_LARGE);
	assert_int_equal(fake_host_process(&host, "b", 1), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "b"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_nth),
		cmocka_unit_test(test_a_share_by_lot),
		cmocka_unit_test(test_kills_and_runs_choose_the_same_and_seeds_do_not),
		cmocka_unit_test(test_neighbours_have_nothing_to_do_with_each_other),
		cmocka_unit_test(test_what_finds_no_room_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
