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
#include "tests/unit/worker/fake_host.h"
#include "worker/builtin.h"
#include "worker/operators/joins.h"

#define WITHIN_NS (100 * NS_PER_MS)
#define START_NS NS_PER_S /* less than any machine has been up for */

static void begin(struct fake_host *host, const char *partial, const char *late, int64_t n_open)
{
	fake_host_init(host, &gather_operator_callbacks);
	fake_host_option_string(host, "scatter", "split");
	fake_host_option_number(host, "within", WITHIN_NS);
	fake_host_option_string(host, "since", "scatter");
	fake_host_option_string(host, "partial", partial);
	fake_host_option_string(host, "late", late);
	fake_host_option_number(host, "open", n_open);
	fake_host_option_string(host, "emits", "text");
	host->input_names[0] = "split";
	host->input_names[1] = "a";
	host->input_names[2] = "b";
	host->pair_key = "weir.split";
	host->pair_bytes = sizeof(struct mark);
	host->now_ns = START_NS;
}

static void set_mark(struct fake_host *host, uint64_t number, uint64_t stamp_ns)
{
	const struct mark mark = { .run = 1, .number = number, .stamp_ns = stamp_ns };

	memcpy(host->pair, &mark, sizeof(mark));
}

static int answer(struct fake_host *host, uint64_t number, uint32_t input, const char *text)
{
	set_mark(host, number, START_NS);
	host->input = input;
	return fake_host_process_item(host, text, strlen(text));
}

/* What the runtime does when the time comes that the stage watches. */
static void pass_time(struct fake_host *host, uint64_t ms)
{
	host->now_ns += ms * NS_PER_MS;
	if (!host->watch_wake_ns || host->watch_wake_ns > host->now_ns)
		return;
	host->watch_wake_ns = 0;
	while (fake_host_produce(host) == WEIR_MORE)
		fake_host_turn_end(host);
	fake_host_turn_end(host);
}

static void test_whole(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 2, "y"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(
		fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"1\",\"a\":\"x\",\"b\":\"y\"},\"missing\":[]}"));
	assert_int_equal(host.n_settled, 2);
	assert_int_equal(answer(&host, 1, 1, "again"), WEIR_OK); /* whole, and not yet due */
	assert_int_equal(answer(&host, 2, 0, "again"), WEIR_OK); /* open */
	assert_int_equal(answer(&host, 2, 2, "z"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 1, ""), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(
		fake_host_item_is(&host, 1, "{\"answers\":{\"split\":\"2\",\"a\":\"\",\"b\":\"z\"},\"missing\":[]}"));
	assert_int_equal(host.n_settled, 4);
	pass_time(&host, 101);
	assert_int_equal(fake_host_items(&host), 2);
	assert_int_equal(host.entries.n, 1); /* that they were whole */
	assert_int_equal(host.watch_wake_ns, 0);
	fake_host_deinit(&host);
}

static void test_partial(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 2, "y"), WEIR_HELD);
	pass_time(&host, 99);
	assert_int_equal(fake_host_items(&host), 0);
	pass_time(&host, 1);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"1\",\"b\":\"y\"},\"missing\":[\"a\"]}"));
	assert_int_equal(host.n_settled, 2);
	assert_int_equal(host.entries.n, 0);
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_OK); /* late */
	assert_int_equal(fake_host_items(&host), 1);
	/* The copy from scatter may come when the time is over, and nobody knows of it yet. */
	assert_int_equal(answer(&host, 2, 1, "early bird"), WEIR_OK);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_HELD);
	pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "{\"answers\":{\"split\":\"2\"},\"missing\":[\"a\",\"b\"]}"));
	fake_host_deinit(&host);
}

/* Ended without the copy from scatter, an item has had its result: the copy makes no second one, whenever it comes. */
static void test_copy_comes_last(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_HELD);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"a\":\"x\"},\"missing\":[\"split\",\"b\"]}"));
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	pass_time(&host, 100000);
	assert_int_equal(host.entries.n, 1);
	assert_int_equal(answer(&host, 1, 2, "y"), WEIR_OK);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_OK);
	assert_int_equal(host.entries.n, 0);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
}

