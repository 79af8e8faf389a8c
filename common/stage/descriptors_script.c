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

static const struct weir_option lua_options[] = {
	{ .name = "script",
	  .type = WEIR_TYPE_STRING,
	  .summary = "the script itself, in Lua 5.4, which defines process(item); this or `file`",
	  .example = "function process(item) item.seen = true return item end" },
	{ .name = "file",
	  .type = WEIR_TYPE_PATH,
	  .summary = "a file with the script, read when a worker starts",
	  .example = "rules.lua" },
	OPTION_EMITS,
	OPTION_MEMORY("64MiB"),
	{ .name = "instructions",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1000,
	  .maximum = INT64_MAX,
	  .summary =
		  "how many instructions of Lua's may be run for one item, give or take a thousand; without it, any number",
	  .example = "10M" },
};

const struct weir_stage descriptor_operator_lua = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.n_spools = 1,
	.flags = WEIR_STAGE_CHECKS | WEIR_STAGE_STATE_IF_GIVEN,
	.name = "lua",
	.summary = "what a Lua script makes of each item",
	.description =
		"Calls process(item) for each item. What it returns becomes an item, and what it gives to emit(); if there is neither, the item is "
		"counted as filtered. All of it takes effect in one commit. A structured item is a value: a table, a number, a string; text is a "
		"string. An error is a dead letter with the line. The script reaches nothing outside: no files, no programs, no modules. Globals "
		"live from item to item, and no longer than their worker; what lies in the table `state` (say state: 64MiB in the spec) is changed with the "
		"item, exactly, and outlives the worker. Give the stage a deadline: a script that is still at work when the "
		"item's time is over is stopped, whatever it catches, and what would take it past `memory` is an error; the item is refused with the "
		"reason, and the stage goes on. What can't be stopped (one long call of a function in C, such as a pattern that backtracks) ends "
		"the worker, and the next one refuses the item.",
	.options = lua_options,
	.n_options = COUNT(lua_options),
};

static const struct weir_option route_options[] = {
	{ .name = "routes",
	  .type = WEIR_TYPE_MAP,
	  .required = true,
	  .summary =
		  "names of outputs, each with a jq expression: an item goes to the first of which it says anything but false, null or nothing",
	  .example = "{errors: .status >= 500, slow: .ms > 250}" },
	{ .name = "default",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "the output for items of which none is true; one more name, or one of the others",
	  .example = "rest" },
	OPTION_MEMORY("256MiB"),
};

const struct weir_stage descriptor_operator_route = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.n_spools = 1,
	.flags = WEIR_STAGE_FORWARDS | WEIR_STAGE_CHECKS | WEIR_STAGE_NAMES_OUTPUTS,
	.name = "route",
	.summary = "each item to one of several outputs, by jq expressions",
	.description =
		"Each item goes, unchanged, to one output: the first in `routes` whose expression is true of it, else `default`. Whoever reads says "
		"from which: from: split.errors, or several: from: [split.slow, split.rest]. Each output must be read by somebody. Structured "
		"items are values to jq, text is a string, as with jq -R. An item of which an expression gives an error, or several values, is "
		"refused: a dead letter with the name of the output and jq's words. " JQ_BOUNDS,
	.options = route_options,
	.n_options = COUNT(route_options),
};
