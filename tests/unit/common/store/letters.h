/* SPDX-License-Identifier: Apache-2.0 */
/* A store of dead letters in a folder of its own, for tests of it. */
#pragma once

#include <stdint.h>

#include "common/base/text.h"
#include "common/store/letter_store.h"

extern char letters_folder[64], letters_path[96]; /* from setup to teardown */

/* cmocka's: a new folder, in which the store is to be; gone with all that is in it. */
int letters_setup(void **state);
int letters_teardown(void **state);

/* A letter that was rejected; the payload is the caller's. */
struct dead_letter letters_letter(uint32_t producer, uint64_t sequence, const char *payload);
/* The caller closes it. size_bytes: 0: as usual. */
struct letter_store *letters_open(enum letter_store_mode mode, uint64_t size_bytes);
/* Returns the letter's id. */
uint64_t letters_put(struct letter_store *store, uint32_t producer, uint64_t sequence, const char *payload);
/* All that is there, "ID:PAYLOAD " for each. The text is the caller's. */
struct letters_listing {
	struct text text;
	size_t n;
};
/* Adds a letter to the listing: for letter_store_each(). */
int letters_list(void *data, const struct dead_letter *letter);
/* expected: "1:one 2:two ", all that is there. */
void letters_assert_listing(struct letter_store *store, const char *expected);
