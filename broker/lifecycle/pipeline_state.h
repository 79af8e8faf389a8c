/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's states as a table. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PIPELINE_STATE(id_, name_, summary_)
#define PIPELINE_EVENT(id_, name_, summary_)
#define PIPELINE_GUARD(id_, summary_)
#define PIPELINE_MOVE(from_, event_, guard_, to_)

enum pipeline_state {
#undef PIPELINE_STATE
#define PIPELINE_STATE(id_, name_, summary_) PIPELINE_##id_,
#include "broker/lifecycle/pipeline_state.def"
#undef PIPELINE_STATE
#define PIPELINE_STATE(id_, name_, summary_)
	PIPELINE_STATE_COUNT
};

enum pipeline_event {
#undef PIPELINE_EVENT
#define PIPELINE_EVENT(id_, name_, summary_) PIPELINE_EVENT_##id_,
#include "broker/lifecycle/pipeline_state.def"
#undef PIPELINE_EVENT
#define PIPELINE_EVENT(id_, name_, summary_)
	PIPELINE_EVENT_COUNT
};

enum pipeline_guard {
#undef PIPELINE_GUARD
#define PIPELINE_GUARD(id_, summary_) PIPELINE_GUARD_##id_,
#include "broker/lifecycle/pipeline_state.def"
	PIPELINE_GUARD_COUNT
};

#undef PIPELINE_STATE
#undef PIPELINE_EVENT
#undef PIPELINE_GUARD
#undef PIPELINE_MOVE

/* "starting", ...; static. */
const char *pipeline_state_name(enum pipeline_state state);

/*
 * Where `event` leads from `state` when the guards in `holding` (bits 1 << PIPELINE_GUARD_*; NONE always holds) hold.
 * Returns true and the next state; false: no such move, ret_next untouched.
 */
bool pipeline_next(enum pipeline_state state, enum pipeline_event event, uint32_t holding,
		   enum pipeline_state *ret_next);
