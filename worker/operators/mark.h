/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark by which an item, and whatever is made of it, is known again: a pair of its baggage, under the name of the stage that set it.
 * So it goes wherever baggage goes: through plugins, operators, programs in line and frame mode, references, loops and kills.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <weir/baggage.h>
#include <weir/stage.h>

struct mark {
	uint64_t run;      /* weir_run(): a dead letter that is given again brings the mark of an earlier one */
	uint64_t number;   /* of that worker, from 1; never twice in a run */
	uint64_t stamp_ns; /* CLOCK_MONOTONIC, when it was set */
	uint32_t worker;
	uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct mark) == 32, "as bytes in baggage");

static inline bool mark_is(const struct mark *a, const struct mark *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The key in the baggage: "weir." and the stage's name; of a long one its end, which differs by what stands behind it. */
#define MARK_KEY_SIZE (WEIR_BAGGAGE_KEY_MAX + 1)
void mark_key(const char *stage_name, char key[MARK_KEY_SIZE]);

/*
 * What is emitted from here on has this mark. Returns WEIR_OK; WEIR_REJECTED, after weir_reject(): the baggage has no room; else as
 * weir_baggage_set().
 */
int mark_set(struct weir_context *context, const char *key, const struct mark *mark);
/* The mark of the item in hand. Returns true; false: it has none. */
bool mark_get(const struct weir_context *context, const char *key, struct mark *ret_mark);

/* As bytes whose order is that of the numbers, for keys of the state, which is of one run. */
#define MARK_BYTES 20u
void mark_write(const struct mark *mark, unsigned char bytes[MARK_BYTES]);
void mark_read(struct mark *mark, uint64_t run, const unsigned char bytes[MARK_BYTES]);
