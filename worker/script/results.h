/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an expression or a script makes of one item: values, gathered as msgpack, and then emitted, each as an item. Worker process.
 *
 * Gathered first, because the time in which an emit waits for room is not the item's.
 */
#pragma once

#include <msgpack/sbuffer.h>
#include <stdbool.h>
#include <weir/record.h>
#include <weir/stage.h>

#include "common/record/record.h"

enum results_emits { RESULTS_SAME = 0, RESULTS_STRUCTURED, RESULTS_TEXT }; /* the option `emits` */

struct results {
	enum weir_form form; /* of what comes in */
	enum results_emits emits;
	msgpack_sbuffer values; /* one behind the other */
	size_t size_max;        /* of `values`: more can never leave */
	uint32_t output;        /* WEIR_ALL_OUTPUTS, unless its owner says another */
	bool unfit;             /* the last emit has refused them for their size */
	struct record_scratch text;
};

/* Reads the option `emits`, if the kind has it. */
void results_init(struct results *results, const struct weir_context *context);
void results_deinit(struct results *results);

/* Whether this item is structured: as the spec tells, or else an array or map that is whole. */
bool results_item_is_structured(const struct results *results, const struct weir_item *item);

/* Whether what such an item becomes leaves as text. */
bool results_are_text(const struct results *results, bool structured);

/* Forgets what was gathered. */
void results_clear(struct results *results);
bool results_are_too_many(const struct results *results);
/*
 * Emits them: as msgpack; or as text, where a string is what it says and anything else its JSON. structured: as the item was. Returns 0;
 * WEIR_REJECTED after weir_reject(): they don't fit, or one can't be written; what weir_emit() says otherwise.
 */
int results_emit(struct results *results, struct weir_context *context, bool structured);
