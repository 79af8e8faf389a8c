/* SPDX-License-Identifier: Apache-2.0 */
/* operator: merge, against a sort, with a kill in each step; its snapshot, inputs that say nothing, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_channel.h"
#include "worker/builtin.h"

#define N_INPUTS 3u
#define N_ITEMS 12u

static struct fake_host host;
static struct fake_channel channel;

static void begin(const char *compare, const char *disorder)
{
	fake_host_init(&host, &merge_operator_callbacks);
	fake_host_option_string(&host, "key", ".k");
	fake_host_option_string(&host, "compare", compare);
	fake_host_option_string(&host, "disorder", disorder);
	host.now_ns = NS_PER_S;
	memset(&channel, 0, sizeof(channel));
	fake_channel_init(&channel, &host, N_INPUTS);
}

static void add(uint32_t input, const char *items)
{
	static char words[64][32];
	static unsigned n_words;
	char copy[512], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", items);
	for (const char *word; (word = strsep(&rest, " "));) {
		char *item = words[n_words++ % 64];

		snprintf(item, sizeof(words[0]), "{\"k\":%s}", word);
		fake_channel_add(&channel, input, item);
	}
}

/* The keys of what has gone out. */
static const char *keys(void)
{
	static char text[2048];
	char *at = text;

	*at = '\0';
	for (uint64_t i = 0; i < fake_host_items(&host); i++) {
		const struct fake_item item = fake_host_item(&host, i);

		at += sprintf(at, "%s%.*s", i ? " " : "", (int)item.size_bytes - 6, item.data + 5);
	}
	return text;
}

static void assert_ledger(void)
{
	assert_int_equal(channel.n_held, host.n_settled);
}

static void end(void)
{
	assert_ledger();
	fake_host_deinit(&host);
}

static void test_three_inputs(void **state)
{
	(void)state;
	begin("number", "reject");
	add(0, "1 4 9");
	add(1, "2 2 7");
	add(2, "-1.5 3 1e1");
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_string_equal(keys(), "-1.5 1 2 2 3 4 7 9 1e1");
	end();
}

static void test_no_items_at_all(void **state)
{
	(void)state;
	begin("number", "reject");
	add(1, "5");
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_string_equal(keys(), "5");
	end();
}

/* ---- against a sort ---- */

struct numbered {
	int key;
	uint32_t input;
	char json[32];
};

/* Sorted inputs by chance, with many keys that are equal; the output to be, each with its baggage. */
static void make(struct numbered items[N_INPUTS][N_ITEMS], char *expected)
{
	static struct numbered all[N_INPUTS * N_ITEMS];

	for (uint32_t input = 0; input < N_INPUTS; input++)
		for (uint32_t i = 0, key = 0; i < N_ITEMS; i++) {
			key += (uint32_t)rand() % 3;
			items[input][i] = (struct numbered){ .key = (int)key, .input = input };
			snprintf(items[input][i].json, sizeof(items[0][0].json), "{\"k\":%u,\"i\":%u}", key, i);
		}
	memcpy(all, items, sizeof(all));
	/* Stable: an insertion sort. */
	for (uint32_t i = 1; i < N_INPUTS * N_ITEMS; i++)
		for (uint32_t j = i; j && (all[j].key < all[j - 1].key ||
					   (all[j].key == all[j - 1].key && all[j].input < all[j - 1].input));
		     j--) {
			struct numbered swapped = all[j];

			all[j] = all[j - 1];
			all[j - 1] = swapped;
		}
	for (uint32_t i = 0; i < N_INPUTS * N_ITEMS; i++)
		expected += sprintf(expected, "%c:%s\n", 'a' + (int)all[i].input, all[i].json);
}

static uint64_t run_made(struct numbered items[N_INPUTS][N_ITEMS], const char *expected, uint64_t kill_at)
{
	uint64_t n_steps;
	size_t size;
	char *text;

	begin("number", "fail");
	host.shows_baggage = true;
	for (uint32_t input = 0; input < N_INPUTS; input++)
		for (uint32_t i = 0; i < N_ITEMS; i++)
			fake_channel_add(&channel, input, items[input][i].json);
	channel.kill_at = kill_at;
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	text = fake_host_text(&host, &size);
	assert_string_equal(text, expected);
	free(text);
	assert_int_equal(channel.n_rejected, 0);
	n_steps = channel.n_steps;
	end();
	return n_steps;
}

/* The same comes of it, whatever the step that the worker dies in. */
static void test_against_a_sort(void **state)
{
	static struct numbered items[N_INPUTS][N_ITEMS];
	static char expected[4096];

	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		uint64_t n_steps;

		srand(seed);
		make(items, expected);
		n_steps = run_made(items, expected, 0);
		assert_true(n_steps > N_INPUTS * N_ITEMS);
		for (uint64_t step = 1; step <= n_steps; step++)
			(void)run_made(items, expected, step);
	}
}

