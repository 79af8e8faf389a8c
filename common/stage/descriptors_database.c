/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in sinks that write into databases, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))
#define STAGE_HEAD .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(struct weir_stage), .role = WEIR_SINK

#define OPTION_TABLE(example_)                                                                           \
	{                                                                                                \
		.name = "table", .type = WEIR_TYPE_STRING, .required = true, .summary = "where rows go", \
		.example = (example_)                                                                    \
	}
#define OPTION_COLUMNS                                                                                                 \
	{                                                                                                              \
		.name = "columns", .type = WEIR_TYPE_MAP, .required = true,                                            \
		.summary = "each column with the path of its value in the item; . is the whole item, as text or JSON", \
		.example = "{id: .order.id, doc: .}"                                                                   \
	}
#define OPTION_KEY                                                                                        \
	{                                                                                                 \
		.name = "key", .type = WEIR_TYPE_LIST,                                                    \
		.summary = "mode: upsert: the columns by which a row is found; they need a unique index", \
		.example = "[id]"                                                                         \
	}
#define OPTION_CREATE                                                                       \
	{                                                                                   \
		.name = "create", .type = WEIR_TYPE_STRING,                                 \
		.summary = "SQL that makes the table, run at the start if it is not there", \
		.example = "CREATE TABLE orders (id INTEGER PRIMARY KEY, doc TEXT)"         \
	}
#define OPTION_TURNS                                                                                                   \
	{                                                                                                              \
		.name = "turns", .type = WEIR_TYPE_STRING, .fallback = "weir_turns",                                   \
		.summary =                                                                                             \
			"weir's own table: what was stored last, by which a restarted worker goes on; leave it alone", \
		.example = "weir_turns"                                                                                \
	}

static const struct weir_option sqlite_options[] = {
	{ .name = "path",
	  .type = WEIR_TYPE_PATH,
	  .required = true,
	  .summary = "the database; the file must be there, unless `create` is given",
	  .example = "orders.db" },
	OPTION_TABLE("orders"),
	OPTION_COLUMNS,
	{ .name = "mode",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "insert",
	  .choices = "insert|upsert",
	  .summary = "a row for each item; or, where there is one with the same `key`, its other columns replaced",
	  .example = "upsert" },
	OPTION_KEY,
	OPTION_CREATE,
	OPTION_TURNS,
};

const struct weir_stage descriptor_sink_sqlite = {
	STAGE_HEAD,
	.cursor_size_bytes = sizeof(uint64_t),
	.flags = WEIR_STAGE_CHECKS,
	.name = "sqlite",
	.summary = "rows in an SQLite file, each item exactly once",
	.description =
		"Each turn is a transaction, which also says which items it holds, in a table of weir's own: a worker that is killed between the "
		"database's commit and weir's is followed by one that passes over them. A row that the table refuses (a constraint, a type) "
		"makes its item a dead letter, and no other. Who finds the file locked waits, and its items stay in their lanes. With "
		"small items a larger `batch` makes fewer, larger transactions: each is brought onto the disk.",
	.options = sqlite_options,
	.n_options = COUNT(sqlite_options),
};

static const struct weir_option postgres_options[] = {
	{ .name = "connect",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "",
	  .summary =
		  "the server, as psql has it: names with values, or a URI; what is not said is taken from PGHOST and the like, the password from ~/.pgpass",
	  .example = "host=db.example dbname=shop user=weir" },
	{ .name = "table",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "where rows go; a dot parts the schema from the table",
	  .example = "shop.orders" },
	OPTION_COLUMNS,
	{ .name = "mode",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "insert",
	  .choices = "insert|upsert|copy",
	  .summary =
		  "a row for each item; or, where there is one with the same `key`, its other columns replaced; or as insert, by COPY, which is faster",
	  .example = "copy" },
	OPTION_KEY,
	OPTION_CREATE,
	OPTION_TURNS,
};

const struct weir_stage descriptor_sink_postgres = {
	STAGE_HEAD,
	.cursor_size_bytes = sizeof(uint64_t),
	.flags = WEIR_STAGE_CHECKS | WEIR_STAGE_DEFERS,
	.name = "postgres",
	.summary = "rows in a PostgreSQL table, each item exactly once",
	.description =
		"A transaction holds what comes within a millisecond, up to `in_flight` items, and says in a table of weir's own which they are: a "
		"worker that is killed, or a connection that is lost, between the server's commit and weir's is followed by one that passes over them. A row "
		"that the server refuses (a constraint, a type) makes its item a dead letter, and no other. While the server is away the sink "
		"waits, and its items stay in their lanes.",
	.options = postgres_options,
	.n_options = COUNT(postgres_options),
};
