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

static const struct weir_option merge_options[] = {
	{ .name = "key",
	  .type = WEIR_TYPE_KEY,
	  .required = true,
	  .summary = "by what the inputs are sorted, named as in balance: key(EXPR)",
	  .example = ".at" },
	{ .name = "compare",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "number",
	  .choices = "number|text",
	  .summary = "how keys are compared: as numbers, or as the bytes of their text",
	  .example = "text" },
	{ .name = "until",
	  .type = WEIR_TYPE_STRING,
	  .summary = "the snapshot: items whose key is greater are left out, and an input that has come to one is left",
	  .example = "1700000000" },
	{ .name = "idle",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary =
		  "go on without inputs that say nothing for so long while others wait; without it, they are waited for",
	  .example = "10s" },
	{ .name = "disorder",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "reject",
	  .choices = "reject|fail",
	  .summary =
		  "what becomes of an item whose key is less than one that has gone out: a dead letter; the end of the stage",
	  .example = "fail" },
};

const struct weir_stage descriptor_operator_merge = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(uint64_t),
	.flags = WEIR_STAGE_STATE | WEIR_STAGE_CHECKS,
	.name = "merge",
	.summary = "sorted inputs into one, in the order of a key",
	.description =
		"Each input is sorted by `key`, and so is what comes out: of equal keys those of the input that stands first in `from` go first. The "
		"next item goes out when each input has one to compare, or has ended. So an input that says nothing holds the others up, in their "
		"lanes, unless `idle` says for how long it may; what it says later and too late is out of order. With `until` the merge is one of a snapshot, also of "
		"sources that follow what grows: an input ends with its first item past it, and the source with the input. An item without "
		"a key is refused. Exact through kills: at most one item of each input is held, in the keyed state; items that have to be held are "
		"1 MiB at most. Needs workers: 1.",
	.options = merge_options,
	.n_options = COUNT(merge_options),
};
