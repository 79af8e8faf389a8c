/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: when they end, what they look like, what becomes of bad items, and that a kill changes nothing. */
#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"
#include <weir/record.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct fake_host *host, const char *text, int64_t count, int64_t bytes, int64_t age_ns)
{
	fake_host_init(host, &batch_operator_callbacks);
	fake_host_option_string(host, "text", text);
	if (count)
		fake_host_option_number(host, "count", count);
	if (bytes)
		fake_host_option_number(host, "bytes", bytes);
	if (age_ns)
		fake_host_option_number(host, "age", age_ns);
	host->now_ns = 100 * NS_PER_S;
	assert_int_equal(fake_host_open(host), 0);
}

static int give(struct fake_host *host, const char *text)
{
	return fake_host_process_item(host, text, strlen(text));
}

static void test_a_batch_ends_with_its_count(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "json", 3, 0, 0);
	assert_int_equal(give(&host, "1"), WEIR_HELD);
	assert_int_equal(give(&host, " {\"a\":2}"), WEIR_HELD);
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(give(&host, "[3]"), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "[1, {\"a\":2},[3]]"));
	assert_int_equal(host.n_settled, 2); /* the third was in hand */
	assert_int_equal(give(&host, "4"), WEIR_HELD);
	assert_int_equal(fake_host_finish(&host), 0);
	assert_true(fake_host_item_is(&host, 1, "[4]"));
	assert_int_equal(host.n_settled, 3);
	assert_int_equal(fake_host_finish(&host), 0);
	assert_int_equal(fake_host_items(&host), 2);
	fake_host_deinit(&host);
}

static void test_a_batch_is_never_larger_than_it_may_be(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "json", 0, 9, 0);
	assert_int_equal(give(&host, "123"), WEIR_HELD);
	assert_int_equal(give(&host, "456"), WEIR_HELD); /* [123,456] */
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(give(&host, "7"), WEIR_HELD);
	assert_true(fake_host_item_is(&host, 0, "[123,456]"));
	assert_int_equal(give(&host, "1234567"), WEIR_HELD);
	assert_true(fake_host_item_is(&host, 1, "[7]"));
	assert_int_equal(give(&host, "12345678"), WEIR_REJECTED);
	assert_string_equal(host.reason, "as an array of one it is larger than bytes, or than the lane takes");
	assert_int_equal(fake_host_finish(&host), 0);
	assert_true(fake_host_item_is(&host, 2, "[1234567]"));
	fake_host_deinit(&host);
}

static void test_a_batch_ends_with_its_age(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "lines", 0, 0, NS_PER_S);
	assert_int_equal(give(&host, "a"), WEIR_HELD);
	assert_int_equal(host.watch_wake_ns, 101 * NS_PER_S);
	host.now_ns += NS_PER_S / 2;
	assert_int_equal(give(&host, "b"), WEIR_HELD);
	assert_int_equal(fake_host_produce(&host), 0); /* too early */
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(host.watch_wake_ns, 101 * NS_PER_S);
	host.now_ns = 101 * NS_PER_S;
	host.room = 0;
	assert_int_equal(fake_host_produce(&host), WEIR_MORE);
	assert_int_equal(host.n_settled, 0);
	host.room = UINT64_MAX;
	assert_int_equal(fake_host_produce(&host), 0);
	assert_true(fake_host_item_is(&host, 0, "a\nb"));
	assert_int_equal(host.n_settled, 2);
	host.now_ns += 5 * NS_PER_S;
	assert_int_equal(give(&host, "c"), WEIR_HELD);
	assert_int_equal(host.watch_wake_ns, 107 * NS_PER_S); /* from its own first item */
	fake_host_deinit(&host);
}

static void test_what_waits_goes_with_the_run(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "json", 10, 0, 0);
	assert_int_equal(give(&host, "1"), WEIR_HELD);
	assert_int_equal(fake_host_end_run(&host), 0);
	assert_true(fake_host_item_is(&host, 0, "[1]"));
	assert_int_equal(fake_host_end_run(&host), 0);
	assert_int_equal(fake_host_items(&host), 1);
	fake_host_deinit(&host);
}

static void test_shapes(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "strings", 2, 0, 0);
	assert_int_equal(give(&host, "a \"b\"\\"), WEIR_HELD);
	assert_int_equal(give(&host, ""), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "[\"a \\\"b\\\"\\\\\",\"\"]"));
	assert_int_equal(give(&host, "\xff"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "it can't be a string of JSON: "));
	fake_host_deinit(&host);

	begin(&host, "lines", 3, 0, 0);
	assert_int_equal(give(&host, ""), WEIR_HELD);
	assert_int_equal(give(&host, "a\nb"), WEIR_REJECTED);
	assert_int_equal(give(&host, ""), WEIR_HELD);
	assert_int_equal(give(&host, "x"), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "\n\nx"));
	fake_host_deinit(&host);

	/* Structured ones, {"a":1} in msgpack, and text between them: each batch is of one kind. */
	begin(&host, "json", 3, 0, 0);
	assert_int_equal(give(&host, "\x81\xa1"
				     "a\x01"),
			 WEIR_HELD);
	assert_int_equal(give(&host, "\x81\xa1"
				     "a\x02"),
			 WEIR_HELD);
	assert_int_equal(give(&host, "5"), WEIR_HELD);
	assert_true(fake_host_item_is(&host, 0,
				      "\x92\x81\xa1"
				      "a\x01\x81\xa1"
				      "a\x02"));
	assert_int_equal(give(&host, "\x91\x07"), WEIR_HELD);
	assert_true(fake_host_item_is(&host, 1, "[5]"));
	/* Cut off: not structured then, and no JSON either. */
	assert_int_equal(give(&host, "\x92\x07"), WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "it is no JSON, as text: json wants: "));
	assert_int_equal(give(&host, "  "), WEIR_REJECTED);
	assert_int_equal(fake_host_finish(&host), 0);
	assert_true(fake_host_item_is(&host, 2, "\x91\x91\x07"));
	fake_host_deinit(&host);
}

