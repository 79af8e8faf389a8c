/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in kinds one by one, for the registry and for the worker, which adds the callbacks to a copy. */
#pragma once

#include <weir/stage.h>

extern const struct weir_stage descriptor_source_file;
extern const struct weir_stage descriptor_source_stdin;
extern const struct weir_stage descriptor_source_generate;
extern const struct weir_stage descriptor_source_exec;
extern const struct weir_stage descriptor_source_tcp;
extern const struct weir_stage descriptor_source_unix;
extern const struct weir_stage descriptor_source_zmq;
extern const struct weir_stage descriptor_source_cron;
extern const struct weir_stage descriptor_source_http;
extern const struct weir_stage descriptor_operator_exec;
extern const struct weir_stage descriptor_operator_take;
extern const struct weir_stage descriptor_operator_throttle;
extern const struct weir_stage descriptor_operator_sample;
extern const struct weir_stage descriptor_operator_delay;
extern const struct weir_stage descriptor_operator_filter;
extern const struct weir_stage descriptor_operator_map;
extern const struct weir_stage descriptor_operator_lua;
extern const struct weir_stage descriptor_operator_route;
extern const struct weir_stage descriptor_operator_dedupe;
extern const struct weir_stage descriptor_operator_scatter;
extern const struct weir_stage descriptor_operator_gather;
extern const struct weir_stage descriptor_operator_batch;
extern const struct weir_stage descriptor_operator_window;
extern const struct weir_stage descriptor_operator_parse;
extern const struct weir_stage descriptor_operator_merge;
extern const struct weir_stage descriptor_operator_breaker;
extern const struct weir_stage descriptor_operator_retry;
extern const struct weir_stage descriptor_sink_file;
extern const struct weir_stage descriptor_sink_stdout;
extern const struct weir_stage descriptor_sink_discard;
extern const struct weir_stage descriptor_operator_lookup;
extern const struct weir_stage descriptor_sink_table;
extern const struct weir_stage descriptor_sink_exec;
extern const struct weir_stage descriptor_sink_zmq;
extern const struct weir_stage descriptor_sink_sqlite;
extern const struct weir_stage descriptor_sink_postgres;
extern const struct weir_stage descriptor_sink_http;

/* Options that several kinds share, each written once. */
#define OPTION_BINARY                                                                                         \
	{                                                                                                     \
		.name = "binary", .type = WEIR_TYPE_CHOICE, .fallback = "refuse", .choices = "refuse|accept", \
		.summary = "what to do with a file that holds NUL bytes, where lines were expected",          \
		.example = "accept"                                                                           \
	}
#define OPTION_TOO_LONG                                                                                           \
	{                                                                                                         \
		.name = "too_long", .type = WEIR_TYPE_CHOICE, .fallback = "reject", .choices = "reject|cut|fail", \
		.summary = "what to do with an item that is longer than half of the lane", .example = "cut"       \
	}
#define OPTION_COMMAND                                                                                             \
	{                                                                                                          \
		.name = "command", .type = WEIR_TYPE_COMMAND, .required = true,                                    \
		.summary = "the program: a list is its arguments, a string goes to sh -c", .example = "[sort, -u]" \
	}
#define OPTION_BLOCK                                                                                            \
	{                                                                                                       \
		.name = "block", .type = WEIR_TYPE_STRING, .fallback = "1MiB",                                  \
		.summary = "block mode: bytes of input for one run of the program; all: everything in one run", \
		.example = "256KiB"                                                                             \
	}
#define OPTION_BLOCK_WAIT                                                                                  \
	{                                                                                                  \
		.name = "block_wait", .type = WEIR_TYPE_DURATION, .fallback = "1s", .minimum = 1000000,    \
		.maximum = INT64_C(86400000000000),                                                        \
		.summary = "block mode: run the program at the latest so long after a block's first item", \
		.example = "200ms"                                                                         \
	}
#define OPTION_JOIN                                                                                              \
	{                                                                                                        \
		.name = "join", .type = WEIR_TYPE_CHOICE, .fallback = "lines", .choices = "lines|stanzas",       \
		.summary = "how items are written to the program: each as a line, or followed by an empty line", \
		.example = "stanzas"                                                                             \
	}
#define OPTION_SPLIT                                                                                        \
	{                                                                                                   \
		.name = "split", .type = WEIR_TYPE_CHOICE, .fallback = "lines", .choices = "lines|stanzas", \
		.summary = "how the program's output is cut into items: at line ends, or at empty lines",   \
		.example = "stanzas"                                                                        \
	}
#define OPTION_OK_EXIT                                                                                    \
	{                                                                                                 \
		.name = "ok_exit", .type = WEIR_TYPE_LIST, .fallback = "0", .minimum = 0, .maximum = 255, \
		.summary = "exit codes of the program that mean success", .example = "[0, 1]"             \
	}
/* Of programs in frame mode: docs/frame.md. */
#define OPTION_READY_WITHIN                                                                                      \
	{                                                                                                        \
		.name = "ready_within", .type = WEIR_TYPE_DURATION, .fallback = "30s", .minimum = 1000000,       \
		.maximum = INT64_C(86400000000000),                                                              \
		.summary = "frame mode: how long the program may take to start before it says that it is ready", \
		.example = "2m"                                                                                  \
	}
#define OPTION_ITEMS                                                                                          \
	{                                                                                                     \
		.name = "items", .type = WEIR_TYPE_CHOICE, .choices = "bytes|values",                         \
		.summary = "frame mode: the program is given the bytes of an item, or the value that it is; " \
			   "without it, values if what comes is decoded",                                     \
		.example = "values"                                                                           \
	}
/* What a program finds when it starts; common/stage/exec_surroundings.h reads the values. */
#define OPTION_ENV                                                                                                         \
	{                                                                                                                  \
		.name = "env", .type = WEIR_TYPE_LIST,                                                                     \
		.summary =                                                                                                 \
			"variables beside the usual (PATH, HOME, LANG ...): NAME hands on weir's own, NAME=value says it", \
		.example = "[DATABASE_URL, MODE=fast]"                                                                     \
	}
#define OPTION_CWD                                                                                           \
	{                                                                                                    \
		.name = "cwd", .type = WEIR_TYPE_PATH,                                                       \
		.summary = "folder that the program is started in; without it, the one weir was started in", \
		.example = "/srv/price"                                                                      \
	}
#define OPTION_USER                                                                                                     \
	{                                                                                                               \
		.name = "user", .type = WEIR_TYPE_STRING,                                                               \
		.summary =                                                                                              \
			"user, by name or number, whom the program runs as, with his groups; weir must be root for it", \
		.example = "nobody"                                                                                     \
	}
#define OPTION_NICE                                                                                               \
	{                                                                                                         \
		.name = "nice", .type = WEIR_TYPE_INTEGER, .minimum = -20, .maximum = 19,                         \
		.summary = "how much more gladly than weir it lets others have the processor; below 0: for root", \
		.example = "10"                                                                                   \
	}
#define OPTION_LIMITS                                                                                                                  \
	{                                                                                                                              \
		.name = "limits", .type = WEIR_TYPE_LIST,                                                                              \
		.summary =                                                                                                             \
			"what the program may use: memory, cpu, files, processes, file_size, stack, locked, core, as in setrlimit(2)", \
		.example = "[memory=1GiB, files=256]"                                                                                  \
	}
#define OPTIONS_SURROUNDINGS OPTION_ENV, OPTION_CWD, OPTION_USER, OPTION_NICE, OPTION_LIMITS
