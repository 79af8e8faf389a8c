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
	{ WEIR_OPERATOR, "exec", &exec_operator_callbacks },
	{ WEIR_OPERATOR, "take", &take_operator_callbacks },
	{ WEIR_OPERATOR, "throttle", &throttle_operator_callbacks },
	{ WEIR_OPERATOR, "sample", &sample_operator_callbacks },
	{ WEIR_OPERATOR, "delay", &delay_operator_callbacks },
	{ WEIR_OPERATOR, "filter", &filter_operator_callbacks },
	{ WEIR_OPERATOR, "map", &map_operator_callbacks },
	{ WEIR_SINK, "file", &file_sink_callbacks },
	{ WEIR_SINK, "stdout", &stdout_sink_callbacks },
	{ WEIR_SINK, "discard", &discard_sink_callbacks },
	{ WEIR_SINK, "exec", &exec_sink_callbacks },
};

const struct weir_stage *builtin_find(enum weir_role role, const char *kind)
{
	static struct weir_stage joined; /* a worker runs one stage */
	const struct weir_stage *descriptor = stage_descriptor_find(role, kind);

	for (size_t i = 0; descriptor && i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (builtins[i].role != role || strcmp(builtins[i].kind, kind) != 0)
			continue;
		joined = *descriptor;
		joined.open = builtins[i].callbacks->open;
		joined.process = builtins[i].callbacks->process;
		joined.produce = builtins[i].callbacks->produce;
		joined.flush = builtins[i].callbacks->flush;
		joined.end_run = builtins[i].callbacks->end_run;
		joined.finish = builtins[i].callbacks->finish;
		joined.close = builtins[i].callbacks->close;
		joined.run = builtins[i].callbacks->run;
		joined.check = builtins[i].callbacks->check;
		return &joined;
	}
	return NULL;
}
