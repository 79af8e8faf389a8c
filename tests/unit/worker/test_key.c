/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: what is equal, what is missing, that lanes are used evenly, and that the numbers never change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/json.h"
#include "worker/key.h"

static struct key *make(const char *source)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct key *key = NULL;

	if (key_new(source, &key, &why) != 0)
		fail_msg("key(%s) %s", source, text_get(&why));
	return key;
}

/* The number of an item's key, in memory of its exact size; *ret_found: it has one. */
static uint64_t number(const struct key *key, const char *item, bool *ret_found)
{
	size_t n = strlen(item);
	char *exact = memcpy(malloc(n ? n : 1), item, n);
	uint64_t hash = 0;

	*ret_found = key_hash(key, exact, n, &hash);
	free(exact);
	return hash;
}

static bool same(const char *source, const char *a, const char *b)
{
	struct key *key = make(source);
	bool found_a, found_b, equal = number(key, a, &found_a) == number(key, b, &found_b);

	if (!found_a || !found_b)
		fail_msg("key(%s) is not in '%s' or not in '%s'", source, a, b);
	key_free(key);
	return equal;
}

static bool missing(const char *source, const char *item)
{
	struct key *key = make(source), *whole = make("item");
	bool found, found_empty;
	uint64_t hash = number(key, item, &found), empty = number(whole, "", &found_empty);

	if (!found && hash != empty)
		fail_msg("key(%s) is not in '%s', but not the empty key either", source, item);
	key_free(key);
	key_free(whole);
	return !found;
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(same("item", "abc", "abc"));
	assert_false(same("item", "abc", "abd"));
	assert_true(same("bytes(1, 2)", "xabz", "yab"));
	assert_false(same("bytes(1, 2)", "xab", "xac"));
	assert_true(same("field(2)", "a  k\tb", " x\tk"));
	assert_false(same("field(2)", "a k", "a kk"));
	assert_true(same("field(2, ';')", "a b;k;c", "x;k"));
	assert_true(same("field(2, ';')", "a;;c", "b;"));
	assert_true(same("field(1, ';')", "", ";"));
	assert_false(same("field(2, ' ')", "a  k", "a k"));
}

static void test_equal_json(void **state)
{
	(void)state;
	assert_true(same(".a", "{\"a\": 1, \"b\": 2}", "{\"b\":3,\"a\":1.0}"));
	assert_false(same(".a", "{\"a\": 1}", "{\"a\": \"1\"}"));
	assert_true(same(".a", "{\"a\": \"\\u0041\"}", " {\"a\": \"A\"} "));
	assert_true(same(".a", "{\"a\": {\"x\": 1, \"y\": [2]}}", "{\"a\": {\"y\":[2],\"x\":1}}"));
	assert_true(same(".a[1].\"b c\"", "{\"a\": [0, {\"b c\": true}]}", "{\"a\": [9, {\"b c\": true}, 7]}"));
	assert_true(same(".[-1]", "[1, 2, 3]", "[3]"));
	assert_false(same(".a", "{\"a\": \"\"}", "{\"a\": false}"));
}

static void test_missing(void **state)
{
	(void)state;
	assert_true(missing("bytes(1, 2)", "ab"));
	assert_true(missing("bytes(1073741824, 1073741824)", "ab"));
	assert_true(missing("field(2)", "a "));
	assert_true(missing("field(1)", " \t "));
	assert_true(missing("field(2, ',')", "a"));
	assert_false(missing("field(1, ',')", "a"));
	assert_true(missing(".a", "{\"b\": 1}"));
	assert_true(missing(".a", "{\"a\": null}"));
	assert_true(missing(".a", "[1]"));
	assert_true(missing(".a.b", "{\"a\": 1}"));
	assert_true(missing(".[3]", "[1]"));
	assert_true(missing(".[-2]", "[1]"));
	assert_true(missing(".a", ""));
	assert_true(missing(".a", "no JSON"));
	assert_true(missing(".a", "{\"a\": 1"));
	assert_true(missing(".a", "{\"a\": 1} {\"a\": 1}"));
	assert_true(missing(".a", "{\"a\": \"\xff\xfe"));
}

/* An item and what it is decoded to have the same key, spelled the same, or both have none. */
static void assert_decoded_alike(const char *source, const char *text)
{
	struct record_scratch scratch = { 0 };
	struct record_fault fault;
	struct key *key = make(source);
	unsigned char room[4096];
	char of_text[256], of_item[256];
	size_t size, n_text = 0, n_item = 0;
	uint64_t hash_text, hash_item;
	bool found;

	if (json_decode(&scratch, text, strlen(text), room, &size, &fault) != 0)
		fail_msg("%s: %s", text, fault.why);
	found = key_hash(key, text, strlen(text), &hash_text);
	if (key_hash(key, room, size, &hash_item) != found || hash_text != hash_item)
		fail_msg("key(%s) of %s is another one when it is decoded", source, text);
	assert_int_equal(key_text(key, text, strlen(text), of_text, sizeof(of_text), &n_text), found);
	assert_int_equal(key_text(key, room, size, of_item, sizeof(of_item), &n_item), found);
	assert_int_equal(n_text, n_item);
	assert_memory_equal(of_text, of_item, n_text < sizeof(of_text) ? n_text : sizeof(of_text));
	record_scratch_deinit(&scratch);
	key_free(key);
}

