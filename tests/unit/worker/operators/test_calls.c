/* SPDX-License-Identifier: Apache-2.0 */
/* breaker and retry: what leaves by which output, when; switches; back-off, budget; and by chance, with kills, each item once. */
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
#include "worker/operators/mark.h"

#define START_NS (1000 * NS_PER_S)
enum { CALL, DONE, GIVEN_UP };

static void begin(struct fake_host *host)
{
	fake_host_init(host, &calls_operator_callbacks);
	fake_host_option_number(host, "timeout", 100 * NS_PER_MS);
	fake_host_option_string(host, "failed", ".error");
	fake_host_option_number(host, "open", 1000);
	host->n_outputs = 3;
	for (uint32_t i = 0; i < 3; i++)
		host->output_names[i] = UINT64_C(1) << i;
	host->now_ns = START_NS;
}

static void begin_breaker(struct fake_host *host)
{
	begin(host);
	fake_host_option_string(host, "target", ".to");
	fake_host_option_number(host, "share", 500000000);
	fake_host_option_number(host, "window", NS_PER_S);
	fake_host_option_number(host, "at_least", 4);
	fake_host_option_number(host, "open_for", NS_PER_S);
	fake_host_option_number(host, "probes", 2);
	assert_int_equal(fake_host_open(host), 0);
}

static void begin_retry(struct fake_host *host, int64_t attempts, uint64_t within_ns)
{
	begin(host);
	fake_host_option_number(host, "attempts", attempts);
	fake_host_option_number(host, "backoff", 40 * NS_PER_MS);
	fake_host_option_number(host, "backoff_max", 60 * NS_PER_MS);
	fake_host_option_number(host, "jitter", 1);
	fake_host_option_number(host, "budget", 1000);
	if (within_ns)
		fake_host_option_number(host, "within", (int64_t)within_ns);
	assert_int_equal(fake_host_open(host), 0);
}

/* A new item. Returns what process() says; its mark is host->set. */
static int ask(struct fake_host *host, const char *text)
{
	int r;

	host->pair_key = NULL;
	r = fake_host_process_item(host, text, strlen(text));
	fake_host_turn_end(host);
	return r;
}

static void take_mark(const struct fake_host *host, struct mark *ret_mark)
{
	memcpy(ret_mark, host->set, sizeof(*ret_mark));
}

static int answer(struct fake_host *host, const struct mark *mark, const char *text)
{
	int r;

	host->pair_key = "weir.fake";
	memcpy(host->pair, mark, sizeof(*mark));
	host->pair_bytes = sizeof(*mark);
	r = fake_host_process_item(host, text, strlen(text));
	fake_host_turn_end(host);
	return r;
}

static void pass_time(struct fake_host *host, uint64_t ms)
{
	for (; ms; ms--) {
		host->now_ns += NS_PER_MS;
		if (!host->watch_wake_ns || host->watch_wake_ns > host->now_ns)
			continue;
		host->watch_wake_ns = 0;
		assert_int_equal(fake_host_produce(host), 0);
		fake_host_turn_end(host);
	}
}

static void assert_last(const struct fake_host *host, uint64_t n_items, uint32_t output, const char *text)
{
	assert_int_equal(fake_host_items(host), n_items);
	assert_int_equal(host->outputs[n_items - 1], output);
	assert_true(fake_host_item_is(host, n_items - 1, text));
}

