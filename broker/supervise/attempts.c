/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attempt log: how the workers died that the present suspect of a seat has cost. The count is the board's (mend.c); this is the story
 * beside it, for the dead letter. It is the supervisor's private memory, and the next generation gets a copy with its heritage.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/error.h"

static void cut(struct seat *seat, uint32_t n)
{
	while (seat->n_attempts > n)
		free(seat->attempts[--seat->n_attempts].how);
}

void seat_forget_attempts(struct seat *seat)
{
	cut(seat, 0);
	free(seat->attempts);
	seat->attempts = NULL;
	seat_forget_aside(seat);
}

void seat_take_up_attempts(struct seat *seat, struct heritage_death *deaths, uint32_t n)
{
	cut(seat, 0);
	free(seat->attempts);
	seat->attempts = deaths;
	seat->n_attempts = n;
}

void seat_note_attempt(struct seat *seat)
{
	uint32_t n = seat->supervisor->board->slots[seat->slot].suspect_attempts;
	struct heritage_death *more;
	struct text how = TEXT_NULL;

	if (!n)
		cut(seat, 0);
	if (!n || !seat->death.report.in_hand)
		return;
	cut(seat, n - 1); /* another suspect begins at 1, or where it was set aside */
	if (seat->n_attempts >= HERITAGE_DEATHS_MAX)
		return;
	more = reallocarray(seat->attempts, seat->n_attempts + 1, sizeof(*more));
	if (!more)
		return; /* a gap in the story, never in the count */
	seat->attempts = more;
	seat_add_manner(seat, &how);
	overrun_describe(seat, &how);
	seat_add_backtrace(seat, &how);
	seat_add_last_events(seat, &how);
	more[seat->n_attempts++] = (struct heritage_death){
		.when_ns = clock_realtime_ns(),
		.pid = (int32_t)seat->last_pid,
		.generation = seat->generation,
		.how = text_steal(&how),
		.overrun = seat->overrun.known,
	};
}

int seat_fill_attempts(const struct seat *seat, struct heritage *heritage)
{
	if (!seat->n_attempts)
		return 0;
	heritage->deaths = calloc(seat->n_attempts, sizeof(*heritage->deaths));
	if (!heritage->deaths)
		return error_origin(-ENOMEM);
	for (; heritage->n_deaths < seat->n_attempts; heritage->n_deaths++) {
		struct heritage_death *death = &heritage->deaths[heritage->n_deaths];

		*death = seat->attempts[heritage->n_deaths];
		death->how = strdup(death->how);
		if (!death->how)
			return error_origin(-ENOMEM);
	}
	return 0;
}