static void test_policies(void **state)
{
	struct fake_host host;
	const char *const require[] = { "a", NULL };

	(void)state;
	begin(&host, "reject", "reject", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 1, "x2"), WEIR_REJECTED);
	assert_string_equal(host.reason, "the answer of 'a' is one more than the first, and the first counts");
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(host.n_given_up, 2);
	assert_string_equal(host.reason, "'b' has not answered in time");
	assert_int_equal(answer(&host, 1, 2, "y"), WEIR_REJECTED);
	assert_string_equal(host.reason, "the answer of 'b' came when the time was over");
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);

	begin(&host, "emit", "drop", 10);
	fake_host_option_list(&host, "require", require);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 1, "x"), WEIR_HELD);
	pass_time(&host, 100);
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
	begin(&host, "emit", "drop", 10);
	host.item_size_max = 100;
	host.state_bytes = 4096;
	assert_int_equal(fake_host_open(&host), 0);
	host.pair_key = NULL;
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_REJECTED);
	assert_string_equal(host.reason, "what comes from 'a' has no mark of scatter 'split': it was not made of one "
					 "item of its alone");
	host.pair_key = "weir.split";
	host.pair_bytes = 5;
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_REJECTED);
	host.pair_bytes = sizeof(struct mark);
	/* More than the state holds. */
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(answer(&host, 1, 1, large), WEIR_REJECTED);
	assert_string_equal(host.reason, "no room to keep it until the others have answered: more than state: allows");
	assert_int_equal(host.entries.n, 0);
	assert_int_equal(host.watch_wake_ns, 0);
	/* A result that does not fit: the last answer is refused, and what the others made of it leaves when the time is over. */
	large[50] = '\0';
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 1, "2"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 2, large), WEIR_REJECTED);
	assert_string_equal(host.reason,
			    "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	pass_time(&host, 100);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"1\",\"a\":\"2\"},\"missing\":[\"b\"]}"));
	/* And one that does not fit even then is a dead letter. */
	set_mark(&host, 2, host.now_ns);
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, large, 60), WEIR_HELD);
	host.input = 1;
	assert_int_equal(fake_host_process_item(&host, large, 60), WEIR_HELD);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	assert_int_equal(host.n_given_up, 2);
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);
	begin(&host, "emit", "drop", 10);
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
	begin(&host, "emit", "reject", 10);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 1, "x"), WEIR_HELD);
	memcpy(host.pair, &mark, sizeof(mark));
	host.input = 2;
	assert_int_equal(fake_host_process_item(&host, "stranger", 8), WEIR_REJECTED);
	assert_string_equal(host.reason, "the answer of 'b' is of an earlier run");
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, "stranger", 8), WEIR_OK);
	assert_string_equal(host.unset_key, "weir.split"); /* it goes no further */
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(fake_host_item_is(&host, 0, "{\"answers\":{\"split\":\"stranger\"},\"missing\":[\"a\",\"b\"]}"));
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 1, 2, "y"), WEIR_OK);
	assert_true(
		fake_host_item_is(&host, 1, "{\"answers\":{\"split\":\"1\",\"a\":\"x\",\"b\":\"y\"},\"missing\":[]}"));
	/* What was whole in this run says nothing of it. */
	memcpy(host.pair, &mark, sizeof(mark));
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, "stranger", 8), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 3);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 3);
	fake_host_deinit(&host);
	for (int required = 0; required < 2; required++) {
		begin(&host, required ? "emit" : "reject", "drop", 10);
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
	begin(&host, "emit", "drop", 10);
	assert_int_equal(fake_host_open(&host), 0);
	set_mark(&host, 3, UINT64_MAX / 2);
	host.input = 1;
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_OK);
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 1);
	/* But not of a moment that this process has not seen yet. */
	set_mark(&host, 4, host.now_ns + NS_PER_MS);
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	pass_time(&host, 1);
	assert_int_equal(fake_host_items(&host), 2);
	/* Nor if the turn has lasted for many times what the answers have: whoever is in time still finds the others. */
	set_mark(&host, 5, host.now_ns + 10 * WITHIN_NS);
	assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	pass_time(&host, 10 * WITHIN_NS / NS_PER_MS);
	assert_int_equal(fake_host_items(&host), 2);
	host.input = 1;
	assert_int_equal(fake_host_process_item(&host, "y", 1), WEIR_HELD);
	pass_time(&host, WITHIN_NS / NS_PER_MS);
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(&host, 2, "{\"answers\":{\"split\":\"x\",\"a\":\"y\"},\"missing\":[\"b\"]}"));
	fake_host_deinit(&host);
}

