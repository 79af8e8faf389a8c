/* SPDX-License-Identifier: Apache-2.0 */
/* Answers become one item: whole, partial, late, twice, refused; and by chance against what should come of it, with kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/cleanup.h"
#include "tests/unit/worker/operators/gathers.h"
#include "worker/operators/mark.h"

static void test_whole(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(
		fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"1\",\"a\":\"x\",\"b\":\"y\"},\"missing\":[]}"));
	assert_int_equal(host.n_settled, 2);
	assert_int_equal(gather_answer(&host, 1, 1, "again"), WEIR_OK); /* whole, and not yet due */
	assert_int_equal(gather_answer(&host, 2, 0, "again"), WEIR_OK); /* open */
	assert_int_equal(gather_answer(&host, 2, 2, "z"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 1, ""), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(
		fake_host_item_is(&host, 1, "{\"answers\":{\"split\":\"2\",\"a\":\"\",\"b\":\"z\"},\"missing\":[]}"));
	assert_int_equal(host.n_settled, 4);
	gather_pass_time(&host, 101);
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(host.entries.n, 1); /* that they were whole */
	assert_int_equal(host.watch_wake_ns, 0);
	fake_host_deinit(&host);
}

static void test_partial(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_HELD);
	gather_pass_time(&host, 99);
	assert_int_equal(fake_host_items(&host), 0);
	gather_pass_time(&host, 1);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"1\",\"b\":\"y\"},\"missing\":[\"a\"]}"));
	assert_int_equal(host.n_settled, 2);
	assert_int_equal(host.entries.n, 0);
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_OK); /* late */
	assert_int_equal(fake_host_items(&host), 1);
	/* The copy from scatter may come when the time is over, and nobody knows of it yet. */
	assert_int_equal(gather_answer(&host, 2, 1, "early bird"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	gather_pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "{\"answers\":{\"split\":\"2\"},\"missing\":[\"a\",\"b\"]}"));
	fake_host_deinit(&host);
}

/* Ended without the copy from scatter, an item has had its result: the copy makes no second one, whenever it comes. */
static void test_copy_comes_last(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"a\":\"x\"},\"missing\":[\"split\",\"b\"]}"));
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	gather_pass_time(&host, 100000);
	assert_int_equal(host.entries.n, 1);
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_OK);
	assert_int_equal(host.entries.n, 0);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
}

static void test_policies(void **state)
{
	struct fake_host host;
	const char *const require[] = { "a", NULL };

	(void)state;
	gather_begin(&host, "reject", "reject", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 1, "x2"), WEIR_REJECTED);
	assert_string_equal(host.reason, "the answer of 'a' is one more than the first, and the first counts");
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(host.n_given_up, 2);
	assert_string_equal(host.reason, "'b' has not answered in time");
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_REJECTED);
	assert_string_equal(host.reason, "the answer of 'b' came when the time was over");
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);

	gather_begin(&host, "emit", "drop", 10);
	fake_host_option_list(&host, "require", require);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 1, "x"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(host.n_given_up, 1);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"a\":\"x\"},\"missing\":[\"split\",\"b\"]}"));
	fake_host_deinit(&host);
}

