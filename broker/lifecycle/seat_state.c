/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "broker/lifecycle/seat_state.h"

/* 0: no such move; else the next state + 1 */
static const uint8_t seat_moves[SEAT_STATE_COUNT][SEAT_EVENT_COUNT] = {
#define SEAT_STATE(id_, name_, summary_)
#define SEAT_EVENT(id_, summary_)
#define SEAT_MOVE(from_, event_, to_) [SEAT_##from_][SEAT_EVENT_##event_] = SEAT_##to_ + 1,
#include "broker/lifecycle/seat_state.def"
#undef SEAT_STATE
#undef SEAT_MOVE
};

const char *seat_state_name(enum seat_state state)
{
	static const char *const names[] = {
#define SEAT_STATE(id_, name_, summary_) [SEAT_##id_] = name_,
#define SEAT_MOVE(from_, event_, to_)
#include "broker/lifecycle/seat_state.def"
	};

	return (unsigned)state < SEAT_STATE_COUNT ? names[state] : "?";
}

bool seat_next(enum seat_state state, enum seat_event event, enum seat_state *ret_next)
{
	uint8_t cell = seat_moves[state][event];

	if (!cell)
		return false;
	*ret_next = (enum seat_state)(cell - 1);
	return true;
}
