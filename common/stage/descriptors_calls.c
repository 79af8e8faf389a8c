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
	  .summary = "items that answers are awaited for; more wait in their lane",
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

#define OPTION_TIMEOUT                                                                                         \
	{                                                                                                      \
		.name = "timeout", .type = WEIR_TYPE_DURATION, .required = true, .minimum = 1000000,           \
		.maximum = INT64_C(86400000000000),                                                            \
		.summary = "how long an answer is waited for; then the attempt has failed", .example = "150ms" \
	}
#define OPTION_FAILED                                                                                                \
	{                                                                                                            \
		.name = "failed", .type = WEIR_TYPE_KEY,                                                             \
		.summary = "part of an answer that says that it is a failure, if it is there and not null or false", \
		.example = ".error"                                                                                  \
	}
#define OPTION_OPEN                                                                                              \
	{                                                                                                        \
		.name = "open", .type = WEIR_TYPE_INTEGER, .fallback = "10k", .minimum = 1, .maximum = 10000000, \
		.summary = "items that may be under way at a time; more wait in their lane", .example = "1000"   \
	}

static const struct weir_option breaker_options[] = {
	{ .name = "target",
	  .type = WEIR_TYPE_KEY,
	  .summary =
		  "part of an item that names whom the call goes to: each has a switch of its own; without it, one for all",
	  .example = ".channel" },
	OPTION_TIMEOUT,
	OPTION_FAILED,
	{ .name = "share",
	  .type = WEIR_TYPE_SHARE,
	  .fallback = "50%",
	  .minimum = 1000,
	  .maximum = 1000000000,
	  .summary = "a target is called no more when more than so many of its calls in the window have failed",
	  .example = "15%" },
	{ .name = "window",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "10s",
	  .minimum = 100000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "the time that they are counted in",
	  .example = "30s" },
	{ .name = "at_least",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "20",
	  .minimum = 1,
	  .maximum = 1000000000,
	  .summary = "calls that must have ended in the window for their share to count",
	  .example = "100" },
	{ .name = "open_for",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "5s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "how long it is left in peace, before probes are sent",
	  .example = "30s" },
	{ .name = "probes",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "3",
	  .minimum = 1,
	  .maximum = 1000000,
	  .summary =
		  "calls that must go well for all to be let through again; one that fails, and it is left in peace anew",
	  .example = "10" },
	OPTION_OPEN,
};

const struct weir_stage descriptor_operator_breaker = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 6 * sizeof(uint64_t),
	.flags = WEIR_STAGE_STATE | WEIR_STAGE_NAMES_OUTPUTS,
	.outputs = "call|done|fallback",
	.name = "breaker",
	.summary = "a stage that fails too often is not called for a while",
	.description =
		"Head of a loop around a stage: an item goes to `call`, what that stage makes of it comes back and leaves by `done`. An item whose "
		"answer does not come within `timeout`, or is a failure, leaves by `fallback`, unchanged; so do all items of a target of which too many "
		"calls have failed, until its probes go well again. Each change of a target's switch is in the log. Each item leaves once, by one of "
		"the two, through kills too. from: [orders, {stage: pay, credit: 1000}], and pay reads from: guard.call.",
	.options = breaker_options,
	.n_options = COUNT(breaker_options),
};

static const struct weir_option retry_options[] = {
	OPTION_TIMEOUT,
	OPTION_FAILED,
	{ .name = "attempts",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "3",
	  .minimum = 1,
	  .maximum = 1000,
	  .summary = "how often an item is tried at most",
	  .example = "5" },
	{ .name = "backoff",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "100ms",
	  .minimum = 0,
	  .maximum = INT64_C(86400000000000),
	  .summary = "wait before the second attempt; doubled with each further one",
	  .example = "1s" },
	{ .name = "backoff_max",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "10s",
	  .minimum = 0,
	  .maximum = INT64_C(86400000000000),
	  .summary = "longest wait before an attempt",
	  .example = "1m" },
	{ .name = "jitter",
	  .type = WEIR_TYPE_SHARE,
	  .fallback = "50%",
	  .minimum = 0,
	  .maximum = 1000000000,
	  .summary = "how much of a wait is left to the lot, so that not all come at once",
	  .example = "10%" },
	{ .name = "budget",
	  .type = WEIR_TYPE_SHARE,
	  .fallback = "20%",
	  .minimum = 0,
	  .maximum = 1000000000,
	  .summary = "further attempts, as a share of the items: when everything fails, not all is asked several times",
	  .example = "100%" },
	{ .name = "within",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "no attempt begins so long after the first",
	  .example = "5s" },
	OPTION_OPEN,
};

const struct weir_stage descriptor_operator_retry = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 6 * sizeof(uint64_t),
	.flags = WEIR_STAGE_STATE | WEIR_STAGE_NAMES_OUTPUTS,
	.outputs = "call|done|failed",
	.name = "retry",
	.summary = "a stage that fails is asked again",
	.description =
		"Head of a loop around a stage: an item goes to `call`, what that stage makes of it comes back and leaves by `done`. An item whose "
		"answer does not come within `timeout`, or is a failure, goes there again after a back-off that doubles, `attempts` times at most, "
		"while the budget lasts (ten in stock, and a share of the items that come), and then leaves by `failed`, unchanged. Each item leaves once, "
		"by one of the two, through kills too. from: [orders, {stage: pay, credit: 1000}], and pay reads from: again.call.",
	.options = retry_options,
	.n_options = COUNT(retry_options),
};
