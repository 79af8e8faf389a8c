/* SPDX-License-Identifier: Apache-2.0 */
/* Random structured items, from a seed: every type, every width, every kind of string. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANDOM_ITEM_BYTES 65536u

struct random_source {
	uint64_t state;
};
uint64_t random_next(struct random_source *source);
/* Below n > 0. */
uint32_t random_below(struct random_source *source, uint32_t n);

/* UTF-8 of all lengths, with everything that wants an escape, at most 3 * n_max bytes. Returns its size. */
size_t random_text(struct random_source *source, uint32_t n_max, char *room);
/*
 * A value that JSON can hold, as msgpack: no name twice in a map, no bytes, nothing infinite; integers in their shortest form. Returns
 * its size.
 */
size_t random_item(struct random_source *source, unsigned char room[RANDOM_ITEM_BYTES]);
