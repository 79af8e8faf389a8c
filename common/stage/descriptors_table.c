/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: who looks into them, and who writes them, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const struct weir_option lookup_options[] = {
	{ .name = "path",
	  .type = WEIR_TYPE_PATH,
	  .required = true,
	  .summary = "the table's folder",
	  .example = "customers.table" },
	{ .name = "key",
	  .type = WEIR_TYPE_KEY,
	  .required = true,
	  .summary = "which part of an item is looked for, named as in balance: key(EXPR)",
	  .example = ".customer" },
	{ .name = "into",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "the item's member that becomes what the table has; one of that name is replaced",
	  .example = "customer" },
	{ .name = "missing",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "pass",
	  .choices = "pass|reject|drop",
	  .summary =
		  "what becomes of an item that the table has nothing for: it passes as it is; it is rejected, and kept as a dead letter; it is dropped",
	  .example = "reject" },
	{ .name = "absent",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "fail",
	  .choices = "fail|empty",
	  .summary =
		  "what to do while there is no table: fail at the start; or go on as if it was empty, until one is made",
	  .example = "empty" },
};

const struct weir_stage descriptor_operator_lookup = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.flags = WEIR_STAGE_FORWARDS,
	.name = "lookup",
	.summary = "adds to each item what a table has for its key",
	.description =
		"Looks for a part of each item in a table that `sink: table` has made, and puts what it finds there into the item. Items are structured, or "
		"JSON text, and leave as they came. The items of a turn see the table as it was at one moment, and the next turn sees what was written "
		"since, by a stage of this pipeline or of another; nobody waits for anybody. A number and a text that is that number are one key.",
	.options = lookup_options,
	.n_options = COUNT(lookup_options),
};

static const struct weir_option table_options[] = {
	{ .name = "path",
	  .type = WEIR_TYPE_PATH,
	  .required = true,
	  .summary = "the table's folder; it is made if need be, for this user alone",
	  .example = "customers.table" },
	{ .name = "key",
	  .type = WEIR_TYPE_KEY,
	  .required = true,
	  .summary = "which part of an item it is found by, named as in balance: key(EXPR); up to 511 bytes",
	  .example = ".id" },
	{ .name = "delete",
	  .type = WEIR_TYPE_KEY,
	  .summary =
		  "an item in which this part is true (there, and neither false nor null) takes its key out of the table",
	  .example = ".deleted" },
	{ .name = "existing",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "update",
	  .choices = "update|replace",
	  .summary =
		  "what to do with the entries of earlier runs: keep those that no item has the key of; or begin with none",
	  .example = "replace" },
	{ .name = "size",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "1GiB",
	  .minimum = 65536,
	  .maximum = INT64_C(1) << 40,
	  .summary = "of all entries together: key, value and 16 bytes each; an item that finds no room is rejected",
	  .example = "10GiB" },
	{ .name = "every",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "10ms",
	  .minimum = 0,
	  .maximum = INT64_C(60000000000),
	  .summary =
		  "how long a change may wait for others before all of them are written, together, for everybody to see",
	  .example = "1s" },
};

const struct weir_stage descriptor_sink_table = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SINK,
	.cursor_size_bytes = 4 * sizeof(uint64_t),
	.n_spools = 1,
	.name = "table",
	.summary = "a table on the disk, by key, that others look into while it changes",
	.description =
		"Puts each item into a table (LMDB) under its key, or takes that key out of it. Items are structured, or JSON text. Changes are "
		"written together, at least every `every`, in one transaction that also says how far the stage has come: each item takes effect "
		"once, through SIGKILL at any instruction, and `lookup` stages and `weir table` see all of it or nothing. They outlive the run and, once delivered, "
		"the host. One stage writes a table at a time, with one worker; a loader is a pipeline from a file to a table.",
	.options = table_options,
	.n_options = COUNT(table_options),
};
