/* SPDX-License-Identifier: Apache-2.0 */
/* A seat's states as a table. Pure. */
#pragma once

#include <stdbool.h>

#define SEAT_STATE(id_, name_, summary_)
#define SEAT_EVENT(id_, summary_)
#define SEAT_MOVE(from_, event_, to_)

enum seat_state {
#undef SEAT_STATE
#define SEAT_STATE(id_, name_, summary_) SEAT_##id_,
#include "broker/lifecycle/seat_state.def"
#undef SEAT_STATE
#define SEAT_STATE(id_, name_, summary_)
	SEAT_STATE_COUNT
};

enum seat_event {
#undef SEAT_EVENT
#define SEAT_EVENT(id_, summary_) SEAT_EVENT_##id_,
#include "broker/lifecycle/seat_state.def"
	SEAT_EVENT_COUNT
};

#undef SEAT_STATE
#undef SEAT_EVENT
#undef SEAT_MOVE

/* "ready", ...; static. */
const char *seat_state_name(enum seat_state state);

/* Where `event` leads from `state`. Returns true and the next state; false: no such move, ret_next untouched. */
bool seat_next(enum seat_state state, enum seat_event event, enum seat_state *ret_next);

/* A process may exist in this state. */
static inline bool seat_state_alive(enum seat_state state)
{
	return state >= SEAT_SPAWNED && state <= SEAT_LEAVING;
}

/* Its stage is open, and it works: what its status line says is what it does. */
static inline bool seat_state_works(enum seat_state state)
{
	return state == SEAT_READY || state == SEAT_OVERRUN;
}

/* Nothing more will happen here. */
static inline bool seat_state_over(enum seat_state state)
{
	return state == SEAT_DONE || state == SEAT_RETIRED || state == SEAT_LOST;
}
