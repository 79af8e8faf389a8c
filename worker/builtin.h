/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callbacks of the built-in stages, one set a file of sources/, operators/, sinks/ and exec/: the callback members are set and nothing
 * else. builtin.c joins each with its descriptor of common/stage.
 */
#pragma once

#include <weir/stage.h>

extern const struct weir_stage file_source_callbacks;
extern const struct weir_stage stdin_source_callbacks;
extern const struct weir_stage generate_source_callbacks;
extern const struct weir_stage exec_source_callbacks;
extern const struct weir_stage sockets_source_callbacks;
extern const struct weir_stage zmq_source_callbacks;
extern const struct weir_stage cron_source_callbacks;
extern const struct weir_stage http_source_callbacks;
extern const struct weir_stage exec_operator_callbacks;
extern const struct weir_stage exec_frame_callbacks;
extern const struct weir_stage exec_frame_sink_callbacks;
extern const struct weir_stage exec_frame_source_callbacks;
extern const struct weir_stage take_operator_callbacks;
extern const struct weir_stage throttle_operator_callbacks;
extern const struct weir_stage sample_operator_callbacks;
extern const struct weir_stage delay_operator_callbacks;
extern const struct weir_stage filter_operator_callbacks;
extern const struct weir_stage map_operator_callbacks;
extern const struct weir_stage lua_operator_callbacks;
extern const struct weir_stage route_operator_callbacks;
extern const struct weir_stage dedupe_operator_callbacks;
extern const struct weir_stage scatter_operator_callbacks;
extern const struct weir_stage gather_operator_callbacks;
extern const struct weir_stage batch_operator_callbacks;
extern const struct weir_stage window_operator_callbacks;
extern const struct weir_stage parse_operator_callbacks;
extern const struct weir_stage merge_operator_callbacks;
extern const struct weir_stage calls_operator_callbacks;
extern const struct weir_stage exec_sink_callbacks;
extern const struct weir_stage file_sink_callbacks;
extern const struct weir_stage lookup_operator_callbacks;
extern const struct weir_stage table_sink_callbacks;
extern const struct weir_stage stdout_sink_callbacks;
extern const struct weir_stage discard_sink_callbacks;
extern const struct weir_stage zmq_sink_callbacks;
extern const struct weir_stage sqlite_sink_callbacks;
extern const struct weir_stage postgres_sink_callbacks;
extern const struct weir_stage http_sink_callbacks;

/*
 * The built-in stage of that role and kind ("file", "exec"), descriptor and callbacks joined; static. `mode`: the option of that name, which
 * some kinds have callbacks of their own for; NULL: not given. NULL if there is none.
 */
const struct weir_stage *builtin_find(enum weir_role role, const char *kind, const char *mode);