static void test_bad_input(void **state)
{
	struct fake_host host;
	char large[65536];

	(void)state;
	gather_begin(&host, "emit", "drop", 10);
	host.item_size_max = 100;
	host.state_bytes = 4096;
	assert_int_equal(fake_host_open(&host), 0);
	host.pair_key = NULL;
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_REJECTED);
	assert_string_equal(host.reason, "what comes from 'a' has no mark of scatter 'split': it was not made of one "
					 "item of its alone");
	host.pair_key = "weir.split";
	host.pair_bytes = 5;
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_REJECTED);
	host.pair_bytes = sizeof(struct mark);
	/* More than the state holds. */
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(gather_answer(&host, 1, 1, large), WEIR_REJECTED);
	assert_string_equal(host.reason, "no room to keep it until the others have answered: more than state: allows");
	assert_int_equal(host.entries.n, 0);
	assert_int_equal(host.watch_wake_ns, 0);
	/* A result that does not fit: the last answer is refused, and what the others made of it leaves when the time is over. */
	large[50] = '\0';
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 1, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 2, large), WEIR_REJECTED);
	assert_string_equal(host.reason,
			    "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	gather_pass_time(&host, 100);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"1\",\"a\":\"2\"},\"missing\":[\"b\"]}"));
	/* And one that does not fit even then is a dead letter. */
	gather_set_mark(&host, 2, host.now_ns);
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, large, 60), WEIR_HELD);
	host.input = 1;
	assert_int_equal(fake_host_process_item(&host, large, 60), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	assert_int_equal(host.n_given_up, 2);
	assert_string_equal(
		host.reason,
		"what has been answered does not fit a lane: give the stage behind this one a larger lane:");
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);
	gather_begin(&host, "emit", "drop", 10);
	host.input_names[1] = NULL;
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	fake_host_deinit(&host);
}

/* Two runs may say the same number at the same time since boot, where a boot lies between them: they are strangers. */
static void test_another_run(void **state)
{
	struct mark mark = { .run = 2, .number = 1, .stamp_ns = START_NS };
	const char *const require[] = { "a", NULL };
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "reject", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 1, "x"), WEIR_HELD);
	memcpy(host.pair, &mark, sizeof(mark));
	host.input = 2;
	assert_int_equal(fake_host_process_item(&host, "stranger", 8), WEIR_REJECTED);
	assert_string_equal(host.reason, "the answer of 'b' is of an earlier run");
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, "stranger", 8), WEIR_OK);
	assert_string_equal(host.unset_key, "weir.split"); /* it goes no further */
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"stranger\"},\"missing\":[\"a\",\"b\"]}"));
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_OK);
	assert_true(
		fake_host_item_is(&host, 1, "{\"answers\":{\"split\":\"1\",\"a\":\"x\",\"b\":\"y\"},\"missing\":[]}"));
	/* What was whole in this run says nothing of it. */
	memcpy(host.pair, &mark, sizeof(mark));
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, "stranger", 8), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 3);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 3);
	fake_host_deinit(&host);
	for (int required = 0; required < 2; required++) {
		gather_begin(&host, required ? "emit" : "reject", "drop", 10);
		if (required)
			fake_host_option_list(&host, "require", require);
		assert_int_equal(fake_host_open(&host), 0);
		memcpy(host.pair, &mark, sizeof(mark));
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_REJECTED);
		assert_string_equal(host.reason, "'a' has not answered in time: the item is of an earlier run");
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_OK);
		assert_int_equal(host.entries.n, 0);
		fake_host_deinit(&host);
	}
}

/* A time before this boot: its item has a result at once. */
static void test_other_times(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	gather_set_mark(&host, 3, UINT64_MAX / 2);
	host.input = 1;
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_OK);
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	gather_pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 1);
	/* But not of a moment that this process has not seen yet. */
	gather_set_mark(&host, 4, host.now_ns + NS_PER_MS);
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	gather_pass_time(&host, 1);
	assert_int_equal(fake_host_items(&host), 2);
	/* Nor if the turn has lasted for many times what the answers have: whoever is in time still finds the others. */
	gather_set_mark(&host, 5, host.now_ns + 10 * WITHIN_NS);
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	gather_pass_time(&host, 10 * WITHIN_NS / NS_PER_MS);
	assert_int_equal(fake_host_items(&host), 2);
	host.input = 1;
	assert_int_equal(fake_host_process_item(&host, "y", 1), WEIR_HELD);
	gather_pass_time(&host, WITHIN_NS / NS_PER_MS);
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(&host, 2, "{\"answers\":{\"split\":\"x\",\"a\":\"y\"},\"missing\":[\"b\"]}"));
	fake_host_deinit(&host);
}

