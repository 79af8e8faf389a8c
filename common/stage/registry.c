/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up built-in stage kinds. The tables themselves are in descriptors_*.c. */
#include <string.h>

#include "common/stage/descriptors.h"
#include "common/stage/registry.h"

const struct weir_stage *const stage_descriptors[] = {
	&descriptor_source_file,      &descriptor_source_stdin,    &descriptor_source_generate,
	&descriptor_source_exec,      &descriptor_source_tcp,      &descriptor_source_unix,
	&descriptor_source_zmq,       &descriptor_source_cron,     &descriptor_source_http,
	&descriptor_operator_exec,    &descriptor_operator_take,   &descriptor_operator_throttle,
	&descriptor_operator_sample,  &descriptor_operator_delay,  &descriptor_operator_filter,
	&descriptor_operator_map,     &descriptor_operator_lua,    &descriptor_operator_route,
	&descriptor_operator_dedupe,  &descriptor_operator_window, &descriptor_operator_batch,
	&descriptor_operator_scatter, &descriptor_operator_gather, &descriptor_operator_lookup,
	&descriptor_operator_parse,   &descriptor_operator_merge,  &descriptor_operator_breaker,
	&descriptor_operator_retry,   &descriptor_sink_file,       &descriptor_sink_stdout,
	&descriptor_sink_discard,     &descriptor_sink_table,      &descriptor_sink_exec,
	&descriptor_sink_zmq,         &descriptor_sink_sqlite,     &descriptor_sink_postgres,
	&descriptor_sink_http,
};
const size_t n_stage_descriptors = sizeof(stage_descriptors) / sizeof(stage_descriptors[0]);

const struct weir_stage *stage_descriptor_find(enum weir_role role, const char *name)
{
	for (size_t i = 0; i < n_stage_descriptors; i++)
		if (stage_descriptors[i]->role == role && strcmp(stage_descriptors[i]->name, name) == 0)
			return stage_descriptors[i];
	return NULL;
}

const char *stage_role_name(enum weir_role role)
{
	static const char *const names[] = {
		[WEIR_SOURCE] = "source", [WEIR_OPERATOR] = "operator", [WEIR_SINK] = "sink"
	};
	size_t index = (size_t)role;

	return index < sizeof(names) / sizeof(names[0]) && names[index] ? names[index] : "?";
}

const char *stage_option_type_name(enum weir_option_type type)
{
	static const char *const names[] = {
		[WEIR_TYPE_STRING] = "string", [WEIR_TYPE_INTEGER] = "integer",   [WEIR_TYPE_BOOLEAN] = "boolean",
		[WEIR_TYPE_SIZE] = "size",     [WEIR_TYPE_DURATION] = "duration", [WEIR_TYPE_RATE] = "rate",
		[WEIR_TYPE_CHOICE] = "choice", [WEIR_TYPE_LIST] = "list",         [WEIR_TYPE_COMMAND] = "command",
		[WEIR_TYPE_PATH] = "path",     [WEIR_TYPE_SHARE] = "share",       [WEIR_TYPE_MAP] = "map of names",
		[WEIR_TYPE_KEY] = "key",
	};
	size_t index = (size_t)type;

	return index < sizeof(names) / sizeof(names[0]) && names[index] ? names[index] : "?";
}