static void test_bound(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 1, "2"), WEIR_HELD);
	assert_int_equal(answer(&host, 3, 0, "3"), WEIR_HELD);
	assert_int_equal(answer(&host, 4, 0, "4"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_WAIT);
	assert_int_equal(answer(&host, 2, 2, "2"), WEIR_HELD);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 3);
	/* 2 is closed until its copy comes. */
	assert_int_equal(host.entries.n, 1);
	assert_int_equal(answer(&host, 4, 0, "4"), WEIR_HELD);
	assert_int_equal(answer(&host, 5, 0, "5"), WEIR_HELD);
	for (uint64_t i = 6; i < 8; i++) {
		set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
		assert_int_equal(host.entries.n, i == 6 ? 7 : 9);
	}
	fake_host_deinit(&host);
}

/* Whose time is over while its copy waits for a place has had its result, whatever comes in between. */
static void test_over_while_the_copy_waits(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_HELD);
	assert_int_equal(answer(&host, 3, 0, "3"), WEIR_WAIT);
	assert_int_equal(answer(&host, 3, 1, "a"), WEIR_HELD);
	assert_int_equal(answer(&host, 4, 1, "a"), WEIR_HELD);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 4);
	for (uint64_t i = 5; i < 50; i++) {
		set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "a", 1), WEIR_HELD);
	}
	assert_int_equal(answer(&host, 3, 0, "3"), WEIR_OK);
	assert_int_equal(answer(&host, 4, 0, "4"), WEIR_OK);
	pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 4);
	fake_host_deinit(&host);
}

/* Branches answer in any order, and far ahead of the copies that wait for a place: these have it as soon as others are whole. */
static void test_branches_run_ahead(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_HELD);
	for (uint64_t i = 200; i > 2; i--) {
		assert_int_equal(answer(&host, i, 1, "a"), WEIR_HELD);
		assert_int_equal(answer(&host, i, 2, "b"), WEIR_HELD);
	}
	assert_int_equal(answer(&host, 1, 1, "a"), WEIR_HELD);
	fake_host_turn_end(&host);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 201, 0, "201"), WEIR_WAIT);
	for (uint64_t i = 3; i <= 200; i++)
		assert_int_equal(answer(&host, i, 0, "1"), WEIR_OK);
	assert_int_equal(answer(&host, 1, 2, "b"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 199);
	assert_int_equal(answer(&host, 201, 0, "201"), WEIR_HELD);
	assert_int_equal(answer(&host, 202, 1, "202"), WEIR_HELD);
	assert_int_equal(answer(&host, 202, 0, "202"), WEIR_WAIT);
	fake_host_deinit(&host);
	/* Where nobody brings the item itself each first answer takes a place. */
	begin(&host, "emit", "drop", 2);
	host.input_names[0] = "c";
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 1, "2"), WEIR_HELD);
	assert_int_equal(answer(&host, 3, 2, "3"), WEIR_WAIT);
	assert_int_equal(answer(&host, 2, 2, "2"), WEIR_HELD);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_OK);
	assert_int_equal(answer(&host, 3, 2, "3"), WEIR_HELD);
	fake_host_deinit(&host);
}

