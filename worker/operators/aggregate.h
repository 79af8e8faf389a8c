/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window says of its items: `aggregates: {requests: count, bytes: sum(.bytes), slow: p99(.ms), clients: distinct(.ip)}`.
 *
 * What has been seen of one pane (a part of a window) is a block of plain bytes, which lies in keyed state: sections behind each
 * other, one for each part of the items that is looked at and each way to look at it, however many aggregates are made of it. Worker
 * process, and pure but for aggregates_new() and aggregates_measure().
 */
#pragma once

#include <msgpack/pack.h>
#include <weir/stage.h>

#include "common/base/text.h"
#include "worker/operators/number.h"

#define AGGREGATES_MAX 64u

enum section_kind { SECTION_SUM, SECTION_LEAST, SECTION_MOST, SECTION_SKETCH, SECTION_DISTINCT };

/* What one item adds to a section. */
struct measure {
	bool is_there;
	struct number number;
	uint64_t hash;
};

struct aggregates;

/*
 * Reads the option: pairs of a name and a text. Returns 0; -EINVAL with the name of the one that is wrong, and why. Needs no
 * worker: the stage's check() uses it, too.
 */
int aggregates_parse(const char *const *pairs, struct aggregates **ret, const char **ret_wrong, struct text *why);
/* In open(): makes ready to look at items. Returns 0; WEIR_FAILED after weir_fail(). */
int aggregates_prepare(struct aggregates *aggregates, struct weir_context *context);
/* context: NULL if it was not prepared. Fine on NULL. */
void aggregates_free(struct aggregates *aggregates, struct weir_context *context);

uint32_t aggregates_n_outputs(const struct aggregates *aggregates);

/*
 * Looks at an item. skips: a part that it does not have is left out, not missed. Returns 0, and measures[AGGREGATES_MAX] are set as
 * far as there are sections; WEIR_REJECTED after weir_reject(). Measures hold until the next call.
 */
int aggregates_measure(struct aggregates *aggregates, struct weir_context *context, const struct weir_item *item,
		       bool skips, struct measure *measures);

/* Bytes of a block in which nothing has been seen, and of the largest; writes the one, or one with the largest room, to `block`. */
size_t aggregates_size_min(const struct aggregates *aggregates);
size_t aggregates_size_max(const struct aggregates *aggregates);
void aggregates_clear(const struct aggregates *aggregates, void *block, bool largest);

/* Whether an item may need a larger block: then aggregates_copy() with `spare` makes one. Returns its size; `to` may be NULL. */
bool aggregates_are_tight(const struct aggregates *aggregates, const void *block);
size_t aggregates_copy(const struct aggregates *aggregates, const void *block, bool spare, void *to);

/* An item more; the block must not be tight. */
void aggregates_add(const struct aggregates *aggregates, void *block, const struct measure *measures);
/* All of another block, too, into one with the largest room. */
void aggregates_merge(const struct aggregates *aggregates, void *block, const void *other);

/* Writes name and value of each aggregate; n_items: that the window has seen. */
void aggregates_write(const struct aggregates *aggregates, const void *block, uint64_t n_items, msgpack_packer *packer);
