/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in operators with a language in them, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

#define OPTION_MEMORY(fallback_)                                                                        \
	{                                                                                               \
		.name = "memory", .type = WEIR_TYPE_SIZE, .fallback = (fallback_), .minimum = 1 << 20,  \
		.maximum = INT64_C(1) << 36,                                                            \
		.summary = "what may be taken to work on one item; an item that needs more is refused", \
		.example = "1GiB"                                                                       \
	}
#define OPTION_EMITS                                                                                                               \
	{                                                                                                                          \
		.name = "emits", .type = WEIR_TYPE_CHOICE, .fallback = "same", .choices = "same|structured|text",                  \
		.summary =                                                                                                         \
			"what its items are: structured; text, where a string is what it says and anything else its JSON; as the " \
			"item that they are made of",                                                                              \
		.example = "structured"                                                                                            \
	}

#define JQ_BOUNDS                                                                                                                        \
	"Give the stage a deadline: an expression that is still at work when the item's time is over is stopped, and so is one that "    \
	"takes more than `memory`; the item is refused with the reason, and the stage goes on. What can't be stopped (one long call of " \
	"a function of jq) ends the worker, and the next one refuses the item."

static const struct weir_option filter_options[] = {
	{ .name = "expr",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "a jq expression; items of which it says false, null or nothing are filtered",
	  .example = ".status >= 500" },
	OPTION_MEMORY("256MiB"),
};

const struct weir_stage descriptor_operator_filter = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.n_spools = 1,
	.flags = WEIR_STAGE_FORWARDS | WEIR_STAGE_CHECKS,
	.name = "filter",
	.summary = "the items of which a jq expression is true",
	.description =
		"Passes items on, unchanged, of which the expression gives anything but false or null; the others are counted as filtered, "
		"which is no loss. Structured items are values to jq, text is a string, as with jq -R. An item of which the expression gives an "
		"error, or several values, is refused: a dead letter with jq's words. " JQ_BOUNDS,
	.options = filter_options,
	.n_options = COUNT(filter_options),
};

static const struct weir_option map_options[] = {
	{ .name = "expr",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "a jq expression; each value that it gives for an item becomes an item",
	  .example = "{id, total: (.price * .n)}" },
	OPTION_EMITS,
	OPTION_MEMORY("256MiB"),
};

const struct weir_stage descriptor_operator_map = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.n_spools = 1,
	.flags = WEIR_STAGE_CHECKS,
	.name = "map",
	.summary = "what a jq expression makes of each item",
	.description =
		"Each value that the expression gives for an item becomes an item: none (the item is counted as filtered), one or several, all in "
		"one commit. Structured items are values to jq, text is a string, as with jq -R; and what comes out is what came in, unless emits "
		"says otherwise. An item of which the expression gives an error, or which jq can't hold exactly, is refused: a dead letter with "
		"the reason. " JQ_BOUNDS,
	.options = map_options,
	.n_options = COUNT(map_options),
};
