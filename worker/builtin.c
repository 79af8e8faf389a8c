/* SPDX-License-Identifier: Apache-2.0 */
/* Joins the built-in stages' descriptors (common/stage: what the supervisor knows too) with their callbacks (here alone). */
#include <stddef.h>
#include <string.h>

#include "common/stage/registry.h"
#include "worker/builtin.h"

static const struct {
	enum weir_role role;
	const char *kind;
	const struct weir_stage *callbacks;
} builtins[] = {
	{ WEIR_SOURCE, "file", &file_source_callbacks },
	{ WEIR_SOURCE, "stdin", &stdin_source_callbacks },
	{ WEIR_SOURCE, "generate", &generate_source_callbacks },
	{ WEIR_SOURCE, "exec", &exec_source_callbacks },
	{ WEIR_SOURCE, "tcp", &sockets_source_callbacks },
	{ WEIR_SOURCE, "unix", &sockets_source_callbacks },
	{ WEIR_SOURCE, "zmq", &zmq_source_callbacks },
	{ WEIR_SOURCE, "cron", &cron_source_callbacks },
	{ WEIR_SOURCE, "http", &http_source_callbacks },
	{ WEIR_OPERATOR, "exec", &exec_operator_callbacks },
	{ WEIR_OPERATOR, "take", &take_operator_callbacks },
	{ WEIR_OPERATOR, "throttle", &throttle_operator_callbacks },
	{ WEIR_OPERATOR, "sample", &sample_operator_callbacks },
	{ WEIR_OPERATOR, "delay", &delay_operator_callbacks },
	{ WEIR_OPERATOR, "filter", &filter_operator_callbacks },
	{ WEIR_OPERATOR, "map", &map_operator_callbacks },
	{ WEIR_OPERATOR, "lua", &lua_operator_callbacks },
	{ WEIR_OPERATOR, "route", &route_operator_callbacks },
	{ WEIR_OPERATOR, "dedupe", &dedupe_operator_callbacks },
	{ WEIR_OPERATOR, "scatter", &scatter_operator_callbacks },
	{ WEIR_OPERATOR, "gather", &gather_operator_callbacks },
	{ WEIR_OPERATOR, "batch", &batch_operator_callbacks },
	{ WEIR_OPERATOR, "window", &window_operator_callbacks },
	{ WEIR_OPERATOR, "parse", &parse_operator_callbacks },
	{ WEIR_OPERATOR, "merge", &merge_operator_callbacks },
	{ WEIR_OPERATOR, "breaker", &calls_operator_callbacks },
	{ WEIR_OPERATOR, "retry", &calls_operator_callbacks },
	{ WEIR_SINK, "file", &file_sink_callbacks },
	{ WEIR_SINK, "stdout", &stdout_sink_callbacks },
	{ WEIR_SINK, "discard", &discard_sink_callbacks },
	{ WEIR_SINK, "exec", &exec_sink_callbacks },
	{ WEIR_OPERATOR, "lookup", &lookup_operator_callbacks },
	{ WEIR_SINK, "table", &table_sink_callbacks },
	{ WEIR_SINK, "zmq", &zmq_sink_callbacks },
	{ WEIR_SINK, "sqlite", &sqlite_sink_callbacks },
	{ WEIR_SINK, "postgres", &postgres_sink_callbacks },
	{ WEIR_SINK, "http", &http_sink_callbacks },
};

/* Where the option `mode` says this, these callbacks stand in for those above. */
static const struct {
	const struct weir_stage *instead_of;
	const char *mode;
	const struct weir_stage *callbacks;
} modes[] = {
	{ &exec_operator_callbacks, "frame", &exec_frame_callbacks },
	{ &exec_sink_callbacks, "frame", &exec_frame_sink_callbacks },
	{ &exec_source_callbacks, "frame", &exec_frame_source_callbacks },
};

static const struct weir_stage *callbacks_for(const struct weir_stage *callbacks, const char *mode)
{
	for (size_t i = 0; mode && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (modes[i].instead_of == callbacks && strcmp(modes[i].mode, mode) == 0)
			return modes[i].callbacks;
	return callbacks;
}

const struct weir_stage *builtin_find(enum weir_role role, const char *kind, const char *mode)
{
	static struct weir_stage joined; /* a worker runs one stage */
	const struct weir_stage *descriptor = stage_descriptor_find(role, kind), *callbacks;

	for (size_t i = 0; descriptor && i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (builtins[i].role != role || strcmp(builtins[i].kind, kind) != 0)
			continue;
		callbacks = callbacks_for(builtins[i].callbacks, mode);
		joined = *descriptor;
		joined.flags |= callbacks->flags;
		joined.open = callbacks->open;
		joined.process = callbacks->process;
		joined.produce = callbacks->produce;
		joined.flush = callbacks->flush;
		joined.end_run = callbacks->end_run;
		joined.finish = callbacks->finish;
		joined.close = callbacks->close;
		joined.run = callbacks->run;
		joined.check = callbacks->check;
		return &joined;
	}
	return NULL;
}
