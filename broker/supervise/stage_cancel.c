/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage is cancelled, and the pipeline goes on without it: on_failure: drop_branch by order, and what is proved of that holds here
 * (broker/lifecycle/failure.c). Each of its workers takes the ladder that is everybody's (seat_ladder.c): it is told, acknowledges, commits
 * what is whole, runs its cleaners, says goodbye; who does not gets SIGTERM and SIGKILL. Stand-ins follow.
 *
 * What the stage had not finished, and what still comes, is discarded and counted as cancelled, with the cause, which stands on the board
 * for the stand-ins. Of a stage with in_flight above 1 too: what has ended out of order has its done-bit, and the stand-in steps over it.
 */
#include <stdio.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/must.h"

static void cancel_stage(struct supervisor *supervisor, uint32_t number, enum cause cause, const char *who)
{
	const struct plan_stage *stage = &supervisor->plan->stages[number];
	struct event event = { .kind = EVENT_CANCEL_STAGE, .seat = stage->first_slot, .cause = cause };

	stage_log(&supervisor->stages[number], WEIR_LOG_NOTICE,
		  "is cancelled (%s, cause %s): what comes to it is discarded", who, cause_name(cause));
	snprintf(event.who, sizeof(event.who), "%s", who);
	metrics_cancelled(supervisor, cause);
	history_note_stage(supervisor, number, HISTORY_CANCEL, cause_name(cause), "%s", who);
	supervisor_post(supervisor, &event);
}

int supervisor_cancel_stage(struct supervisor *supervisor, const char *name, enum cause cause, const char *who,
			    struct text *why)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	uint32_t number;

	must(plan_find_stage(supervisor->plan, name, &number));
	if (lifecycle->stages[number].abandoned || lifecycle->ladder.rung >= RUNG_CANCEL || lifecycle->finished)
		return SUPERVISOR_E_ALREADY;
	if (!lifecycle->started_ns) {
		text_add(why, "the pipeline has not begun to run; ask again");
		return SUPERVISOR_E_TOO_EARLY;
	}
	cancel_stage(supervisor, number, cause, who);
	return 0;
}

uint32_t supervisor_stage_unseen(const struct supervisor *supervisor, const char *name, struct text *text)
{
	uint32_t number, n = 0;
	const struct plan_stage *stage = plan_find_stage(supervisor->plan, name, &number);

	text_add_char(text, '[');
	for (uint32_t i = 0; stage && i < stage->workers; i++) {
		const struct seat *seat = &supervisor->seats[stage->first_slot + i];

		if (seat->life->state == SEAT_STOPPING && !seat->cancel_seen)
			seat_format_json(seat, n++, text);
	}
	text_add_char(text, ']');
	return n;
}
