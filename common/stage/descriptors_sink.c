/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in sinks, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))
#define STAGE_HEAD .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(struct weir_stage), .role = WEIR_SINK

static const struct weir_option file_options[] = {
	{ .name = "path",
	  .type = WEIR_TYPE_PATH,
	  .required = true,
	  .summary = "the file; {worker} in it becomes the worker's number, which several workers need",
	  .example = "out.txt" },
	{ .name = "existing",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "replace",
	  .choices = "replace|append|refuse",
	  .summary = "what to do with a file that is there already",
	  .example = "append" },
	{ .name = "on_full",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "fail",
	  .choices = "fail|wait",
	  .summary = "what to do when the disk is full: give up, or wait until there is room",
	  .example = "wait" },
	{ .name = "atomic",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "false",
	  .summary =
		  "the file appears when it is whole, at the end of the stream; until then it has a hidden name in its folder",
	  .example = "true" },
	{ .name = "rotate_size",
	  .type = WEIR_TYPE_SIZE,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary =
		  "finish the file with the turn in which it has got so large, and begin the next; needs {n} or {time} in path",
	  .example = "100MB" },
	{ .name = "rotate_every",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 1000000,
	  .maximum = INT64_C(31536000000000000),
	  .summary = "finish the file so long after its first item; needs {n} or {time} in path",
	  .example = "1h" },
	{ .name = "compress",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "none",
	  .choices = "none|gzip",
	  .summary = "how the file is written; a compressed one appears when it is whole, as with atomic",
	  .example = "gzip" },
};

const struct weir_stage descriptor_sink_file = {
	STAGE_HEAD,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.name = "file",
	.summary = "a file, one line for each item",
	.description =
		"Writes each item and a newline (with encode: msgpack, none). The number of bytes written is committed with the items: a restarted worker cuts the file "
		"back to it, so nothing is written twice. With atomic, compress, a rotation, {n} or {time} (the number and the time of a file, in its name) the file has a hidden name in "
		"its folder until it is finished and on the disk; then it gets its name, which it takes from no other file, and is never "
		"written again.",
	.options = file_options,
	.n_options = COUNT(file_options),
};

const struct weir_stage descriptor_sink_stdout = {
	STAGE_HEAD,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.name = "stdout",
	.summary = "standard output, one line for each item",
	.description = "Writes each item and a newline (with encode: msgpack, none) to weir's own standard output.",
};

const struct weir_stage descriptor_sink_discard = {
	STAGE_HEAD,
	.name = "discard",
	.summary = "nowhere: the items are counted and dropped",
	.description = "Counts every item as delivered and drops it.",
};

static const struct weir_option exec_options[] = {
	OPTION_COMMAND,
	{ .name = "mode",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "block",
	  .choices = "block|frame",
	  .summary =
		  "block: the program is run once for each block of items; frame: one program has in_flight items at a time, and says of "
		  "each when it is stored (weir-frame(7))",
	  .example = "frame" },
	OPTION_BLOCK,
	OPTION_BLOCK_WAIT,
	OPTION_JOIN,
	OPTION_OK_EXIT,
	{ .name = "answer_within",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "30s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary =
		  "frame mode: a program that has items and has said nothing for so long is ended, and started again",
	  .example = "500ms" },
	OPTION_READY_WITHIN,
	OPTION_ITEMS,
	{ .name = "baggage",
	  .type = WEIR_TYPE_LIST,
	  .summary = "frame mode: keys of an item's baggage that the program is told",
	  .example = "[trace, tenant]" },
	OPTIONS_SURROUNDINGS,
};

const struct weir_stage descriptor_sink_exec = {
	STAGE_HEAD,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.n_spools = 1,
	.name = "exec",
	.summary = "a program that reads the items on its standard input",
	.description =
		"In block mode the program is run once for each block of items. The items count as delivered when it has ended with a code in ok_exit; "
		"if the worker is killed before that, the program is run again with the same block. In frame mode one program stays, is given up "
		"to in_flight items at a time as msgpack with ids, on descriptors of their own, and says of each when it is stored, in any "
		"order (weir-frame(7); for Python there is a module): the item counts as delivered then. What was not answered when the program or the worker "
		"is killed is given again, with the same identity.",
	.options = exec_options,
	.n_options = COUNT(exec_options),
};
