/* SPDX-License-Identifier: Apache-2.0 */
/* The lines that go with decisions. What is said, and about whom, is decided in broker/lifecycle/; here are the words. */
#include <string.h>

#include "broker/lifecycle/strategy.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

static void say_climbed(struct supervisor *supervisor, enum rung rung, const char *who)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	uint64_t now_ns = clock_now_ns(), deadline_ns = lifecycle->ladder.deadline_ns;
	char left[QUANTITY_TEXT_SIZE];

	waiting_for(supervisor, now_ns, &text);
	/* After a start that failed the diagnostic says all that people want to know. */
	supervisor_log(supervisor, lifecycle->outcome.start_failed ? WEIR_LOG_DEBUG : WEIR_LOG_NOTICE,
		       "%s (%s%s%s), %s left; waiting for: %s", rung_name(rung), who,
		       rung >= RUNG_CANCEL ? ", cause " : "", rung >= RUNG_CANCEL ? cause_name(lifecycle->cause) : "",
		       quantity_format_duration(deadline_ns > now_ns ? deadline_ns - now_ns : 0, left),
		       text_get(&text));
}

void supervisor_say(struct supervisor *supervisor, const struct action *action)
{
	switch (action->kind) {
	case ACTION_SAY_CLIMBED:
		say_climbed(supervisor, (enum rung)action->value, action->who);
		return;
	case ACTION_SAY_NOT_RESUMED:
		supervisor_log(supervisor, WEIR_LOG_WARNING,
			       "not resumed, it goes on to drain: not every source has said in time that it goes on");
		return;
	case ACTION_SAY_STOPPING_ALREADY:
		supervisor_log(supervisor, WEIR_LOG_NOTICE, "%s: stopping already; once more skips a rung",
			       action->who);
		return;
	case ACTION_SAY_START_FAILED:
		supervisor_say_start_failed(supervisor, NULL, (enum reason)action->value);
		return;
	case ACTION_SAY_ORPHANS_LEFT:
		supervisor_log(supervisor, WEIR_LOG_ERROR,
			       "processes that dead workers left behind do not die of SIGKILL; they are left behind");
		return;
	default:
		return;
	}
}

static void say_death(const struct seat *seat, enum next next, uint64_t delay_ns)
{
	char text[64], delay[QUANTITY_TEXT_SIZE];

	switch (next) {
	case NEXT_RESTART:
		snprintf(text, sizeof(text), "restart in %s", quantity_format_duration(delay_ns, delay));
		seat_obituary(seat, WEIR_LOG_WARNING, text);
		return;
	case NEXT_NOT_RESTARTED:
		seat_obituary(seat, WEIR_LOG_ERROR, "not restarted");
		return;
	case NEXT_TEMPORARY:
		seat_obituary(seat, WEIR_LOG_ERROR, NOT_RESTARTED_TEMPORARY);
		return;
	case NEXT_NOBODY:
		seat_obituary(seat, WEIR_LOG_INFO, NULL);
		return;
	case NEXT_REVERTED:
		seat_obituary(seat, WEIR_LOG_WARNING, "the spec before the reload comes back");
		return;
	case NEXT_EXPECTED:
		seat_obituary(seat, WEIR_LOG_DEBUG, NULL);
		return;
	}
}

static void say_siblings(const struct seat *dead)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const struct supervisor *supervisor = dead->supervisor;

	for (uint32_t i = supervisor->plan->n_slots; i-- > 0;) {
		const struct seat *seat = &supervisor->seats[i];

		if (seat->life->stopped_for == dead->slot)
			text_printf(&text, "%s%s#%u%s", text.length ? ", " : "", seat->stage->name, seat->worker_index,
				    seat->stage->restart_type == PLAN_TEMPORARY ? " (for good: temporary)" : "");
	}
	seat_log(dead, WEIR_LOG_NOTICE, "%s: stopped, to be restarted with it: %s",
		 strategy_name(supervisor->plan->strategy), text_get(&text));
}

static void say_returns(const struct seat *seat)
{
	_cleanup_(text_deinit) struct text manner = TEXT_NULL;

	seat_add_manner(seat, &manner);
	seat_log(seat, WEIR_LOG_INFO, "generation %u %s%s; %s", seat->generation, text_get(&manner),
		 seat->death.report.applied ? ", and the turn it had committed was finished for it" : "",
		 seat->supervisor->lifecycle.stages[seat->stage_number].abandoned ? "a stand-in takes its seat" :
		 seat->life->makes_room ? "it has made room for a worker with other options" :
					  "it comes back with its sibling");
}

void seat_say(struct seat *seat, const struct action *action)
{
	switch (action->kind) {
	case ACTION_SAY_NOT_STARTED:
		seat_log(seat, WEIR_LOG_WARNING, "cannot be started: %s", strerrordesc_np(action->value));
		return;
	case ACTION_SAY_NOT_READY:
		seat_log(seat, WEIR_LOG_WARNING, "is not ready after %.1f s (%s)",
			 (double)(clock_now_ns() - seat->spawned_ns) / (double)NS_PER_S,
			 seat_state_name(seat->life->state));
		return;
	case ACTION_SAY_HANGS:
		seat_log(seat, WEIR_LOG_WARNING, "said goodbye but does not exit; it is told to end by SIGTERM");
		return;
	case ACTION_SAY_OVERRUN:
		overrun_say(seat);
		return;
	case ACTION_SAY_DEAF:
		seat_log(seat, WEIR_LOG_WARNING, "SIGTERM: it does not stop for its cancel (%s)",
			 cause_name(load_relaxed(&seat->supervisor->board->slots[seat->slot].cause)));
		return;
	case ACTION_SAY_KILLED:
		seat_log(seat, WEIR_LOG_WARNING, "is told to end by SIGKILL");
		return;
	case ACTION_SAY_DEATH:
		say_death(seat, (enum next)action->value, action->at_ns);
		return;
	case ACTION_SAY_RETURNS:
		say_returns(seat);
		return;
	case ACTION_SAY_SIBLINGS:
		say_siblings(seat);
		return;
	case ACTION_SAY_NOT_RESUMED:
		seat_log(seat, WEIR_LOG_WARNING, "%s: not resumed, the pipeline goes on to drain",
			 action->value ? "its stage has failed, or is cancelled" : "has ended its stream");
		return;
	case ACTION_SAY_START_FAILED:
		supervisor_say_start_failed(seat->supervisor, seat, (enum reason)action->value);
		return;
	case ACTION_SAY_SCALED:
	case ACTION_SAY_RESTS:
	case ACTION_SAY_NOT_GROWN:
	case ACTION_SAY_NOT_SCALED:
		seat_say_scale(seat, action);
		return;
	default:
		seat_say_failure(seat, action);
		return;
	}
}
