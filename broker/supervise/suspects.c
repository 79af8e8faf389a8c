/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board has room for one suspect of a seat, with its count. Mostly there is no more than one: it comes first until it is done with, or
 * a dead letter. But a suspect that its stage postpones lets others go before it, and one of these may kill, too:
 *
 *      a kills   suspect a, 1      a waits, b kills     suspect b, 1   aside: a, 1
 *                                  b waits, a kills     suspect a, 2   aside: b, 1
 *
 * Without what is set aside two such items would forget each other's count, and cost lives for ever. It is the supervisor's private
 * memory, as the story beside the count is (attempts.c): with a new supervisor those aside begin anew, and that is still an end.
 */
#include <stdlib.h>

#include "broker/supervise/supervisor_priv.h"

static void drop(struct seat *seat, uint32_t i)
{
	struct suspect *suspect = &seat->aside[i];

	while (suspect->n_deaths)
		free(suspect->deaths[--suspect->n_deaths].how);
	free(suspect->deaths);
	for (seat->n_aside--; i < seat->n_aside; i++)
		seat->aside[i] = seat->aside[i + 1];
}

void seat_forget_aside(struct seat *seat)
{
	while (seat->n_aside)
		drop(seat, seat->n_aside - 1);
	free(seat->aside);
	seat->aside = NULL;
}

void seat_forget_behind(struct seat *seat, const struct segment *segment)
{
	for (uint32_t i = seat->n_aside; i--;)
		if (mend_is_behind(segment, seat->aside[i].lane, seat->aside[i].position))
			drop(seat, i);
}

/* Each is the first of its lane that is not done, or of the letters: mostly one in all. */
static uint32_t aside_max(const struct seat *seat)
{
	return seat->segment.geometry.n_readers + 1;
}

/* Without memory its count is lost, and nothing else. */
static void set_aside(struct seat *seat)
{
	const struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];
	struct suspect *more;

	if (!slot->suspect_attempts)
		return;
	if (seat->n_aside > aside_max(seat))
		drop(seat, 0);
	more = reallocarray(seat->aside, seat->n_aside + 1, sizeof(*more));
	if (!more)
		return;
	seat->aside = more;
	more[seat->n_aside++] = (struct suspect){ .lane = slot->suspect_lane,
						  .attempts = slot->suspect_attempts,
						  .position = slot->suspect_position,
						  .deaths = seat->attempts,
						  .n_deaths = seat->n_attempts };
	seat->attempts = NULL;
	seat->n_attempts = 0;
}

uint32_t seat_exchange_suspect(struct seat *seat, uint32_t lane, uint64_t position)
{
	uint32_t attempts = 0;

	set_aside(seat);
	for (uint32_t i = 0; i < seat->n_aside && !attempts; i++) {
		struct suspect *suspect = &seat->aside[i];

		if (suspect->lane != lane || suspect->position != position)
			continue;
		attempts = suspect->attempts;
		seat_take_up_attempts(seat, suspect->deaths, suspect->n_deaths);
		suspect->deaths = NULL;
		suspect->n_deaths = 0;
		drop(seat, i);
	}
	return attempts;
}
