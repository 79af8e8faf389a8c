/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in operator parse, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const struct weir_option parse_options[] = {
	{ .name = "format",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "regex",
	  .choices = "regex|logfmt|csv",
	  .summary = "what the text is: what a regular expression says; logfmt, as in level=info ms=5; a record of CSV",
	  .example = "logfmt" },
	{ .name = "pattern",
	  .type = WEIR_TYPE_STRING,
	  .summary =
		  "regex: a regular expression of PCRE2's; its named groups are the fields, and it may match anywhere unless it says ^",
	  .example = "'^(?<level>\\w+): (?<text>.*)'" },
	{ .name = "columns",
	  .type = WEIR_TYPE_LIST,
	  .summary = "csv: the names of the fields, in their order",
	  .example = "[id, name]" },
	{ .name = "separator",
	  .type = WEIR_TYPE_STRING,
	  .fallback = ",",
	  .summary = "csv: the one byte between two fields; \"\\t\" is a tab",
	  .example = "';'" },
	{ .name = "types",
	  .type = WEIR_TYPE_MAP,
	  .summary =
		  "what fields are: int, float, bool, text; time (RFC 3339), time(unix), time(unix_ms), or time(FORMAT) as in strptime(3), with %f for a fraction",
	  .example = "{status: int, at: 'time(%d/%b/%Y:%H:%M:%S %z)'}" },
	{ .name = "field",
	  .type = WEIR_TYPE_STRING,
	  .summary = "of structured items: the member that is the text; the fields take its place beside the others",
	  .example = "message" },
	{ .name = "steps",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "10M",
	  .minimum = 1000,
	  .maximum = 4000000000,
	  .summary = "regex: how many steps a match may take; a pattern that goes back too often is refused there",
	  .example = "1M" },
	{ .name = "memory",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "64MiB",
	  .minimum = 1 << 20,
	  .maximum = INT64_C(1) << 36,
	  .summary = "regex: what a match may take to remember where to go back to",
	  .example = "256MiB" },
};

const struct weir_stage descriptor_operator_parse = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.n_spools = 1,
	.flags = WEIR_STAGE_FORWARDS | WEIR_STAGE_CHECKS | WEIR_STAGE_ERRORS_OUTPUT,
	.name = "parse",
	.summary = "fields out of text: by a regular expression, logfmt, CSV",
	.description =
		"Makes a structured item of each text: a map from the names of the fields to strings, or to what `types` says they are. A group that "
		"took no part in the match is no field. What is no such text, or has a field that is not of its type, goes unchanged to the "
		"output `errors` if somebody reads that (from: NAME.errors, to try another pattern, for one), and is else refused: a dead "
		"letter with the reason. Give the stage a deadline: a pattern that is still at work when the item's time is over is stopped, "
		"and so is one that takes more than `steps` or `memory`; the item is refused with the reason, and the stage goes on. What can't "
		"be stopped (a pattern that searches through megabytes again and again) ends the worker, and the next one refuses the item.",
	.options = parse_options,
	.n_options = COUNT(parse_options),
};