static void test_outcomes(void **state)
{
	struct fake_host host;
	struct mark mark, second;

	(void)state;
	begin_breaker(&host);
	assert_int_equal(ask(&host, "one"), WEIR_HELD);
	assert_last(&host, 1, CALL, "one");
	assert_string_equal(host.set_key, "weir.fake");
	take_mark(&host, &mark);
	assert_int_equal(ask(&host, "two"), WEIR_HELD);
	take_mark(&host, &second);
	assert_int_equal(answer(&host, &mark, "1"), WEIR_OK);
	assert_last(&host, 3, DONE, "1");
	assert_int_equal(host.n_settled, 1);
	assert_int_equal(answer(&host, &mark, "again"), WEIR_OK); /* nobody knows of it any more */
	assert_int_equal(fake_host_items(&host), 3);
	pass_time(&host, 99);
	assert_int_equal(fake_host_items(&host), 3);
	pass_time(&host, 1);
	assert_last(&host, 4, GIVEN_UP, "two");
	assert_int_equal(answer(&host, &second, "late"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 4);
	assert_int_equal(ask(&host, "three"), WEIR_HELD);
	take_mark(&host, &mark);
	assert_int_equal(answer(&host, &mark, "{\"error\":\"no\"}"), WEIR_OK);
	assert_last(&host, 6, GIVEN_UP, "three");
	for (unsigned i = 0; i < 2; i++) { /* no failures */
		assert_int_equal(ask(&host, "four"), WEIR_HELD);
		take_mark(&host, &mark);
		assert_int_equal(answer(&host, &mark, i ? "{\"error\":false}" : "{\"error\":null}"), WEIR_OK);
		assert_int_equal(host.outputs[fake_host_items(&host) - 1], DONE);
	}
	assert_int_equal(host.n_settled, 5);
	assert_int_equal(host.entries.n, 1); /* of the target */
	assert_int_equal(host.watch_wake_ns, 0);
	fake_host_deinit(&host);
}

/* Calls to a target, of which some fail; returns by which output the last item has left. */
static uint32_t call(struct fake_host *host, const char *to, bool good)
{
	struct mark mark;
	char text[64];

	snprintf(text, sizeof(text), "{\"to\":\"%s\"}", to);
	if (ask(host, text) == WEIR_HELD) {
		take_mark(host, &mark);
		assert_int_equal(answer(host, &mark, good ? "{}" : "{\"error\":1}"), WEIR_OK);
	}
	return host->outputs[fake_host_items(host) - 1];
}

static void test_switch(void **state)
{
	struct fake_host host;
	struct mark mark, probe;
	uint64_t n;

	(void)state;
	begin_breaker(&host);
	assert_int_equal(call(&host, "a", true), DONE);
	assert_int_equal(call(&host, "a", true), DONE);
	assert_int_equal(call(&host, "a", false), GIVEN_UP);
	assert_int_equal(call(&host, "a", false), GIVEN_UP); /* half of four are not more than half */
	pass_time(&host, 900);
	assert_int_equal(call(&host, "a", false), GIVEN_UP); /* 3 of 5 */
	n = fake_host_items(&host);
	assert_int_equal(call(&host, "a", true), GIVEN_UP);
	assert_int_equal(fake_host_items(&host), n + 1); /* it was not called */
	assert_int_equal(call(&host, "b", true), DONE);
	assert_int_equal(call(&host, "b", true), DONE);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	pass_time(&host, 999);
	assert_int_equal(call(&host, "a", true), GIVEN_UP);
	pass_time(&host, 1);
	assert_int_equal(call(&host, "a", false), GIVEN_UP); /* a probe */
	assert_int_equal(fake_host_items(&host), n + 8);
	assert_int_equal(call(&host, "a", true), GIVEN_UP); /* open anew */
	pass_time(&host, 1000);
	assert_int_equal(ask(&host, "{\"to\":\"a\"}"), WEIR_HELD);
	take_mark(&host, &probe);
	assert_int_equal(ask(&host, "{\"to\":\"a\"}"), WEIR_HELD);
	take_mark(&host, &mark);
	assert_int_equal(ask(&host, "{\"to\":\"a\"}"), WEIR_OK); /* two are under way */
	assert_int_equal(host.outputs[fake_host_items(&host) - 1], GIVEN_UP);
	assert_int_equal(answer(&host, &probe, "{}"), WEIR_OK);
	assert_int_equal(ask(&host, "{\"to\":\"a\"}"), WEIR_OK);
	assert_int_equal(answer(&host, &mark, "{}"), WEIR_OK);
	assert_int_equal(ask(&host, "{\"to\":\"a\"}"), WEIR_HELD); /* closed again */
	/* What has failed before the window does not count. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(call(&host, "c", false), GIVEN_UP);
	pass_time(&host, 1100);
	assert_int_equal(call(&host, "c", false), GIVEN_UP);
	assert_int_equal(call(&host, "c", true), DONE);
	fake_host_deinit(&host);
}

static void test_attempts(void **state)
{
	struct fake_host host;
	struct mark first, second;

	(void)state;
	begin_retry(&host, 3, 0);
	assert_int_equal(ask(&host, "x"), WEIR_HELD);
	take_mark(&host, &first);
	assert_int_equal(answer(&host, &first, "{\"error\":1}"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 1);
	pass_time(&host, 39);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_kill(&host); /* in its back-off */
	assert_int_equal(fake_host_open(&host), 0);
	pass_time(&host, 1);
	assert_last(&host, 2, CALL, "x");
	take_mark(&host, &second);
	assert_int_equal(second.number, first.number);
	assert_int_not_equal(second.reserved, first.reserved);
	assert_int_equal(answer(&host, &first, "{\"error\":1}"), WEIR_OK); /* to an attempt that has failed */
	pass_time(&host, 99);
	assert_int_equal(fake_host_items(&host), 2);
	pass_time(&host, 1 + 59); /* no answer; and twice 40 ms is more than backoff_max */
	assert_int_equal(fake_host_items(&host), 2);
	pass_time(&host, 1);
	assert_last(&host, 3, CALL, "x");
	pass_time(&host, 100);
	assert_last(&host, 4, GIVEN_UP, "x");
	assert_int_equal(host.n_settled, 1);
	assert_int_equal(host.entries.n, 0);
	/* A good answer counts whenever it comes. */
	assert_int_equal(ask(&host, "y"), WEIR_HELD);
	take_mark(&host, &first);
	pass_time(&host, 110);
	assert_int_equal(answer(&host, &first, "good"), WEIR_OK); /* in the back-off */
	assert_last(&host, 6, DONE, "good");
	pass_time(&host, 500);
	assert_int_equal(fake_host_items(&host), 6);
	fake_host_deinit(&host);
}

static void test_budgets(void **state)
{
	struct fake_host host;

	(void)state;
	begin_retry(&host, 2, 0);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(ask(&host, "x"), WEIR_HELD);
	pass_time(&host, 1000);
	assert_int_equal(fake_host_items(&host), 15 + 10 + 15); /* ten have been tried twice, and all have failed */
	fake_host_deinit(&host);
	begin_retry(&host, 100, 250 * NS_PER_MS);
	assert_int_equal(ask(&host, "x"), WEIR_HELD);
	pass_time(&host, 1000);
	assert_last(&host, 3, GIVEN_UP, "x"); /* begun at 0 and 140; the next would be at 300 */
	fake_host_deinit(&host);
}

static void test_bad_input(void **state)
{
	static char large[3000];
	struct fake_host host;
	char name[600];

	(void)state;
	begin_breaker(&host);
	host.state_bytes = 2048;
	memset(name, 'n', sizeof(name));
	memcpy(name, "{\"to\":\"", 7);
	snprintf(name + 590, 10, "\"}");
	assert_int_equal(ask(&host, name), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "the name of its target has "));
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(ask(&host, large), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "no room to keep it until it is answered"));
	assert_int_equal(host.entries.n, 0);
	assert_int_equal(host.watch_wake_ns, 0);
	host.item_size_max = 10;
	assert_int_equal(ask(&host, "more than ten bytes"), WEIR_REJECTED);
	assert_int_equal(host.entries.n, 0);
	host.item_size_max = 1000;
	assert_int_equal(ask(&host, "more than ten bytes"), WEIR_HELD);
	host.item_size_max = 10; /* of the lane to `fallback` */
	pass_time(&host, 100);
	assert_int_equal(host.n_given_up, 1);
	assert_string_equal(host.last_given_up, "more than ten bytes");
	fake_host_deinit(&host);
	begin(&host);
	host.options[2].number = 1; /* open */
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(ask(&host, "one"), WEIR_HELD);
	assert_int_equal(ask(&host, "two"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	/* No room: it is not slept for, for what comes back must be taken. */
	host.room = 0;
	pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 1);
	assert_true(host.watch_wake_ns > host.now_ns);
	host.room = 1;
	pass_time(&host, 1);
	assert_last(&host, 2, GIVEN_UP, "one");
	assert_int_equal(ask(&host, "two"), WEIR_HELD);
	fake_host_deinit(&host);
}

