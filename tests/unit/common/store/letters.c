/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/store/letters.h"

char letters_folder[64], letters_path[96];

int letters_setup(void **state)
{
	(void)state;
	strcpy(letters_folder, "/tmp/weir-letters-XXXXXX");
	assert_non_null(mkdtemp(letters_folder));
	snprintf(letters_path, sizeof(letters_path), "%s/orders/dead-letters", letters_folder);
	return 0;
}

int letters_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", letters_folder);
	return system(command);
}

struct dead_letter letters_letter(uint32_t producer, uint64_t sequence, const char *payload)
{
	return (struct dead_letter){
		.pipeline = "orders",
		.stage = "price",
		.cause = DEAD_LETTER_REJECTED,
		.reason = "not wanted",
		.input = "read",
		.run = 1,
		.producer = producer,
		.sequence = sequence,
		.data = payload,
		.size_bytes = strlen(payload),
	};
}

struct letter_store *letters_open(enum letter_store_mode mode, uint64_t size_bytes)
{
	struct letter_store *store = NULL;

	assert_int_equal(letter_store_open(letters_path, mode, size_bytes, &store), 0);
	assert_non_null(store);
	return store;
}

uint64_t letters_put(struct letter_store *store, uint32_t producer, uint64_t sequence, const char *payload)
{
	struct dead_letter letter = letters_letter(producer, sequence, payload);
	uint64_t id = 0;

	assert_int_equal(letter_store_put(store, &letter, &id), 0);
	return id;
}

int letters_list(void *data, const struct dead_letter *letter)
{
	struct letters_listing *listing = data;

	text_printf(&listing->text, "%llu:%.*s ", (unsigned long long)letter->id, (int)letter->size_bytes,
		    (const char *)letter->data);
	listing->n++;
	return 0;
}

void letters_assert_listing(struct letter_store *store, const char *expected)
{
	struct letters_listing listing = { 0 };

	assert_int_equal(letter_store_each(store, letters_list, &listing), 0);
	assert_string_equal(text_get(&listing.text), expected);
	text_deinit(&listing.text);
}