/* ---- the snapshot ---- */

static void test_until(void **state)
{
	static const char *const ways[] = { "number", "text" };

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		for (uint64_t kill_at = 0; kill_at < 14; kill_at++) {
			begin(ways[i], "reject");
			fake_host_option_string(&host, "until", "4");
			channel.kill_at = kill_at;
			add(0, "1 4 5 2"); /* what is behind one that is past it is not looked at */
			add(1, "4 4");
			add(2, "6");
			assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
			assert_string_equal(keys(), "1 4 4 4");
			assert_int_equal(channel.n_rejected, 0);
			assert_true(host.left);
			end();
		}
}

static void test_until_that_is_none(void **state)
{
	(void)state;
	begin("number", "reject");
	fake_host_option_string(&host, "until", "soon");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	fake_host_deinit(&host);
	begin("text", "reject");
	fake_host_option_string(&host, "until", "soon");
	assert_int_equal(fake_host_open(&host), 0);
	fake_host_deinit(&host);
}

/* ---- who says nothing ---- */

static void test_who_says_nothing_is_waited_for(void **state)
{
	(void)state;
	begin("number", "fail");
	channel.inputs[1].from_ns = 10 * NS_PER_S;
	add(0, "1 2");
	add(1, "0");
	add(2, "3");
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_string_equal(keys(), "0 1 2 3");
	end();
}

static void test_idle(void **state)
{
	(void)state;
	begin("number", "reject");
	fake_host_option_number(&host, "idle", NS_PER_S / 2);
	channel.inputs[1].from_ns = 10 * NS_PER_S;
	add(0, "1 5");
	add(1, "3 6 8"); /* too late, and in time */
	add(2, "2 7");
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_true(host.now_ns >= 10 * NS_PER_S);
	assert_string_equal(keys(), "1 2 5 7 8");
	assert_int_equal(channel.n_rejected, 2);
	assert_string_equal(channel.rejections[0],
			    "it is out of order: its key is less than that of one that has gone out");
	end();
}

/* Who was passed over and speaks again is waited for as before. */
static void test_idle_inputs_that_speak_again(void **state)
{
	(void)state;
	begin("number", "fail");
	fake_host_option_number(&host, "idle", NS_PER_S / 2);
	channel.inputs[1].from_ns = channel.inputs[2].from_ns = 10 * NS_PER_S;
	add(0, "1");
	add(1, "4 5");
	add(2, "3 9"); /* heard first */
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_string_equal(keys(), "1 3 4 5 9");
	end();
}

/* ---- what does not fit ---- */

static void test_disorder(void **state)
{
	(void)state;
	begin("number", "reject");
	add(0, "3 1 4");
	add(1, "2 5");
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_string_equal(keys(), "2 3 4 5");
	assert_int_equal(channel.n_rejected, 1);
	end();

	begin("number", "fail");
	add(0, "3 1 4");
	add(1, "2 5");
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_FAILED);
	assert_string_equal(keys(), "2 3");
	assert_non_null(strstr(host.reason, "out of order"));
	fake_host_deinit(&host);
}

static void test_what_does_not_fit(void **state)
{
	static char large[5000], larger[70000];

	(void)state;
	begin("number", "reject");
	host.item_size_max = 60000;
	host.state_bytes = 4096;
	snprintf(large, sizeof(large), "{\"k\":3,\"x\":\"%04500d\"}", 0);
	snprintf(larger, sizeof(larger), "{\"k\":4,\"x\":\"%065000d\"}", 0);
	fake_channel_add(&channel, 0, "{\"k\":1}");
	fake_channel_add(&channel, 0, "{\"x\":1}");
	fake_channel_add(&channel, 0, "{\"k\":\"x\"}");
	fake_channel_add(&channel, 0, large);
	fake_channel_add(&channel, 0, larger);
	fake_channel_add(&channel, 0, "{\"k\":5}");
	add(1, "2 6"); /* so what is larger has to wait */
	assert_int_equal(fake_channel_run(&channel, &host), WEIR_CLOSED);
	assert_string_equal(keys(), "1 2 5 6");
	assert_int_equal(channel.n_rejected, 4);
	assert_string_equal(channel.rejections[0], "it has no key");
	assert_string_equal(channel.rejections[1], "its key is no number: say compare: text for texts");
	assert_string_equal(channel.rejections[2],
			    "it has to wait for other inputs, and is too large to be held: give the stage more state:");
	assert_string_equal(channel.rejections[3],
			    "it does not fit a lane: give the stage behind this one a larger lane:");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_inputs),
		cmocka_unit_test(test_no_items_at_all),
		cmocka_unit_test(test_against_a_sort),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_until_that_is_none),
		cmocka_unit_test(test_who_says_nothing_is_waited_for),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_idle_inputs_that_speak_again),
		cmocka_unit_test(test_disorder),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