/* An item that all have answered has no place any more, and is known for all that: to whoever comes after a kill, too. */
static void test_whole_has_no_place(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "reject", 2);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		assert_int_equal(gather_answer(&host, i, 0, "1"), WEIR_HELD);
		assert_int_equal(gather_answer(&host, i, 2, "y"), WEIR_HELD);
		if (i == 2)
			fake_host_kill(&host); /* the two are given again */
		if (i == 2)
			assert_int_equal(fake_host_open(&host), 0);
		if (i == 2)
			continue;
		assert_int_equal(gather_answer(&host, i, 1, "x"), WEIR_OK);
		fake_host_turn_end(&host);
	}
	assert_int_equal(fake_host_items(&host), 1999);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 2000; i += 7) {
		assert_int_equal(gather_answer(&host, i, 1, "again"), WEIR_REJECTED);
		assert_string_equal(host.reason, "the answer of 'a' is one more than the first, and the first counts");
	}
	/* Its neighbours in number were whole. */
	assert_int_equal(gather_answer(&host, 2, 1, "x"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 2000);
	fake_host_deinit(&host);
}

static void be_whole(struct fake_host *host, uint32_t worker, uint64_t number)
{
	for (uint32_t input = 0; input < 3; input++) {
		const struct mark mark = { .run = 1, .number = number, .stamp_ns = host->now_ns, .worker = worker };

		memcpy(host->pair, &mark, sizeof(mark));
		host->input = input;
		assert_int_equal(fake_host_process_item(host, "x", 1), input < 2 ? WEIR_HELD : WEIR_OK);
	}
	fake_host_turn_end(host);
}

/* What is remembered of them goes when their time is over, also of a worker that has fallen silent. */
static void test_wholes_are_forgotten(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 1);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 0; i < 20; i++)
		for (uint32_t worker = 0; worker < 3; worker++)
			be_whole(&host, worker, 512 * i);
	assert_int_equal(host.entries.n, 60);
	gather_pass_time(&host, 99);
	be_whole(&host, 1, 512 * 20);
	assert_int_equal(host.entries.n, 61);
	gather_pass_time(&host, 1);
	for (uint64_t i = 21; i < 61; i++)
		be_whole(&host, 1, 512 * i);
	assert_int_equal(host.entries.n, 41);
	gather_pass_time(&host, 99);
	be_whole(&host, 1, 512 * 20 + 1);
	gather_pass_time(&host, 1);
	be_whole(&host, 2, 512 * 20);
	be_whole(&host, 2, 512 * 21);
	assert_int_equal(host.entries.n, 43); /* the oldest of worker 1 has one whose time is not over */
	gather_pass_time(&host, 100);
	be_whole(&host, 2, 512 * 22);
	assert_int_equal(host.entries.n, 40);
	fake_host_deinit(&host);
}

/* One that finds no room for its bit keeps its place, or has one now, where its copy came last. */
static void test_whole_keeps_its_place(void **state)
{
	static const uint32_t orders[][3] = { { 0, 1, 2 }, { 1, 2, 0 } };
	struct fake_host host;

	(void)state;
	for (unsigned order = 0; order < 2; order++) {
		gather_begin(&host, "emit", "reject", 1);
		host.state_bytes = 200; /* for its answers, and no bit */
		assert_int_equal(fake_host_open(&host), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(gather_answer(&host, 1, orders[order][i], "x"), i < 2 ? WEIR_HELD : WEIR_OK);
		fake_host_turn_end(&host);
		assert_int_equal(gather_answer(&host, 1, 1, "again"), WEIR_REJECTED);
		assert_string_equal(host.reason, "the answer of 'a' is one more than the first, and the first counts");
		assert_int_equal(gather_answer(&host, 2, 0, "x"), WEIR_WAIT);
		gather_pass_time(&host, 100);
		assert_int_equal(host.entries.n, 0);
		assert_int_equal(fake_host_items(&host), 1);
		fake_host_deinit(&host);
	}
}

/* The end of the stream: nothing is waited for. A lane that is full holds it up, and a kill does not repeat it. */
static void test_end(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 1000);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 200; i++)
		assert_int_equal(gather_answer(&host, i, 0, "x"), WEIR_HELD);
	fake_host_turn_end(&host);
	host.room = host.full_after = 7;
	for (unsigned turn = 0;; turn++) {
		int r;

		assert_int_equal(fake_host_finish(&host), WEIR_MORE);
		r = fake_host_produce(&host);
		if (turn % 3)
			fake_host_turn_end(&host);
		if (r == 0 && turn % 3)
			break;
		assert_true(r == 0 || r == WEIR_MORE);
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
	}
	assert_int_equal(fake_host_items(&host), 200);
	assert_int_equal(host.n_settled, 200);
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);
}

