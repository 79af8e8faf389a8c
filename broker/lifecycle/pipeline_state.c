/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "broker/lifecycle/pipeline_state.h"

static const struct {
	enum pipeline_state from;
	enum pipeline_event event;
	enum pipeline_guard guard;
	enum pipeline_state to;
} pipeline_moves[] = {
#define PIPELINE_STATE(id_, name_, summary_)
#define PIPELINE_EVENT(id_, name_, summary_)
#define PIPELINE_GUARD(id_, summary_)
#define PIPELINE_MOVE(from_, event_, guard_, to_) \
	{ PIPELINE_##from_, PIPELINE_EVENT_##event_, PIPELINE_GUARD_##guard_, PIPELINE_##to_ },
#include "broker/lifecycle/pipeline_state.def"
#undef PIPELINE_STATE
#undef PIPELINE_MOVE
};

const char *pipeline_state_name(enum pipeline_state state)
{
	static const char *const names[] = {
#define PIPELINE_STATE(id_, name_, summary_) [PIPELINE_##id_] = name_,
#define PIPELINE_MOVE(from_, event_, guard_, to_)
#include "broker/lifecycle/pipeline_state.def"
	};

	return (unsigned)state < PIPELINE_STATE_COUNT ? names[state] : "?";
}

bool pipeline_next(enum pipeline_state state, enum pipeline_event event, uint32_t holding,
		   enum pipeline_state *ret_next)
{
	holding |= 1u << PIPELINE_GUARD_NONE;
	for (size_t i = 0; i < sizeof(pipeline_moves) / sizeof(pipeline_moves[0]); i++) {
		if (pipeline_moves[i].from == state && pipeline_moves[i].event == event &&
		    holding & 1u << pipeline_moves[i].guard) {
			*ret_next = pipeline_moves[i].to;
			return true;
		}
	}
	return false;
}