/* An item that all have answered has no place any more, and is known for all that: to whoever comes after a kill, too. */
static void test_whole_has_no_place(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "reject", 2);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		assert_int_equal(answer(&host, i, 0, "1"), WEIR_HELD);
		assert_int_equal(answer(&host, i, 2, "y"), WEIR_HELD);
		if (i == 2)
			fake_host_kill(&host); /* the two are given again */
		if (i == 2)
			assert_int_equal(fake_host_open(&host), 0);
		if (i == 2)
			continue;
		assert_int_equal(answer(&host, i, 1, "x"), WEIR_OK);
		fake_host_turn_end(&host);
	}
	assert_int_equal(fake_host_items(&host), 1999);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 2000; i += 7) {
		assert_int_equal(answer(&host, i, 1, "again"), WEIR_REJECTED);
		assert_string_equal(host.reason, "the answer of 'a' is one more than the first, and the first counts");
	}
	/* Its neighbours in number were whole. */
	assert_int_equal(answer(&host, 2, 1, "x"), WEIR_HELD);
	pass_time(&host, 100);
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
	begin(&host, "emit", "drop", 1);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 0; i < 20; i++)
		for (uint32_t worker = 0; worker < 3; worker++)
			be_whole(&host, worker, 512 * i);
	assert_int_equal(host.entries.n, 60);
	pass_time(&host, 99);
	be_whole(&host, 1, 512 * 20);
	assert_int_equal(host.entries.n, 61);
	pass_time(&host, 1);
	for (uint64_t i = 21; i < 61; i++)
		be_whole(&host, 1, 512 * i);
	assert_int_equal(host.entries.n, 41);
	pass_time(&host, 99);
	be_whole(&host, 1, 512 * 20 + 1);
	pass_time(&host, 1);
	be_whole(&host, 2, 512 * 20);
	be_whole(&host, 2, 512 * 21);
	assert_int_equal(host.entries.n, 43); /* the oldest of worker 1 has one whose time is not over */
	pass_time(&host, 100);
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
		begin(&host, "emit", "reject", 1);
		host.state_bytes = 200; /* for its answers, and no bit */
		assert_int_equal(fake_host_open(&host), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(answer(&host, 1, orders[order][i], "x"), i < 2 ? WEIR_HELD : WEIR_OK);
		fake_host_turn_end(&host);
		assert_int_equal(answer(&host, 1, 1, "again"), WEIR_REJECTED);
		assert_string_equal(host.reason, "the answer of 'a' is one more than the first, and the first counts");
		assert_int_equal(answer(&host, 2, 0, "x"), WEIR_WAIT);
		pass_time(&host, 100);
		assert_int_equal(host.entries.n, 0);
		assert_int_equal(fake_host_items(&host), 1);
		fake_host_deinit(&host);
	}
}

/* Copies that are dropped on the way: their items have results in time, answers beyond the bound wait, and whoever has a join goes on. */
static void test_copies_that_never_come(void **state)
{
	struct fake_host host;

	(void)state;
	joins_limits.n_ahead = 3;
	begin(&host, "emit", "reject", 2);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(answer(&host, i, 1, "x"), WEIR_HELD);
	assert_int_equal(answer(&host, 4, 1, "x"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	assert_int_equal(answer(&host, 1, 2, "y"), WEIR_HELD);
	assert_int_equal(answer(&host, 4, 0, "4"), WEIR_HELD);
	assert_int_equal(answer(&host, 4, 1, "x"), WEIR_HELD);
	assert_int_equal(answer(&host, 5, 2, "x"), WEIR_WAIT);
	assert_int_equal(answer(&host, 2, 0, "2"), WEIR_HELD); /* it is not ahead any more */
	assert_int_equal(answer(&host, 5, 2, "x"), WEIR_HELD);
	assert_int_equal(answer(&host, 6, 2, "x"), WEIR_WAIT);
	fake_host_turn_end(&host);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(answer(&host, 6, 2, "x"), WEIR_WAIT);
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 5);
	for (uint64_t i = 7; i <= 9; i++) {
		set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	}
	fake_host_deinit(&host);
	joins_limits.n_ahead = 65536;
}

/* Items 1 to n, each answered by one branch alone, have their results. */
static void end_without_copies(struct fake_host *host, uint64_t n)
{
	for (uint64_t i = 1; i <= n; i++) {
		set_mark(host, i, host->now_ns);
		host->input = 1;
		assert_int_equal(fake_host_process_item(host, "x", 1), WEIR_HELD);
		fake_host_turn_end(host);
		pass_time(host, 1);
	}
	pass_time(host, 100);
	assert_int_equal(fake_host_items(host), n);
}

/* Of those that wait for their copies as many are remembered as may be, the youngest. */
static void test_the_oldest_are_forgotten(void **state)
{
	struct fake_host host;

	(void)state;
	joins_limits.n_ended = 5;
	for (int kill = 0; kill < 2; kill++) {
		begin(&host, "emit", "reject", 2);
		assert_int_equal(fake_host_open(&host), 0);
		end_without_copies(&host, 200);
		assert_int_equal(host.entries.n, 5);
		if (kill) {
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
		}
		set_mark(&host, 198, START_NS + 197 * NS_PER_MS); /* in the middle: it leaves the list */
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "198", 3), WEIR_REJECTED);
		host.input = 2;
		assert_int_equal(fake_host_process_item(&host, "198", 3), WEIR_REJECTED);
		set_mark(&host, 300, host.now_ns);
		assert_int_equal(fake_host_process_item(&host, "300", 3), WEIR_HELD);
		pass_time(&host, 100);
		assert_int_equal(host.entries.n, 5);
		set_mark(&host, 196, START_NS + 195 * NS_PER_MS); /* the oldest made room for it */
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "196", 3), WEIR_HELD);
		set_mark(&host, 197, START_NS + 196 * NS_PER_MS);
		assert_int_equal(fake_host_process_item(&host, "197", 3), WEIR_REJECTED);
		fake_host_deinit(&host);
	}
	joins_limits.n_ended = 65536;
}