/* ---- by chance ---- */

#define ITEMS 300u

static unsigned results_of(const struct fake_host *host, unsigned item)
{
	_cleanup_(free) char *text = NULL;
	char wanted[32], *line, *rest;
	unsigned n = 0;
	size_t size;

	text = fake_host_text(host, &size);
	snprintf(wanted, sizeof(wanted), ":\"%u\"", item);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		n += strstr(line, wanted) != NULL;
	return n;
}

static void test_chance(void **state)
{
	unsigned answered[ITEMS] = { 0 }, n_answers = 0, n_late = 0, n_copies = 0;
	bool held[ITEMS] = { false };
	uint64_t stamps[ITEMS], n_held = 0;
	struct fake_host host;

	(void)state;
	srand(7);
	gather_begin(&host, "emit", "drop", ITEMS);
	assert_int_equal(fake_host_open(&host), 0);
	for (unsigned i = 0; i < ITEMS; i++)
		stamps[i] = START_NS + i * NS_PER_MS;
	for (unsigned step = 0; step < 20000 && n_answers < 3 * ITEMS; step++) {
		unsigned at = (unsigned)((host.now_ns - START_NS) / NS_PER_MS), first = at > 130 ? at - 130 : 0;
		unsigned i = first + (unsigned)rand() % 131, input = (unsigned)rand() % 3;
		char text[16];
		int r;

		if (rand() % 4 == 0)
			gather_pass_time(&host, 1);
		if (input == 0) /* copies keep their order */
			i = n_copies;
		if (i >= ITEMS || i > at || answered[i] >> input & 1)
			continue;
		gather_set_mark(&host, i + 1, stamps[i]);
		host.input = input;
		snprintf(text, sizeof(text), "%u", i);
		r = fake_host_process_item(&host, text, strlen(text));
		assert_true(r == WEIR_HELD || r == WEIR_OK);
		if (rand() % 10 == 0) { /* killed before its commit: it is given again */
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
			continue;
		}
		fake_host_turn_end(&host);
		n_late += r == WEIR_OK && host.now_ns >= stamps[i] + WITHIN_NS;
		n_held += r == WEIR_HELD;
		held[i] = held[i] || r == WEIR_HELD;
		answered[i] |= 1u << input;
		n_copies += input == 0;
		n_answers++;
	}
	gather_pass_time(&host, 1000);
	for (unsigned i = 0; i < ITEMS; i++) {
		assert_int_equal(results_of(&host, i), held[i] ? 1 : 0);
		assert_true(held[i] || !(answered[i] & 1)); /* the item itself is enough */
	}
	assert_int_equal(host.n_settled, n_held);
	assert_true(n_late > 10);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_copy_comes_last),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_whole_has_no_place),
		cmocka_unit_test(test_wholes_are_forgotten),
		cmocka_unit_test(test_whole_keeps_its_place),
		cmocka_unit_test(test_another_run),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_other_times),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
