/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/flow/extension.h"
#include "common/flow/lane.h"

static const char *value_of(const struct extension *extension, const char *key)
{
	static char text[ITEM_BAGGAGE_SIZE_MAX + 1];
	const void *value;
	size_t n;

	if (!extension_get(extension, key, &value, &n))
		return NULL;
	memcpy(text, value, n);
	text[n] = '\0';
	return text;
}

static void test_pairs_are_set_replaced_and_removed(void **state)
{
	struct extension extension;

	(void)state;
	assert_int_equal(extension_read(&extension, NULL, 0), 0);
	assert_int_equal(extension_words(&extension), 0);
	assert_int_equal(extension_set(&extension, "tenant", "acme", 4), 0);
	assert_int_equal(extension_set(&extension, "trace", "0af7", 4), 0);
	assert_int_equal(extension_set(&extension, "empty", "", 0), 0);
	assert_int_equal(extension_set(&extension, "tenant", "somebody else", 13), 0);
	assert_string_equal(value_of(&extension, "tenant"), "somebody else");
	assert_string_equal(value_of(&extension, "trace"), "0af7");
	assert_string_equal(value_of(&extension, "empty"), "");
	assert_null(value_of(&extension, "ten"));
	assert_null(value_of(&extension, "tenants"));
	assert_int_equal(extension_set(&extension, "trace", NULL, 0), 0);
	assert_null(value_of(&extension, "trace"));
	assert_string_equal(value_of(&extension, "tenant"), "somebody else");
	assert_int_equal(extension_set(&extension, "trace", NULL, 0), 0);
	assert_int_equal(extension_set(&extension, "tenant", NULL, 0), 0);
	assert_int_equal(extension_set(&extension, "empty", NULL, 0), 0);
	assert_int_equal(extension_words(&extension), 0);
	/* a value that lies in the very bytes that move */
	assert_int_equal(extension_set(&extension, "a", "first", 5), 0);
	assert_int_equal(extension_set(&extension, "b", "second", 6), 0);
	{
		const void *value;
		size_t n;

		assert_true(extension_get(&extension, "b", &value, &n));
		assert_int_equal(extension_set(&extension, "a", value, n), 0);
	}
	assert_string_equal(value_of(&extension, "a"), "second");
	assert_string_equal(value_of(&extension, "b"), "second");
}

static void test_bounds(void **state)
{
	char long_key[EXTENSION_KEY_MAX + 2], value[ITEM_BAGGAGE_SIZE_MAX];
	const size_t head = sizeof(struct extension_pair);
	struct extension extension;

	(void)state;
	memset(long_key, 'k', sizeof(long_key));
	long_key[sizeof(long_key) - 1] = '\0';
	memset(value, 'v', sizeof(value));
	assert_int_equal(extension_read(&extension, NULL, 0), 0);
	assert_int_equal(extension_set(&extension, "", "x", 1), -EINVAL);
	assert_int_equal(extension_set(&extension, long_key, "x", 1), -EINVAL);
	assert_int_equal(extension_set(&extension, long_key + 1, "x", 1), 0);
	assert_int_equal(extension_set(&extension, long_key + 1, NULL, 0), 0);
	assert_int_equal(extension_set(&extension, "k", value, sizeof(value) - head), EXTENSION_E_TOO_LARGE);
	assert_int_equal(extension_set(&extension, "k", value, SIZE_MAX), EXTENSION_E_TOO_LARGE);
	assert_int_equal(extension_set(&extension, "k", value, sizeof(value) - head - 1), 0);
	assert_int_equal(extension_words(&extension), ITEM_EXTENSION_WORDS_MAX);
	assert_int_equal(extension_set(&extension, "l", "", 0), EXTENSION_E_TOO_LARGE);
	/* nothing has changed; to replace it frees its room */
	assert_int_equal(strlen(value_of(&extension, "k")), sizeof(value) - head - 1);
	assert_int_equal(extension_set(&extension, "k", "small", 5), 0);
	assert_int_equal(extension_set(&extension, "l", "", 0), 0);
}

static void test_goes_through_a_record(void **state)
{
	unsigned char words[ITEM_EXTENSION_SIZE_MAX];
	struct extension extension, again;

	(void)state;
	for (uint32_t n = 0; n < 40; n++) {
		char value[64] = { 0 };

		assert_int_equal(extension_read(&extension, NULL, 0), 0);
		extension.scope = UINT64_MAX - n;
		extension.deadline_ns = n;
		assert_int_equal(extension_set(&extension, "key", value, n), 0);
		memset(words, 0xff, sizeof(words));
		extension_write(&extension, extension_words(&extension), words);
		assert_int_equal(extension_read(&again, words, extension_words(&extension)), 0);
		assert_true(again.scope == extension.scope && again.deadline_ns == n);
		assert_int_equal(extension_words(&again), extension_words(&extension));
		assert_int_equal(again.baggage_bytes, extension.baggage_bytes);
		assert_memory_equal(again.baggage, extension.baggage, extension.baggage_bytes);
		/* of another length it is none */
		assert_int_equal(extension_read(&again, words, extension_words(&extension) + 1), LANE_E_BROKEN);
		if (extension_words(&extension) > ITEM_EXTENSION_WORDS_MIN)
			assert_int_equal(extension_read(&again, words, extension_words(&extension) - 1), LANE_E_BROKEN);
	}
	assert_int_equal(extension_read(&again, words, ITEM_EXTENSION_WORDS_MIN - 1), LANE_E_BROKEN);
	assert_int_equal(extension_read(&again, words, ITEM_EXTENSION_WORDS_MAX + 1), LANE_E_BROKEN);
}

/* Whatever a scribbler has written: an answer, and what is believed after it holds. */
static void test_nonsense(void **state)
{
	unsigned char words[ITEM_EXTENSION_SIZE_MAX];
	struct extension extension, good;
	unsigned n_good = 0;

	(void)state;
	srand(4711);
	assert_int_equal(extension_read(&good, NULL, 0), 0);
	assert_int_equal(extension_set(&good, "one", "1", 1), 0);
	assert_int_equal(extension_set(&good, "two", "22", 2), 0);
	for (int i = 0; i < 20000; i++) {
		uint32_t n_words = extension_words(&good), at = 0;
		const char *key;
		const void *value;
		size_t key_bytes, value_bytes, sum = 0;

		extension_write(&good, n_words, words);
		for (int j = rand() % 3; j >= 0; j--)
			words[(uint32_t)rand() % (n_words * ITEM_WORD_BYTES)] =
				(unsigned char)(rand() % 2 ? rand() : rand() % 8);
		if (extension_read(&extension, words, n_words) != 0)
			continue;
		n_good++;
		while (extension_next(&extension, &at, &key, &key_bytes, &value, &value_bytes)) {
			assert_in_range(key_bytes, 1, EXTENSION_KEY_MAX);
			sum += sizeof(struct extension_pair) + key_bytes + value_bytes;
		}
		assert_int_equal(sum, extension.baggage_bytes);
	}
	assert_in_range(n_good, 1, 19999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs_are_set_replaced_and_removed),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_goes_through_a_record),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
