/* SPDX-License-Identifier: Apache-2.0 */
/* The heads of a merge: how keys are read and compared, and that what is held is the same after any death. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/worker/fake_channel.h"
#include "worker/builtin.h"
#include "worker/operators/heads.h"

static struct fake_host host;
static struct heads heads;

static void begin(bool by_text)
{
	fake_host_init(&host, &merge_operator_callbacks);
	heads = (struct heads){ 0 };
	assert_int_equal(heads_init(&heads, &host.context, ".k", by_text), 0);
}

static void end(void)
{
	heads_deinit(&heads, &host.context);
	fake_host_deinit(&host);
}

/* The worker has died, after a commit or before; what is in memory is another's. */
static void die(bool committed)
{
	bool by_text = heads.by_text;

	if (committed)
		fake_host_commit(&host);
	fake_host_kill(&host);
	heads_deinit(&heads, &host.context);
	heads = (struct heads){ 0 };
	assert_int_equal(heads_init(&heads, &host.context, ".k", by_text), 0);
}

static struct weir_item item_of(const char *json)
{
	return (struct weir_item){ .data = json, .size_bytes = strlen(json), .accepted_ns = 7 };
}

static int hold(uint32_t input, const char *json)
{
	const struct weir_item item = item_of(json);

	assert_int_equal(heads_key_of(&heads, &host.context, &item, &heads.all[input].key), 0);
	return heads_put(&heads, &host.context, input, &item);
}

static void send(uint32_t input, const char *json)
{
	uint64_t n = fake_host_items(&host);

	assert_int_equal(heads_send(&heads, &host.context, input), 0);
	assert_int_equal(fake_host_items(&host), n + 1);
	assert_true(fake_host_item_is(&host, n, json));
}

/* ---- keys ---- */

static void test_numbers_that_are_said(void **state)
{
	static const struct {
		const char *text;
		double number;
	} said[] = { { "1e3", 1000 }, { "-5", -5 }, { "+.5", .5 }, { "007", 7 }, { "3.", 3 } };
	static const char *const none[] = {
		"", "x", " 1", "1 ", "0x10", "nan", "inf", "-inf", "1e999", "1,5", ".", "-"
	};
	struct head_key key = { 0 };

	(void)state;
	begin(false);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		assert_true(heads_read_key(&heads, said[i].text, &key));
		assert_true(key.number == said[i].number);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(heads_read_key(&heads, none[i], &key));
	head_key_deinit(&key);
	end();
}

/* Of two texts in JSON, by what they say. */
static int compare(const char *one, const char *other)
{
	const struct weir_item items[2] = { item_of(one), item_of(other) };
	struct head_key keys[2] = { 0 };
	int order, reverse;

	for (int i = 0; i < 2; i++)
		assert_int_equal(heads_key_of(&heads, &host.context, &items[i], &keys[i]), 0);
	order = heads_compare(&heads, &keys[0], &keys[1]);
	order = (order > 0) - (order < 0);
	reverse = heads_compare(&heads, &keys[1], &keys[0]);
	assert_int_equal((reverse > 0) - (reverse < 0), -order);
	head_key_deinit(&keys[0]);
	head_key_deinit(&keys[1]);
	return order;
}

static void test_texts(void **state)
{
	(void)state;
	begin(true);
	assert_int_equal(compare("{\"k\":\"a\"}", "{\"k\":\"a\"}"), 0);
	assert_int_equal(compare("{\"k\":\"\"}", "{\"k\":\"a\"}"), -1);
	assert_int_equal(compare("{\"k\":\"a\"}", "{\"k\":\"ab\"}"), -1);
	assert_int_equal(compare("{\"k\":\"Z\"}", "{\"k\":\"a\"}"), -1);
	assert_int_equal(compare("{\"k\":\"10\"}", "{\"k\":\"9\"}"), -1);
	assert_int_equal(compare("{\"k\":\"\\u00e4\"}", "{\"k\":\"z\"}"), 1); /* by bytes, which are not signed */
	assert_int_equal(compare("{\"k\":\"\\u0061\"}", "{\"k\":\"a\"}"), 0); /* one text in two spellings */
	assert_int_equal(compare("{\"k\":\"a\\\"\"}", "{\"k\":\"a#\"}"), -1);
	assert_int_equal(compare("{\"k\":12}", "{\"k\":\"12\"}"), 0);
	end();
}

