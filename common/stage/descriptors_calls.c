/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in operators around stages that take long or fail, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

const struct weir_stage descriptor_operator_scatter = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(uint64_t),
	.flags = WEIR_STAGE_FORWARDS,
	.name = "scatter",
	.summary = "each item to several stages at once, to be joined by a gather",
	.description =
		"Hands each item, unchanged, to all stages that read from it, with a mark in its baggage by which a gather further on finds what "
		"they made of it. The mark goes through operators, plugins, and programs in line and frame mode; what is made of several items (a "
		"program in block mode, a window) has none.",
};

static const struct weir_option gather_options[] = {
	{ .name = "scatter",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "the stage whose items are joined again",
	  .example = "split" },
	{ .name = "within",
	  .type = WEIR_TYPE_DURATION,
	  .required = true,
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "how long the answers are waited for; then the result is what there is",
	  .example = "100ms" },
	{ .name = "since",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "scatter",
	  .choices = "scatter|source",
	  .summary = "from when `within` counts: the item's way through scatter, or when its source took it in",
	  .example = "source" },
	{ .name = "partial",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "emit",
	  .choices = "emit|reject",
	  .summary =
		  "what becomes of an item whose answers are not all there in time: a result that says which are missing; a dead letter",
	  .example = "reject" },
	{ .name = "require",
	  .type = WEIR_TYPE_LIST,
	  .summary = "stages without whose answer there is no result: a dead letter, whatever `partial` says",
	  .example = "[risk, stock]" },
	{ .name = "late",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "drop",
	  .choices = "drop|reject",
	  .summary =
		  "what becomes of an answer that comes when the result is out: it is counted and dropped; a dead letter",
	  .example = "reject" },
	{ .name = "open",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "10k",
	  .minimum = 1,
	  .maximum = 10000000,
	  .summary = "items that answers may be awaited for at a time; more wait in their lane",
	  .example = "1000" },
	{ .name = "emits",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "same",
	  .choices = "same|structured|text",
	  .summary = "what a result is: structured; text, which is JSON; as the answers are",
	  .example = "structured" },
};

const struct weir_stage descriptor_operator_gather = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 3 * sizeof(uint64_t),
	.flags = WEIR_STAGE_STATE,
	.name = "gather",
	.summary = "what several stages have made of one item, as one item again",
	.description =
		"Joins the answers of the stages that it reads from, item by item: {\"answers\": {\"risk\": ..., \"stock\": ...}, \"missing\": []}, "
		"named by stage. The result leaves when all have answered, or when `within` is over, with the names of those that have not. Each "
		"item that was scattered has one result (or one dead letter), through kills too; read from scatter as well, so that an item has "
		"one even if nobody answers. A stage's first answer counts, more are late. Open items and their answers are remembered on the "
		"disk, up to `state:`. With several workers say balance: key(EXPR) with a part of the items that all branches keep.",
	.options = gather_options,
	.n_options = COUNT(gather_options),
};