/* ---- by chance ---- */

#define ITEMS 200u

static void test_chance(void **state)
{
	struct mark marks[4096];
	unsigned n_asked = 0, n_calls = 0, left[ITEMS] = { 0 };
	struct fake_host host;

	(void)state;
	srand(3);
	begin_retry(&host, 3, 0);
	while (n_asked < ITEMS) {
		uint64_t before = fake_host_items(&host);
		char text[16];

		if (rand() % 3 == 0) {
			snprintf(text, sizeof(text), "%u", n_asked);
			host.pair_key = NULL;
			assert_int_equal(fake_host_process_item(&host, text, strlen(text)), WEIR_HELD);
			if (rand() % 4 == 0) { /* killed before its commit: it is given again */
				fake_host_kill(&host);
				assert_int_equal(fake_host_open(&host), 0);
				continue;
			}
			fake_host_turn_end(&host);
			n_asked++;
		} else if (n_calls && rand() % 3) {
			unsigned i = (unsigned)rand() % n_calls;

			snprintf(text, sizeof(text), rand() % 3 ? "%llu" : "{\"error\":%llu}",
				 (unsigned long long)marks[i].number - 1);
			(void)answer(&host, &marks[i], text);
		} else {
			pass_time(&host, 10);
		}
		if (rand() % 5 == 0) {
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
		}
		if (fake_host_items(&host) == before + 1 && host.outputs[before] == CALL && n_calls < 4096)
			take_mark(&host, &marks[n_calls++]);
	}
	pass_time(&host, 2000);
	for (uint64_t i = 0; i < fake_host_items(&host) && i < 1024; i++) {
		struct fake_item item = fake_host_item(&host, i);
		char text[16];

		snprintf(text, sizeof(text), "%.*s", (int)item.size_bytes, item.data);
		if (host.outputs[i] != CALL)
			left[atoi(text)]++;
	}
	assert_true(fake_host_items(&host) < 1024);
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(left[i], 1);
	assert_int_equal(host.n_settled, ITEMS);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes), cmocka_unit_test(test_switch),    cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_budgets),  cmocka_unit_test(test_bad_input), cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