/* A copy that comes, when another answer had ended the item, leaves the list wherever it is in it. */
static void test_copies_come_in_any_order(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	end_without_copies(&host, 97);
	assert_int_equal(host.entries.n, 97);
	for (uint64_t i = 0; i < 97; i++) {
		uint64_t number = 1 + i * 35 % 97;

		set_mark(&host, number, START_NS + (number - 1) * NS_PER_MS);
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "copy", 4), WEIR_OK);
		assert_int_equal(host.entries.n, 96 - i);
	}
	assert_int_equal(fake_host_items(&host), 97);
	fake_host_deinit(&host);
}

/* Nor do they take the state from those who are still to be joined. */
static void test_the_ended_leave_room(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 2);
	host.state_bytes = 32768; /* for 300 of them */
	assert_int_equal(fake_host_open(&host), 0);
	end_without_copies(&host, 2000);
	assert_in_range(host.entries.n, 100, 32768 * 7 / 8 / 69);
	fake_host_deinit(&host);
}

/* The end of the stream: nothing is waited for. A lane that is full holds it up, and a kill does not repeat it. */
static void test_end(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "emit", "drop", 1000);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 200; i++)
		assert_int_equal(answer(&host, i, 0, "x"), WEIR_HELD);
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
	unsigned answered[ITEMS] = { 0 }, n_answers = 0, n_late = 0;
	bool held[ITEMS] = { false };
	uint64_t stamps[ITEMS], n_held = 0;
	struct fake_host host;

	(void)state;
	srand(7);
	begin(&host, "emit", "drop", ITEMS);
	assert_int_equal(fake_host_open(&host), 0);
	for (unsigned i = 0; i < ITEMS; i++)
		stamps[i] = START_NS + i * NS_PER_MS;
	for (unsigned step = 0; step < 20000 && n_answers < 3 * ITEMS; step++) {
		unsigned at = (unsigned)((host.now_ns - START_NS) / NS_PER_MS), first = at > 130 ? at - 130 : 0;
		unsigned i = first + (unsigned)rand() % 131, input = (unsigned)rand() % 3;
		char text[16];
		int r;

		if (rand() % 4 == 0)
			pass_time(&host, 1);
		if (i >= ITEMS || i > at || answered[i] >> input & 1)
			continue;
		set_mark(&host, i + 1, stamps[i]);
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
		n_answers++;
	}
	pass_time(&host, 1000);
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
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_over_while_the_copy_waits),
		cmocka_unit_test(test_branches_run_ahead),
		cmocka_unit_test(test_whole_has_no_place),
		cmocka_unit_test(test_wholes_are_forgotten),
		cmocka_unit_test(test_whole_keeps_its_place),
		cmocka_unit_test(test_copies_that_never_come),
		cmocka_unit_test(test_the_oldest_are_forgotten),
		cmocka_unit_test(test_copies_come_in_any_order),
		cmocka_unit_test(test_the_ended_leave_room),
		cmocka_unit_test(test_another_run),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_other_times),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