static void test_decoded(void **state)
{
	static const char *const values[] = { "1",
					      "-1",
					      "0",
					      "-0",
					      "1.0",
					      "0.1",
					      "1e100",
					      "4503599627370497.5",
					      "9007199254740993",
					      "18446744073709551615",
					      "-9223372036854775808",
					      "true",
					      "false",
					      "null",
					      "\"\"",
					      "\"ada\"",
					      "\"\\u00e4 \\\"q\\\" \\\\ \\n\\u0000\\u007f\"",
					      "[]",
					      "{}",
					      "[1,[2.5,\"x\"],{\"b\":null,\"a\":[true]}]",
					      "{\"z\":1,\"a\":{\"y\":2,\"b\":-3.25}}" };
	static const char *const paths[] = { ".a", ".a[1]", ".a.a", ".[0]", ".[-1].a", ".\"x y\".a", ".b" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
			snprintf(text, sizeof(text), "{\"x y\":{\"a\":%s},\"a\":[9],\"a\":%s}", values[i], values[i]);
			assert_decoded_alike(paths[p], text);
			snprintf(text, sizeof(text), "[%s,{\"a\":%s}]", values[i], values[i]);
			assert_decoded_alike(paths[p], text);
		}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "{\"a\":%.*g}", 1 + (int)(i % 17),
			 (double)(i * 7919) / (double)(1 + i % 97));
		assert_decoded_alike(".a", text);
	}
}

/* Cut off anywhere, or no msgpack at all: no key, and nothing is read behind its end. */
static void test_decoded_badly(void **state)
{
	static const char whole[] = "\x82\xa1"
				    "b\x92\x01\xa2xy\xa1"
				    "a\xa3"
				    "ada";
	struct key *key = make(".a");
	bool found;

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		char *exact = memcpy(malloc(n + 1), whole, n);
		uint64_t hash;

		assert_false(key_hash(key, exact, n, &hash));
		free(exact);
	}
	assert_true(number(key, whole, &found) == number(key, "{\"a\":\"ada\"}", &found));
	assert_true(found);
	assert_true(missing(".a", "\x81\xa1"
				  "a\xc1"));
	assert_true(missing(".a", "\x81\xa1"
				  "a\xc4\x01x"));
	assert_true(missing(".a", "\x81\xa1"
				  "a\xc0"));
	assert_true(missing(".a", "\x81\xa1"
				  "a\x01\x01"));
	assert_true(missing(".a[2]", "\x81\xa1"
				     "a\x92\x01\x02"));
	assert_true(missing(".a", "\xdd\xff\xff\xff\xff"));
	key_free(key);
}

/* A billion brackets must not reach the end of the stack. */
static void test_deep(void **state)
{
	struct key *key = make(".a");
	size_t n = 1 << 20;
	char *deep = malloc(n);
	uint64_t hash;

	(void)state;
	memset(deep, '[', n);
	assert_false(key_hash(key, deep, n, &hash));
	free(deep);
	key_free(key);
}

/* These numbers are a promise: another version of weir that chose other lanes would split what state stages have kept. */
static void test_numbers_stay(void **state)
{
	struct key *key = make("item");
	bool found;

	(void)state;
	assert_true(number(key, "", &found) == UINT64_C(0xefd01f60ba992926));
	assert_true(found);
	assert_true(number(key, "customer-4711", &found) == UINT64_C(0x72b09c51a8a6b618));
	key_free(key);
}

static void test_even(void **state)
{
	struct key *key = make("field(1)");
	unsigned counts[7] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 70000; i++) {
		char item[32];
		bool found;
		uint32_t lane;

		snprintf(item, sizeof(item), "user%u rest", i);
		lane = key_lane(number(key, item, &found), 7);
		assert_true(lane < 7);
		counts[lane]++;
	}
	for (unsigned i = 0; i < 7; i++)
		assert_in_range(counts[i], 9500, 10500);
	assert_int_equal(key_lane(UINT64_MAX, 64), 63);
	assert_int_equal(key_lane(0, 1), 0);
	key_free(key);
}

static void test_bad(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct key *key = NULL;

	(void)state;
	assert_int_equal(key_new("customer", &key, &why), -EINVAL);
	assert_non_null(strstr(text_get(&why), "expected item, bytes"));
	assert_null(key);
	key_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),         cmocka_unit_test(test_equal_json),
		cmocka_unit_test(test_missing),       cmocka_unit_test(test_decoded),
		cmocka_unit_test(test_decoded_badly), cmocka_unit_test(test_deep),
		cmocka_unit_test(test_numbers_stay),  cmocka_unit_test(test_even),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
