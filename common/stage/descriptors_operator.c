/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in operators, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const struct weir_option exec_options[] = {
	OPTION_COMMAND,
	{ .name = "mode",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "block",
	  .choices = "block|line|frame",
	  .summary =
		  "block: the program is run once for each block of items; line: one program answers each line with one line; frame: "
		  "one program has in_flight items at a time, and answers each when it is done (weir-frame(7))",
	  .example = "line" },
	OPTION_BLOCK,
	OPTION_BLOCK_WAIT,
	OPTION_JOIN,
	OPTION_SPLIT,
	OPTION_OK_EXIT,
	{ .name = "answer_within",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "30s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary =
		  "line mode: a program that has not answered by then is killed, and the item counts as tried; frame mode: a program "
		  "that has items and has said nothing for so long",
	  .example = "500ms" },
	OPTION_READY_WITHIN,
	OPTION_ITEMS,
	{ .name = "baggage",
	  .type = WEIR_TYPE_LIST,
	  .summary =
		  "frame mode: keys of an item's baggage that the program is told; all of it goes on with the outputs anyway",
	  .example = "[trace, tenant]" },
	OPTIONS_SURROUNDINGS,
};

static const struct weir_option take_options[] = {
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .required = true,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "how many items pass",
	  .example = "1k" },
};

const struct weir_stage descriptor_operator_take = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(uint64_t),
	.name = "take",
	.summary = "the first items, then the end",
	.description =
		"Passes the first `count` items on and then leaves: stages before it that nobody else listens to stop, so that an endless "
		"source ends. What was on its way is discarded and counted as unwanted, which is no loss. Needs workers: 1, for several "
		"would each pass so many. With several inputs or an unordered stage before it, first means the first to arrive.",
	.options = take_options,
	.n_options = COUNT(take_options),
};

static const struct weir_option throttle_options[] = {
	{ .name = "rate",
	  .type = WEIR_TYPE_RATE,
	  .minimum = 1,
	  .maximum = INT64_C(1000000000),
	  .summary = "how many items pass in a second, on average; this or `every`",
	  .example = "1000/s" },
	{ .name = "every",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "one item passes in so long, on average: for rates that are no whole number a second",
	  .example = "720ms" },
	{ .name = "burst",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_C(1000000000),
	  .summary =
		  "how many may pass at once after a pause; without it, what the rate gives in a tenth of a second, at least 1",
	  .example = "50" },
	{ .name = "beyond",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "wait",
	  .choices = "wait|reject|drop",
	  .summary =
		  "what becomes of an item beyond the rate: it waits; it is rejected, and kept as a dead letter; it is dropped",
	  .example = "reject" },
};

const struct weir_stage descriptor_operator_throttle = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = 3 * sizeof(uint64_t),
	.name = "throttle",
	.summary = "no more items than a rate allows",
	.description =
		"A bucket of tokens, full at the start of a run: each item that passes takes one, and they come back at the rate. In any time "
		"t no more than rate x t + burst items pass, whatever workers are killed meanwhile. What waits, waits in the lane, which fills "
		"up and holds up what is before it (full: at the lane, admission: at the source say what happens then); no deadline: of this stage "
		"runs, and an item whose time is over meanwhile expires. A drain lets what waits pass at the rate, as far as its time allows. "
		"Dropped items are counted as filtered, rejected ones as rejected. Needs workers: 1, for several would each let the whole "
		"rate pass.",
	.options = throttle_options,
	.n_options = COUNT(throttle_options),
};

static const struct weir_option sample_options[] = {
	{ .name = "every",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "the items with the numbers n, 2n, 3n ... pass; this or `share`",
	  .example = "100" },
	{ .name = "share",
	  .type = WEIR_TYPE_SHARE,
	  .minimum = 1000,
	  .maximum = INT64_C(1000000000),
	  .summary = "about so many pass, each chosen by lot",
	  .example = "0.5%" },
	{ .name = "seed",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .minimum = 0,
	  .maximum = INT64_MAX,
	  .summary = "of the lot: another one gives another sample",
	  .example = "42" },
};

const struct weir_stage descriptor_operator_sample = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(uint64_t),
	.name = "sample",
	.summary = "every n-th item, or a share of them by lot",
	.description =
		"Passes every n-th item on, or a share that is chosen by lot, and filters the others, which is no loss. What is chosen follows "
		"from the number of an item in the stream and the seed alone: the same items in every run over the same stream, whatever "
		"workers are killed. Needs workers: 1, for several would each count for themselves. With several inputs or an unordered "
		"stage before it the numbers are those of arrival.",
	.options = sample_options,
	.n_options = COUNT(sample_options),
};

static const struct weir_option delay_options[] = {
	{ .name = "for",
	  .type = WEIR_TYPE_DURATION,
	  .required = true,
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "each item is handed on so long after its source took it in",
	  .example = "5m" },
};

const struct weir_stage descriptor_operator_delay = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "delay",
	.summary = "items go on some time after they came in",
	.description =
		"Hands each item on so long after its source took it in, or up to a millisecond later, in its order; one that has been under "
		"way for longer already goes on at once. Times stay what they are through kills. What is not due waits in the lane: lane: must "
		"hold what comes in such a time, or the source waits for room (full: at the lane, admission: at the source say what happens "
		"then). No deadline: of this stage runs meanwhile, and an item whose time is over expires. The end of the stream and a drain "
		"wait for what is not due yet and hand it on at its time; what is not due when the drain's own time is over is left in "
		"flight, with exit code 4, so give the pipeline a longer drain:.",
	.options = delay_options,
	.n_options = COUNT(delay_options),
};

const struct weir_stage descriptor_operator_exec = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.n_spools = 2,
	.name = "exec",
	.summary = "any program that reads standard input and writes standard output",
	.description =
		"In block mode the program is run once for each block of items, reads them on its standard input, and all that it writes is "
		"committed when it has ended well: works with every Unix filter (awk, sort, tr ...). In line mode one program stays "
		"and must answer each line with exactly one line; it has to flush its output after each. In frame mode one program "
		"stays, is given up to in_flight items at a time as msgpack with ids, on descriptors of their own, and answers in any "
		"order (weir-frame(7); for Python there is a module). A program gets a clean environment: see env.",
	.options = exec_options,
	.n_options = COUNT(exec_options),
};
