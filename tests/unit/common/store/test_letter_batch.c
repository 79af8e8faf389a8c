/* SPDX-License-Identifier: Apache-2.0 */
/* Letters that are in a store together or not at all. */
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/store/letter_batch.h"
#include "common/store/letter_store_priv.h"
#include "tests/unit/common/store/letters.h"

static size_t n_transactions(const struct letter_store *store)
{
	MDB_envinfo info;

	assert_int_equal(mdb_env_info(store->env, &info), 0);
	return info.me_last_txnid;
}

static void add(struct letter_batch *batch, uint64_t sequence, const char *payload)
{
	struct dead_letter letter = letters_letter(0, sequence, payload);

	assert_int_equal(letter_batch_add(batch, &letter), 0);
}

static void test_one_transaction(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 0);
	struct letter_batch batch = { 0 };
	char payload[] = "b";
	size_t before;

	(void)state;
	letters_put(store, 0, 2, "before");
	before = n_transactions(store);
	assert_int_equal(letter_store_put_all(store, &batch), 0); /* of none, none */
	assert_int_equal(n_transactions(store), before);
	add(&batch, 1, "a");
	add(&batch, 2, payload);
	payload[0] = 'x'; /* is the batch's own */
	add(&batch, 3, "c");
	add(&batch, 1, "a again"); /* the same item, twice in one */
	assert_int_equal(batch.n, 4);
	assert_true(batch.size_bytes > 4);
	assert_int_equal(letter_store_put_all(store, &batch), 0);
	assert_int_equal(n_transactions(store), before + 1);
	letters_assert_listing(store, "1:b 2:a again 3:c ");
	letter_batch_deinit(&batch);
	assert_int_equal(batch.n, 0);

	/* And may be used again, beyond the room that it begins with. */
	for (uint64_t i = 0; i < 100; i++)
		add(&batch, 100 + i, "more");
	assert_int_equal(letter_store_put_all(store, &batch), 0);
	assert_int_equal(n_transactions(store), before + 2);
	letter_batch_deinit(&batch);
	letter_store_close(store);
	store = letters_open(LETTER_STORE_READ, 0); /* it is durable, or at least in the file */
	for (uint64_t id = 4; id < 104; id++) {
		struct letters_listing listing = { 0 };

		assert_int_equal(letter_store_get(store, id, letters_list, &listing), 0);
		text_deinit(&listing.text);
	}
	letter_store_close(store);
}

static void test_all_or_none(void **state)
{
	struct letter_store *store = letters_open(LETTER_STORE_WRITE, 1u << 20);
	struct letter_batch batch = { 0 };
	char *big = calloc(1, (1u << 20) + 1);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 1u << 20);
	letters_put(store, 0, 1, "before");
	add(&batch, 1, "replaced");
	add(&batch, 2, "fits");
	add(&batch, 3, big);
	assert_int_equal(letter_store_put_all(store, &batch), LETTER_STORE_E_FULL);
	letters_assert_listing(store, "1:before ");
	assert_int_equal(batch.n, 3);
	letter_batch_deinit(&batch);
	assert_int_equal(letters_put(store, 0, 4, "after"), 2); /* no id was used up, no turn kept */
	letter_store_close(store);
	free(big);
}

int main(void)
{
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, letters_setup, letters_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_one_transaction),
		TEST(test_all_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
