/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads are left out: who may look at a pipeline's figures need not be somebody who may read its data. */
#include "console/letters.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "common/store/letter_store.h"
#include "console/json.h"

/* A process opens a store once at a time. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

struct newest {
	struct text letters[LETTERS_SHOWN]; /* a ring */
	uint64_t n;
};

static int keep(void *data, const struct dead_letter *letter)
{
	struct newest *newest = data;
	struct text *place = &newest->letters[newest->n++ % LETTERS_SHOWN];

	text_clear(place);
	dead_letter_format_json(letter, LETTER_WITHOUT_PAYLOAD, place);
	return 0;
}

static int read_all(const char *path, struct newest *newest)
{
	struct letter_store *store = NULL;
	int r = letter_store_open(path, LETTER_STORE_READ, 0, &store);

	if (r == 0)
		r = letter_store_each(store, keep, newest);
	letter_store_close(store);
	return r == LETTER_STORE_E_NONE || r == -ENOENT ? 0 : r;
}

void letters_format(const char *path, struct text *text)
{
	struct newest newest = { .n = 0 };
	uint32_t n;
	int r;

	pthread_mutex_lock(&one_at_a_time);
	r = read_all(path, &newest);
	pthread_mutex_unlock(&one_at_a_time);
	n = newest.n < LETTERS_SHOWN ? (uint32_t)newest.n : LETTERS_SHOWN;
	text_add(text, "{\"letters\":[");
	for (uint32_t i = 0; i < n; i++) {
		json_next(text, i);
		text_add(text, text_get(&newest.letters[(newest.n - 1 - i) % LETTERS_SHOWN]));
	}
	text_add_char(text, ']');
	json_add_number(text, "n", newest.n);
	if (r)
		json_add_string(text, "error", "the store can not be read as a whole; weir dlq ls says why");
	text_add_char(text, '}');
	for (uint32_t i = 0; i < LETTERS_SHOWN; i++)
		text_deinit(&newest.letters[i]);
}
