/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of every layout, through additions, removals and halving; and the names of their items. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sinks/http_batch.h"

static struct http_batch batch, other;

static void begin(enum http_layout layout)
{
	http_batch_clear(&batch, layout);
	http_batch_clear(&other, layout);
}

static void end(void)
{
	http_batch_deinit(&batch);
	http_batch_deinit(&other);
}

static void add_as(uint32_t producer, uint64_t sequence, uint64_t part, const char *text)
{
	struct http_item item = { .token = sequence,
				  .identity = { .run = 7, .producer = producer, .sequence = sequence, .part = part } };
	size_t expected = http_batch_bytes_with(&batch, strlen(text));

	http_batch_add(&batch, &item, text, strlen(text));
	assert_int_equal(batch.body_bytes, expected);
}

static void add(uint64_t sequence, const char *text)
{
	add_as(1, sequence, 0, text);
}

static void assert_body(const struct http_batch *which, const char *text)
{
	assert_int_equal(which->body_bytes, strlen(text));
	if (which->body_bytes)
		assert_memory_equal(which->body.data, text, strlen(text));
	for (uint32_t i = 0; i < which->n; i++)
		assert_true(which->items[i].offset + which->items[i].size_bytes <= which->body_bytes);
}

static void assert_list(const struct http_batch *which, const char *list)
{
	struct text text = TEXT_NULL;

	http_batch_list(which, &text);
	assert_string_equal(text_get(&text), list);
	assert_true(text.length <= which->list_bytes_max);
	text_deinit(&text);
}

static void test_layouts(void **state)
{
	static const char *const bodies[] = { "12{}3", "12\n{}\n\n3\n", "[12,{},,3]", "12{}3" };

	(void)state;
	for (unsigned layout = 0; layout < 4; layout++) {
		begin((enum http_layout)layout);
		assert_body(&batch, "");
		add(1, "12");
		add(2, "{}");
		add(3, "");
		add(4, "3");
		assert_body(&batch, bodies[layout]);
	}
	end();
}

static void test_removal(void **state)
{
	(void)state;
	begin(HTTP_LAYOUT_ARRAY);
	for (uint64_t i = 1; i <= 4; i++)
		add(i, (const char *[]){ "1", "22", "333", "4444" }[i - 1]);
	http_batch_remove(&batch, 1);
	assert_body(&batch, "[1,333,4444]");
	http_batch_remove(&batch, 0);
	assert_body(&batch, "[333,4444]");
	assert_int_equal(batch.items[0].token, 3);
	assert_memory_equal((char *)batch.body.data + batch.items[1].offset, "4444", 4);
	http_batch_remove(&batch, 1);
	assert_body(&batch, "[333]");
	http_batch_remove(&batch, 0);
	assert_body(&batch, "");
	add(5, "5");
	assert_body(&batch, "[5]");
	begin(HTTP_LAYOUT_LINES);
	add(1, "a");
	add(2, "bb");
	add(3, "ccc");
	http_batch_remove(&batch, 1);
	assert_body(&batch, "a\nccc\n");
	assert_list(&batch, "7-1-0:1,3");
	end();
}

static void test_halves(void **state)
{
	(void)state;
	begin(HTTP_LAYOUT_ARRAY);
	for (uint64_t i = 10; i < 15; i++)
		add(i, (const char *[]){ "1", "22", "333", "4444", "55555" }[i - 10]);
	http_batch_halve(&batch, &other);
	assert_body(&batch, "[1,22]");
	assert_body(&other, "[333,4444,55555]");
	assert_list(&batch, "7-1-0:10+1");
	assert_list(&other, "7-1-0:12+2");
	add(20, "6");
	assert_body(&batch, "[1,22,6]");
	begin(HTTP_LAYOUT_LINES);
	add(1, "a");
	add(2, "b");
	http_batch_halve(&batch, &other);
	assert_body(&batch, "a\n");
	assert_body(&other, "b\n");
	assert_int_equal(other.items[0].token, 2);
	end();
}

static void test_names(void **state)
{
	(void)state;
	begin(HTTP_LAYOUT_LINES);
	add(9, "a");
	assert_list(&batch, "7-1-0:9");
	add(10, "b");
	add(11, "c");
	add(13, "d");
	add_as(2, 14, 0, "e");
	add_as(2, 15, 0, "f");
	add_as(2, 16, 3, "g"); /* letters that had no name of their own */
	add_as(2, 17, 4, "h");
	add_as(1, 18, 0, "i");
	assert_list(&batch, "7-1-0:9+2,13;7-2-0:14+1,16.3,17.4;7-1-0:18");
	end();
}

static void key_of(const struct http_batch *which, char *key, size_t size)
{
	struct text text = TEXT_NULL;

	http_batch_key(which, "p.s.", &text);
	snprintf(key, size, "%s", text_get(&text));
	text_deinit(&text);
}

/* The same for the same items in the same order, whatever they have been with; and for no others. */
static void test_keys(void **state)
{
	char one[100], two[100], three[100];

	(void)state;
	begin(HTTP_LAYOUT_LINES);
	add(9, "a");
	key_of(&batch, one, sizeof(one));
	assert_string_equal(one, "p.s.7-1-0:9");
	add(10, "b");
	add(11, "c");
	key_of(&batch, two, sizeof(two));
	assert_memory_equal(two, "p.s.7-1-0:9/3-", 14);
	http_batch_remove(&batch, 1);
	add(12, "d");
	key_of(&batch, three, sizeof(three));
	assert_memory_equal(three, "p.s.7-1-0:9/3-", 14);
	assert_string_not_equal(two, three);
	begin(HTTP_LAYOUT_ARRAY);
	add(9, "another text");
	add(10, "of the same");
	add(11, "items");
	key_of(&batch, three, sizeof(three));
	assert_string_equal(two, three);
	end();
}

/* The bound holds whatever comes, and is close for what is dealt to two workers in turn. */
static void test_bound(void **state)
{
	struct text text = TEXT_NULL;

	(void)state;
	begin(HTTP_LAYOUT_LINES);
	for (uint64_t i = 0; i < 200; i++)
		add(100000 + 2 * i, "x");
	http_batch_list(&batch, &text);
	assert_true(text.length <= batch.list_bytes_max && batch.list_bytes_max < text.length + 20);
	text_clear(&text);
	srand(1);
	begin(HTTP_LAYOUT_LINES);
	for (uint64_t i = 0, sequence = 0; i < 500; i++) {
		sequence += 1 + (rand() % 3 == 0 ? (uint64_t)rand() : 0);
		add_as((uint32_t)(rand() % 8 == 0), sequence, rand() % 9 ? 0 : 1, "x");
		if (rand() % 5 == 0)
			http_batch_remove(&batch, (uint32_t)rand() % batch.n);
		text_clear(&text);
		http_batch_list(&batch, &text);
		assert_true(text.length <= batch.list_bytes_max);
	}
	text_deinit(&text);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts), cmocka_unit_test(test_removal), cmocka_unit_test(test_halves),
		cmocka_unit_test(test_names),   cmocka_unit_test(test_keys),    cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