static void test_what_has_no_key(void **state)
{
	struct head_key key = { 0 };
	struct weir_item item = item_of("{\"x\":1}");

	(void)state;
	begin(false);
	assert_int_equal(heads_key_of(&heads, &host.context, &item, &key), -ENOENT);
	item = item_of("{\"k\":\"x\"}");
	assert_int_equal(heads_key_of(&heads, &host.context, &item, &key), -EINVAL);
	item = item_of("{\"k\":-2.5}");
	assert_int_equal(heads_key_of(&heads, &host.context, &item, &key), 0);
	assert_true(key.number == -2.5);
	head_key_deinit(&key);
	end();
}

/* ---- which is the least ---- */

static void test_the_least(void **state)
{
	(void)state;
	begin(false);
	assert_int_equal(heads_least(&heads), HEADS_MAX);
	assert_int_equal(hold(3, "{\"k\":5}"), 0);
	assert_int_equal(heads_least(&heads), 3);
	assert_int_equal(hold(HEADS_MAX - 1, "{\"k\":4}"), 0);
	assert_int_equal(heads_least(&heads), HEADS_MAX - 1);
	assert_int_equal(hold(1, "{\"k\":4.0}"), 0); /* equal: the first of them */
	assert_int_equal(heads_least(&heads), 1);
	send(1, "{\"k\":4.0}");
	assert_int_equal(heads_least(&heads), HEADS_MAX - 1);
	end();
}

/* ---- deaths ---- */

static void test_what_is_held_outlives_its_worker(void **state)
{
	(void)state;
	begin(true);
	host.shows_baggage = true;
	strcpy(host.baggage, "bag");
	assert_int_equal(hold(0, "{\"k\":\"b\"}"), 0);
	strcpy(host.baggage, "");
	assert_int_equal(hold(2, "{\"k\":\"a\"}"), 0);
	die(true);
	assert_true(heads.all[0].is_there && !heads.all[1].is_there && heads.all[2].is_there);
	assert_int_equal(heads.all[0].accepted_ns, 7);
	assert_false(heads.has_last);
	assert_int_equal(heads_least(&heads), 2); /* their keys are read again */
	send(2, ":{\"k\":\"a\"}");
	die(false); /* before the commit: it never went out */
	assert_int_equal(fake_host_items(&host), 0);
	assert_int_equal(heads_least(&heads), 2);
	assert_false(heads.has_last);
	send(2, ":{\"k\":\"a\"}");
	die(true);
	assert_true(heads.has_last);
	assert_int_equal(heads.last.text_bytes, 1);
	assert_memory_equal(heads.last.text.data, "a", 1);
	assert_false(heads.all[2].is_there);
	assert_int_equal(heads_least(&heads), 0);
	send(0, "bag:{\"k\":\"b\"}"); /* with its own baggage */
	die(true);
	assert_int_equal(heads_least(&heads), HEADS_MAX);
	assert_memory_equal(heads.last.text.data, "b", 1);
	assert_int_equal(host.n_settled, 2);
	end();
}

static void test_the_last_number_outlives_its_worker(void **state)
{
	struct head_key key = { .number = -0.125 };

	(void)state;
	begin(false);
	assert_int_equal(heads_note_last(&heads, &host.context, &key), 0);
	die(true);
	assert_true(heads.has_last && heads.last.number == -0.125);
	end();
}

static void test_no_room(void **state)
{
	char large[300];

	(void)state;
	begin(false);
	host.state_bytes = 256;
	strcpy(large, "{\"k\":1,\"x\":\"");
	memset(large + strlen(large), 'x', sizeof(large) - 12);
	strcpy(large + sizeof(large) - 3, "\"}");
	assert_int_equal(hold(0, large), WEIR_FULL);
	assert_false(heads.all[0].is_there);
	assert_int_equal(hold(0, "{\"k\":2}"), 0); /* a smaller one has it */
	die(true);
	assert_true(heads.all[0].is_there && heads.all[0].key.number == 2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_that_are_said),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_what_has_no_key),
		cmocka_unit_test(test_the_least),
		cmocka_unit_test(test_what_is_held_outlives_its_worker),
		cmocka_unit_test(test_the_last_number_outlives_its_worker),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