static void test_structured_and_broken(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "json", 2, 0, 0);
	fake_host_option_number(&host, "from.form", WEIR_FORM_STRUCTURED);
	fake_host_close(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(give(&host, "\x07"), WEIR_HELD); /* any value is one */
	assert_int_equal(give(&host, "\x92\x07"), WEIR_REJECTED);
	assert_string_equal(host.reason, "it is no msgpack value");
	assert_int_equal(give(&host, "\x08\x09"), WEIR_REJECTED);
	assert_int_equal(give(&host, "\xa1x"), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "\x92\x07\xa1x"));
	fake_host_deinit(&host);
}

/* The heads of arrays: one byte up to 15 elements, three up to 65535, then five. */
static void test_long_arrays(void **state)
{
	static const struct {
		unsigned n;
		size_t head_bytes;
		unsigned char head[5];
	} cases[] = {
		{ 15, 1, { 0x9f } },
		{ 16, 3, { 0xdc, 0, 16 } },
		{ 300, 3, { 0xdc, 1, 44 } },
		{ 65535, 3, { 0xdc, 255, 255 } },
		{ 65536, 5, { 0xdd, 0, 1, 0, 0 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_host host;
		struct fake_item item;

		begin(&host, "json", cases[i].n, 0, 0);
		host.item_size_max = 1 << 20;
		fake_host_close(&host);
		assert_int_equal(fake_host_open(&host), 0);
		for (unsigned n = 1; n <= cases[i].n; n++)
			assert_int_equal(give(&host, "\x91\x07"), n < cases[i].n ? WEIR_HELD : WEIR_OK);
		item = fake_host_item(&host, 0);
		assert_int_equal(item.size_bytes, cases[i].head_bytes + 2 * (size_t)cases[i].n);
		assert_memory_equal(item.data, cases[i].head, cases[i].head_bytes);
		fake_host_deinit(&host);
	}
}

/* Turns and kills at random: what comes out is cut as if nobody had died. */
static void test_kills(void **state)
{
	struct fake_host host;
	unsigned n_given = 0, n_kills = 0, committed = 0;
	uint64_t n_batches;

	(void)state;
	srand(1);
	begin(&host, "json", 7, 0, 0);
	while (committed < 3000) {
		unsigned n = (unsigned)rand() % 12;
		char text[16];

		for (n_given = committed; n_given < committed + n; n_given++) {
			snprintf(text, sizeof(text), "%u", n_given);
			assert_int_equal(give(&host, text), n_given % 7 == 6 ? WEIR_OK : WEIR_HELD);
		}
		if (rand() % 3 == 0) { /* before flush(), or between it and the commit */
			if (rand() % 2)
				assert_int_equal(fake_host_flush(&host), 0);
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
			n_kills++;
		} else {
			assert_int_equal(fake_host_turn_end(&host), 0);
			committed = n_given;
		}
	}
	assert_true(n_kills > 100);
	n_batches = fake_host_items(&host);
	assert_int_equal(n_batches, committed / 7);
	for (uint64_t i = 0; i < n_batches; i++) {
		char text[128];
		unsigned first = (unsigned)i * 7;

		snprintf(text, sizeof(text), "[%u,%u,%u,%u,%u,%u,%u]", first, first + 1, first + 2, first + 3,
			 first + 4, first + 5, first + 6);
		assert_true(fake_host_item_is(&host, i, text));
	}
	assert_int_equal(host.n_settled, n_batches * 6);
	fake_host_deinit(&host);
}

/* The age goes on through a kill: it is the first item's, not the worker's. */
static void test_a_kill_does_not_begin_the_age_anew(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "json", 0, 0, NS_PER_S);
	assert_int_equal(give(&host, "1"), WEIR_HELD);
	assert_int_equal(fake_host_turn_end(&host), 0);
	host.now_ns += NS_PER_S / 2;
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(host.watch_wake_ns, 101 * NS_PER_S);
	host.now_ns = 101 * NS_PER_S;
	assert_int_equal(fake_host_produce(&host), 0);
	assert_true(fake_host_item_is(&host, 0, "[1]"));
	fake_host_deinit(&host);
}

/* An emit that is given up leaves the batch as it was: the item in hand has not come into it. */
static void test_an_emit_given_up(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "json", 3, 0, 0);
	assert_int_equal(give(&host, "1"), WEIR_HELD);
	assert_int_equal(give(&host, "2"), WEIR_HELD);
	host.cancelled = true;
	assert_int_equal(give(&host, "3"), WEIR_CANCELLED);
	host.cancelled = false;
	assert_int_equal(give(&host, "4"), WEIR_OK);
	assert_true(fake_host_item_is(&host, 0, "[1,2,4]"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_batch_ends_with_its_count),
		cmocka_unit_test(test_a_batch_is_never_larger_than_it_may_be),
		cmocka_unit_test(test_a_batch_ends_with_its_age),
		cmocka_unit_test(test_what_waits_goes_with_the_run),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_structured_and_broken),
		cmocka_unit_test(test_long_arrays),
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_a_kill_does_not_begin_the_age_anew),
		cmocka_unit_test(test_an_emit_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
