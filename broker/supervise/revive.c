/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a crash: the next generation, or the end.
 *
 *      death --- progressed, or fewer than `intensity` without progress in `period` ---> back-off ---> spawn
 *            |                                                                           siblings.c stops who goes with it
 *            \-- beyond it -----> before RUN: the start has failed (75, or 1 if the spec is to blame)
 *                and temporary --> after RUN:  on_failure: degrade, and a sibling is left: this seat is retired
 *                            |-->             on_failure: drop_branch: stand-ins take its seats (abandon.c), exit 3
 *                            \-->             else the stage has failed: cancel everybody (sibling_failed), exit 3
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

void seat_refill(struct seat *seat)
{
	int r;

	seat->waits = false;
	r = seat_spawn(seat);
	if (r < 0) {
		seat_log(seat, WEIR_LOG_WARNING, "cannot be started: %s", strerrordesc_np(-r));
		seat_restart(seat, false);
		supervisor_check_end(seat->supervisor);
	}
}

static int on_backoff_over(sd_event_source *source, uint64_t at_us, void *data)
{
	struct seat *seat = data;

	(void)source;
	(void)at_us;
	timer_stop(&seat->timer);
	seat->waits = siblings_awaited(seat->supervisor);
	if (!seat->waits)
		seat_refill(seat);
	return 0;
}

void seat_back_off(struct seat *seat)
{
	seat->generation++;
	seat->restarts++;
	seat->waits = false;
	seat_must_move(seat, SEAT_EVENT_RESTART);
	timer_set(seat->supervisor, &seat->timer, seat->restart_ns, on_backoff_over, seat);
}

static uint32_t chance(void)
{
	uint32_t random = UINT32_MAX / 2;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = UINT32_MAX / 2; /* too early after boot: no jitter then */
	return random;
}

void seat_give_up(struct seat *seat, const char *why)
{
	if (seat_may_retire(seat) && seat_retire(seat, why) == 0)
		return;
	if (seat_abandon(seat, why))
		return;
	seat_must_move(seat, SEAT_EVENT_GIVE_UP);
	if (seat->supervisor->started_ns)
		seat_fail_stage(seat, why);
	else
		supervisor_fail_start(seat->supervisor, seat->stage, false, why);
	seat_close_lost(seat);
}

static void give_up_after_too_many(struct seat *seat)
{
	const struct restart_policy *policy = &seat->supervisor->stages[seat->stage_number].policy;
	char why[160], period[QUANTITY_TEXT_SIZE];

	snprintf(why, sizeof(why), "more than %u deaths without progress in %s (restart: intensity, period)",
		 policy->intensity, quantity_format_duration(policy->period_ns, period));
	if (seat->death.when_ns)
		seat_obituary(seat, WEIR_LOG_ERROR, "not restarted");
	seat_give_up(seat, why);
}

void seat_restart(struct seat *seat, bool progressed)
{
	struct stage_watch *watch = &seat->supervisor->stages[seat->stage_number];
	char next[64], delay[QUANTITY_TEXT_SIZE];
	uint64_t now_ns = clock_now_ns(), delay_ns;

	if (!restart_allowed(seat->stage->degrade ? &seat->history : &watch->history, &watch->policy, now_ns,
			     progressed)) {
		give_up_after_too_many(seat);
		return;
	}
	seat->failures = progressed ? 0 : seat->failures + 1;
	delay_ns = restart_backoff_ns(&watch->policy, seat->failures, chance());
	snprintf(next, sizeof(next), "restart in %s", quantity_format_duration(delay_ns, delay));
	if (seat->death.when_ns)
		seat_obituary(seat, WEIR_LOG_WARNING, next);
	seat->restart_ns = now_ns + delay_ns;
	seat_back_off(seat);
	if (seat->death.when_ns) /* not after a failed fork: they are down already, or have come back before it */
		siblings_stop(seat);
}

void seat_return(struct seat *seat)
{
	seat_log(seat, WEIR_LOG_INFO, "generation %u is stopped%s, and comes back with its sibling", seat->generation,
		 seat->death.report.applied ? "; the turn it had committed was finished for it" : "");
	seat_back_off(seat);
}

void supervisor_note_failure(struct supervisor *supervisor, const struct plan_stage *stage,
			     struct spec_position position, const char *message)
{
	if (supervisor->failure_message || !message)
		return;
	supervisor->failure_message = strdup(message);
	supervisor->failure = (struct supervisor_failure){ .position = position,
							   .stage = stage ? stage->name : NULL,
							   .message = supervisor->failure_message };
}

void seat_note_failure(const struct seat *seat)
{
	const struct plan_stage *stage = seat->stage;
	const struct goodbye *goodbye = &seat->goodbye;
	struct spec_position position = stage->kind_position.line ? stage->kind_position : stage->position;

	for (uint32_t i = 0; goodbye->option && i < stage->n_options; i++)
		if (strcmp(stage->options[i].name, goodbye->option) == 0 && stage->options[i].line)
			position = (struct spec_position){ stage->options[i].line, stage->options[i].column };
	supervisor_note_failure(seat->supervisor, stage, position,
				goodbye->reason ? goodbye->reason : "the stage can't open");
}

void supervisor_fail_start(struct supervisor *supervisor, const struct plan_stage *stage, bool spec_matter,
			   const char *why)
{
	if (!supervisor->outcome.start_failed) {
		supervisor->outcome.start_failed = true;
		supervisor->outcome.spec_matter = spec_matter;
		supervisor_note_failure(supervisor, stage, (struct spec_position){ 0 }, why);
	}
	ladder_climb(supervisor, RUNG_CANCEL, CAUSE_SIBLING_FAILED, "the start failed");
}

void seat_fail_stage(struct seat *seat, const char *why)
{
	struct supervisor *supervisor = seat->supervisor;

	supervisor->outcome.stage_failed = true;
	supervisor_note_failure(supervisor, seat->stage, (struct spec_position){ 0 }, why);
	stage_log(&supervisor->stages[seat->stage_number], WEIR_LOG_ERROR, "has failed: %s", why);
	ladder_climb(supervisor, RUNG_CANCEL, CAUSE_SIBLING_FAILED, seat->stage->name);
}

void seat_fail_source(struct seat *seat, const char *why)
{
	struct supervisor *supervisor = seat->supervisor;

	supervisor->outcome.stage_failed = true;
	supervisor_note_failure(supervisor, seat->stage, (struct spec_position){ 0 }, why);
	stage_log(&supervisor->stages[seat->stage_number], WEIR_LOG_ERROR,
		  "has failed: %s; what it gave before is finished", why);
	if (!seat->stage->drop_branch)
		supervisor_drain(supervisor, 0, seat->stage->name);
}

void seat_fail_corrupt(struct seat *seat, const char *why)
{
	struct supervisor *supervisor = seat->supervisor;

	supervisor->outcome.corrupt = true;
	seat->quarantined = true;
	/* A neighbour may have stumbled over it first; the end has to name where it comes from. */
	free(supervisor->failure_message);
	supervisor->failure_message = NULL;
	seat_obituary(seat, WEIR_LOG_ERROR, why);
	seat_must_move(seat, SEAT_EVENT_GIVE_UP);
	seat_fail_stage(seat, why);
	supervisor_check_end(supervisor);
}
