/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in sources, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))
#define STAGE_HEAD .abi = WEIR_STAGE_ABI, .size_bytes = sizeof(struct weir_stage)

static const struct weir_option file_options[] = {
	{ .name = "path",
	  .type = WEIR_TYPE_LIST,
	  .required = true,
	  .summary = "one or many files, read one after the other; * ? [] are expanded, sorted",
	  .example = "[old.log, 'logs/*.log']" },
	{ .name = "follow",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "false",
	  .summary =
		  "read on as the files grow, through their rotation, and read files that come later; the stream has no end",
	  .example = "true" },
	{ .name = "resume",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "true",
	  .summary =
		  "follow: go on where the last run of this pipeline ended, if everything it had read has arrived; else where that one began",
	  .example = "false" },
	{ .name = "start",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "beginning",
	  .choices = "beginning|end",
	  .summary =
		  "follow: where to begin in the files that are there when the pipeline starts for the first time; those that come later are read as a whole",
	  .example = "end" },
	{ .name = "rotated_wait",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "5s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "follow: a file that has lost its name ends when nothing has come for so long",
	  .example = "30s" },
	{ .name = "look_every",
	  .type = WEIR_TYPE_DURATION,
	  .minimum = 10000000,
	  .maximum = INT64_C(86400000000000),
	  .summary =
		  "follow: look at all files so often, told or not; without it every 30s, or 1s where the kernel does not tell: network file systems, symlinks, folders that are not there",
	  .example = "5s" },
	{ .name = "open_files",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1000",
	  .minimum = 1,
	  .maximum = 60000,
	  .summary = "follow: files that are kept open at a time; the others are opened when they have grown",
	  .example = "200" },
	OPTION_BINARY,
	OPTION_TOO_LONG,
};

const struct weir_stage descriptor_source_file = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.n_spools = 1,
	.name = "file",
	.summary = "the lines of one or many files",
	.description =
		"Reads files line by line; a line is one item, without its newline. A last line without a newline counts too. "
		"With decode: csv a record ends where CSV says, with msgpack where the value ends. "
		"The position is committed with the items, so a restarted worker goes on at the exact byte. "
		"With follow: true it does not end: a file that has lost its name (rotated, deleted) is read to its end, then the one that "
		"has the name now; one that was truncated or written anew is read from its beginning; a last line waits for its newline.",
	.options = file_options,
	.n_options = COUNT(file_options),
};

static const struct weir_option stdin_options[] = { OPTION_BINARY, OPTION_TOO_LONG };

const struct weir_stage descriptor_source_stdin = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.n_spools = 1,
	.name = "stdin",
	.summary = "the lines of standard input",
	.description =
		"Reads weir's own standard input line by line. What has left a pipe lies in memory that outlives the worker until its "
		"items are committed, so a restarted worker loses nothing; a file is read on at the exact byte. With decode: csv or msgpack "
		"records end as in the file source.",
	.options = stdin_options,
	.n_options = COUNT(stdin_options),
};

static const struct weir_option generate_options[] = {
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "how many items; without it, items without end",
	  .example = "10k" },
	{ .name = "rate",
	  .type = WEIR_TYPE_RATE,
	  .minimum = 1,
	  .maximum = INT64_C(1000000000),
	  .summary = "items a second; without it, as fast as the pipeline takes them",
	  .example = "1000/s" },
	{ .name = "scopes",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary =
		  "item {n} belongs to the scope with number 1 + ({n} - 1) modulo so many, for weir cancel --scope; without it, to none",
	  .example = "1000" },
	{ .name = "size",
	  .type = WEIR_TYPE_SIZE,
	  .minimum = 1,
	  .maximum = INT64_C(16777216),
	  .summary = "pad each item with 'x' up to so many bytes",
	  .example = "1KiB" },
	{ .name = "text",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "item {n}",
	  .summary = "the item; {n} is its number, from 1",
	  .example = "'order {n}'" },
};

const struct weir_stage descriptor_source_generate = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.name = "generate",
	.summary = "items made up on the spot, for trying things out",
	.description =
		"Makes numbered items, at full speed or at a steady rate, a given number of them or without end.",
	.options = generate_options,
	.n_options = COUNT(generate_options),
};

