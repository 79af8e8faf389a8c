/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in operators that make one item of several, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const struct weir_option batch_options[] = {
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_C(1000000000),
	  .summary = "a batch ends with so many items; this, `bytes` or `age`, or several of them",
	  .example = "500" },
	{ .name = "bytes",
	  .type = WEIR_TYPE_SIZE,
	  .minimum = 1,
	  .maximum = INT64_C(1) << 30,
	  .summary =
		  "a batch ends before it would be larger than this; without it, than the largest item that the lane takes",
	  .example = "64KiB" },
	{ .name = "age",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "a batch ends so long after its first item came, or a little later",
	  .example = "200ms" },
	{ .name = "text",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "json",
	  .choices = "json|strings|lines",
	  .summary =
		  "how items that are text are gathered: json, each is JSON and the batch an array of it; strings, an array of strings; "
		  "lines, one text with newlines between them",
	  .example = "lines" },
};

const struct weir_stage descriptor_operator_batch = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 6 * sizeof(uint64_t),
	.n_spools = 2,
	.name = "batch",
	.summary = "several items become one, an array",
	.description =
		"Gathers items, in the order in which they come, until there are `count` of them, or one more would make them larger than `bytes`, or "
		"the first has waited for `age`; then they leave as one item: structured items as an array, text as `text` says. What is still "
		"there at the end of the stream is the last batch. Items that wait in a batch are held (weir ps shows them as such); a kill loses "
		"none of them and gives none twice, and batches are the same as without it, but for those that `age` ends. With several workers "
		"each gathers for itself; with order: fifo a batch also ends where a run does. An item that is larger than a batch may "
		"be, or is not what `text` wants, is rejected.",
	.options = batch_options,
	.n_options = COUNT(batch_options),
};

static const struct weir_option window_options[] = {
	{ .name = "key",
	  .type = WEIR_TYPE_KEY,
	  .summary =
		  "what windows are kept apart by, named as in balance: key(EXPR); without it, nothing: one window for all",
	  .example = ".customer" },
	{ .name = "aggregates",
	  .type = WEIR_TYPE_MAP,
	  .required = true,
	  .summary =
		  "names with what a window says of its items: count, sum(EXPR), min(EXPR), max(EXPR), mean(EXPR), distinct(EXPR), and "
		  "quantiles: p50(EXPR), p99.9(EXPR)",
	  .example = "{requests: count, bytes: sum(.bytes), slow: p99(.ms)}" },
	{ .name = "size",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(31622400000000000),
	  .summary =
		  "how long a window is; windows begin at whole multiples of it, or of `slide`, since 1970; this or `gap`",
	  .example = "1m" },
	{ .name = "slide",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(31622400000000000),
	  .summary =
		  "a window begins each time so much has passed, and goes into size without a rest; without it, one after the other",
	  .example = "10s" },
	{ .name = "gap",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(31622400000000000),
	  .summary = "sessions: a window lasts until nothing has come for its key for so long; this or `size`",
	  .example = "30m" },
	{ .name = "time",
	  .type = WEIR_TYPE_KEY,
	  .summary =
		  "where an item says when it happened: RFC 3339, or a number of `unit` since 1970; without it, when its source took it in",
	  .example = ".at" },
	{ .name = "unit",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "s",
	  .choices = "s|ms|us|ns",
	  .summary = "of times that are numbers",
	  .example = "ms" },
	{ .name = "lateness",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 0,
	  .maximum = INT64_C(31622400000000000),
	  .summary = "how far behind the latest time so far an item may be; without it 0s, or 1s if there is no `time`",
	  .example = "10s" },
	{ .name = "late",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "reject",
	  .choices = "reject|drop",
	  .summary =
		  "what becomes of an item whose windows have all left, if nobody reads NAME.late: it is rejected, and kept as a dead letter; it is dropped",
	  .example = "drop" },
	{ .name = "idle",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(31622400000000000),
	  .summary =
		  "when nothing has come for so long, time goes on with the clock, and windows leave; without it, they wait for the next "
		  "item, or 1s if there is no `time`",
	  .example = "5s" },
	{ .name = "without",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "reject",
	  .choices = "reject|skip",
	  .summary =
		  "what becomes of an item without a part that is to be aggregated: it is rejected; it counts, but not for that",
	  .example = "skip" },
	{ .name = "emits",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "same",
	  .choices = "same|structured|text",
	  .summary = "what its items are: structured; text, which is JSON; as the items that came in",
	  .example = "structured" },
};

const struct weir_stage descriptor_operator_window = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 6 * sizeof(uint64_t),
	.flags = WEIR_STAGE_STATE | WEIR_STAGE_CHECKS | WEIR_STAGE_ERRORS_OUTPUT,
	.outputs = "late",
	.name = "window",
	.summary = "counts, sums and quantiles of what came within a time, by key",
	.description =
		"Items come into windows by their key and their own time; a window that has ended becomes one item: {key, start, end, and the "
		"aggregates}. size: windows one after the other; with slide, overlapping ones; gap: sessions. A window has ended when an item has come that is "
		"later than its end by `lateness`; what comes for it after that is late, and goes unchanged to the output `late` if somebody reads that (from: NAME.late). Windows leave in the order of their ends; what is open at the end of the stream "
		"leaves then. Whole numbers are summed exactly; quantiles are within 1% of a value of that rank; distinct is exact up to 512 values, and "
		"has a standard error of 1.6% beyond. Items are held until the last of their windows has left; windows are the same through kills, each item counted once. They are "
		"kept on the disk, up to `state:` for each worker; an item that finds no room is rejected. With several workers say balance: key(EXPR) "
		"with the same EXPR as `key`; each has a time of its own.",
	.options = window_options,
	.n_options = COUNT(window_options),
};
