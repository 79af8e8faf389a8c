/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "worker/sinks/item_set.h"

static struct weir_identity item(uint32_t producer, uint64_t sequence)
{
	return (struct weir_identity){ .run = 7, .producer = producer, .sequence = sequence };
}

static void add(struct item_set *set, uint32_t producer, uint64_t sequence)
{
	const struct weir_identity identity = item(producer, sequence);

	item_set_add(set, &identity);
}

static bool has(const struct item_set *set, uint32_t producer, uint64_t sequence)
{
	const struct weir_identity identity = item(producer, sequence);

	return item_set_has(set, &identity);
}

static void test_what_follows_is_one_span(void **state)
{
	struct item_set set = { 0 };

	(void)state;
	for (uint64_t i = 10; i < 20; i++)
		add(&set, 1, i);
	assert_int_equal(set.n, 1);
	add(&set, 2, 20);
	add(&set, 1, 30);
	assert_int_equal(set.n, 3);
	assert_false(has(&set, 1, 9));
	assert_true(has(&set, 1, 10));
	assert_true(has(&set, 1, 19));
	assert_false(has(&set, 1, 20));
	assert_true(has(&set, 2, 20));
	assert_false(has(&set, 2, 10));
	item_set_deinit(&set);
}

/* Whatever an item is told from others by counts. */
static void test_each_part_of_an_identity_counts(void **state)
{
	const struct weir_identity one = item(1, 5);
	struct item_set set = { 0 };
	struct weir_identity other;

	(void)state;
	item_set_add(&set, &one);
	other = one, other.run++;
	assert_false(item_set_has(&set, &other));
	other = one, other.part++;
	assert_false(item_set_has(&set, &other));
	other = one, other.producer++;
	assert_false(item_set_has(&set, &other));
	other = one, other.input = WEIR_IDENTITY_LETTER;
	assert_false(item_set_has(&set, &other));
	other = one, other.sequence++;
	assert_false(item_set_has(&set, &other));
	assert_true(item_set_has(&set, &one));
	item_set_deinit(&set);
}

/* Every order in which ten items may leave, seen from both ends and the middle. */
static void test_remove(void **state)
{
	(void)state;
	for (uint64_t first = 0; first < 10; first++)
		for (uint64_t step = 1; step < 10; step += 2) { /* coprime to ten, but for 5 */
			struct item_set set = { 0 };
			bool gone[10] = { false };

			for (uint64_t i = 0; i < 10; i++)
				add(&set, 1, i);
			for (uint64_t n = 0, at = first; n < 10; n++, at = (at + step) % 10) {
				const struct weir_identity identity = item(1, at);

				item_set_remove(&set, &identity);
				gone[at] = true;
				for (uint64_t i = 0; i < 10; i++)
					assert_int_equal(has(&set, 1, i), !gone[i]);
			}
			if (step != 5)
				assert_int_equal(set.n, 0);
			item_set_deinit(&set);
		}
}

static void test_bytes(void **state)
{
	struct item_set set = { 0 }, again = { 0 };
	size_t size_bytes;
	const void *bytes;

	(void)state;
	for (uint64_t i = 0; i < 100; i += 3)
		add(&set, (uint32_t)i % 2, i);
	bytes = item_set_bytes(&set, &size_bytes);
	assert_int_equal(item_set_read(&again, bytes, size_bytes), 0);
	for (uint64_t i = 0; i < 100; i++)
		for (uint32_t producer = 0; producer < 2; producer++)
			assert_int_equal(has(&again, producer, i), has(&set, producer, i));
	assert_int_equal(item_set_read(&again, bytes, size_bytes - 1), -EBADMSG);
	assert_int_equal(again.n, set.n);
	assert_int_equal(item_set_read(&again, NULL, 0), 0);
	item_set_deinit(&set);
	item_set_deinit(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_follows_is_one_span),
		cmocka_unit_test(test_each_part_of_an_identity_counts),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