static const struct weir_option exec_options[] = {
	OPTION_COMMAND,
	{ .name = "mode",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "output",
	  .choices = "output|frame",
	  .summary =
		  "output: what the program writes to its standard output is cut into items; frame: it gives items one by one, with ids and "
		  "positions, and is told when they are committed (weir-frame(7))",
	  .example = "frame" },
	OPTION_SPLIT,
	{ .name = "resume",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "rerun",
	  .choices = "rerun|none|fail",
	  .summary =
		  "after a worker's death: rerun the program and skip what is done; none: run it anew and take all; fail: end the run",
	  .example = "fail" },
	OPTION_OK_EXIT,
	OPTION_TOO_LONG,
	{ .name = "items",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "bytes",
	  .choices = "bytes|values",
	  .summary =
		  "frame mode: the program gives bytes, which decode may make something of; or values, which are structured items",
	  .example = "values" },
	{ .name = "keep_position",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "true",
	  .summary =
		  "frame mode: the program of the next run is told the position at which this run ended, if all that was read has arrived; else the one at which it began",
	  .example = "false" },
	{ .name = "answer_within",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "30s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "frame mode: a program that does not read what it is told for so long is ended, and started again",
	  .example = "500ms" },
	OPTION_READY_WITHIN,
	OPTIONS_SURROUNDINGS,
};

const struct weir_stage descriptor_source_exec = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.name = "exec",
	.summary = "what a program writes to its standard output",
	.description =
		"In output mode the program is run once and its output cut into items: lines, or stanzas that end at an empty line. The stream ends when the "
		"program does; an exit code that is not in ok_exit fails the stage. With decode: csv a record is one line. In frame mode the program sends "
		"items as msgpack on a descriptor of its own, each with an id, and is told when they are committed; at most in_flight of them are taken before "
		"that. With an item it may send the position behind it, which is committed with the item and told to the next program, so each item "
		"is taken once through any kill (weir-frame(7); for Python there is a module).",
	.options = exec_options,
	.n_options = COUNT(exec_options),
};

/* Of both; by name, as all options are. */
#define OPTION_ACK                                                                                                       \
	{                                                                                                                \
		.name = "ack", .type = WEIR_TYPE_BOOLEAN, .fallback = "false",                                           \
		.summary =                                                                                               \
			"answer each line with the line ok once it is committed, or refused if it became a dead letter", \
		.example = "true"                                                                                        \
	}
#define OPTION_BUFFER                                                                                                 \
	{                                                                                                             \
		.name = "buffer", .type = WEIR_TYPE_SIZE, .fallback = "16MiB", .minimum = 4096, .maximum = INT64_MAX, \
		.summary = "memory for lines without an end, of all connections; beyond it the longest is refused",   \
		.example = "64MiB"                                                                                    \
	}
#define OPTION_CONNECTIONS                                                                                            \
	{                                                                                                             \
		.name = "connections", .type = WEIR_TYPE_INTEGER, .fallback = "1000", .minimum = 1, .maximum = 60000, \
		.summary = "so many at a time; others wait until one ends", .example = "5000"                         \
	}
#define OPTION_HALF_LINE                                                                                               \
	{                                                                                                              \
		.name = "half_line", .type = WEIR_TYPE_DURATION, .fallback = "1m", .minimum = 1000000,                 \
		.maximum = INT64_C(86400000000000),                                                                    \
		.summary = "a line that was begun and has no end after so long is refused, and its connection closed", \
		.example = "10s"                                                                                       \
	}

static const struct weir_option tcp_options[] = {
	OPTION_ACK,
	OPTION_BUFFER,
	OPTION_CONNECTIONS,
	OPTION_HALF_LINE,
	{ .name = "listen",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "HOST:PORT to listen at; * stands for every address of this host",
	  .example = "127.0.0.1:7000" },
	OPTION_TOO_LONG,
};

#define SOCKETS_DESCRIPTION                                                                                    \
	"Many connections in one worker; each line is one item, a last line without a newline counts. A full " \
	"lane holds up the senders: what it has no room for stays in their sockets. What was sent and not "    \
	"committed when a worker is killed, or the pipeline ends, is lost to a sender who is not told: "       \
	"ack: true tells him, line by line, after the commit. The stream has no end but a drain."

const struct weir_stage descriptor_source_tcp = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.name = "tcp",
	.summary = "lines that others send over TCP",
	.description = SOCKETS_DESCRIPTION,
	.options = tcp_options,
	.n_options = COUNT(tcp_options),
};

static const struct weir_option unix_options[] = {
	OPTION_ACK,
	OPTION_BUFFER,
	OPTION_CONNECTIONS,
	OPTION_HALF_LINE,
	{ .name = "mode",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "0600",
	  .summary = "who may connect: the socket's mode, in octal",
	  .example = "'0660'" },
	{ .name = "path",
	  .type = WEIR_TYPE_PATH,
	  .required = true,
	  .summary = "the socket; one that is left over and that nobody listens at is replaced",
	  .example = "/run/app/log.sock" },
	OPTION_TOO_LONG,
};

const struct weir_stage descriptor_source_unix = {
	STAGE_HEAD,
	.role = WEIR_SOURCE,
	.name = "unix",
	.summary = "lines that others send over a Unix socket",
	.description = SOCKETS_DESCRIPTION,
	.options = unix_options,
	.n_options = COUNT(unix_options),
};
