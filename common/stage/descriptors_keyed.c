/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in operators with keyed state, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const struct weir_option dedupe_options[] = {
	{ .name = "key",
	  .type = WEIR_TYPE_KEY,
	  .fallback = "item",
	  .summary = "what makes two items the same, named as in balance: key(EXPR); without it, the whole item",
	  .example = ".id" },
	{ .name = "within",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(2592000000000000),
	  .summary = "an item is a duplicate if one of its key has passed less long ago than this",
	  .example = "10m" },
	{ .name = "last",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "... and if that is among so many that passed last, of whatever keys; this or `within`, or both",
	  .example = "1M" },
	{ .name = "without",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "pass",
	  .choices = "pass|reject|drop",
	  .summary =
		  "what becomes of an item that has no key: it passes; it is rejected, and kept as a dead letter; it is dropped",
	  .example = "reject" },
};

const struct weir_stage descriptor_operator_dedupe = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 3 * sizeof(uint64_t),
	.flags = WEIR_STAGE_STATE,
	.name = "dedupe",
	.summary = "each item once",
	.description =
		"The first item of a key passes, and what comes of the same key within the window is filtered, which is no loss. Exact within the "
		"window, also through kills: keys are compared, not only their hashes. The window is a time, a number, or both. It begins with "
		"the item that passed and is not drawn out by its duplicates. Times are those at which items were taken in by their source, and the "
		"latest so far is now. Keys are remembered as long as the run, on the disk, up to `state:` for each worker, about "
		"60 bytes and twice the key for each; an item that finds no room is rejected, never let through unseen. With several workers "
		"say balance: key(EXPR) with the same EXPR as `key`; `last` then counts what has passed in one of them.",
	.options = dedupe_options,
	.n_options = COUNT(dedupe_options),
};
