/* SPDX-License-Identifier: Apache-2.0 */
/* The end: nobody is left, so the books are closed. */
#include "broker/supervise/supervisor_priv.h"

void supervisor_stop_timers(struct supervisor *supervisor)
{
	timer_stop(&supervisor->ladder_timer);
	timer_stop(&supervisor->start_timer);
	timer_stop(&supervisor->deadline_timer);
	timer_stop(&supervisor->orphans_timer);
	stalls_stop(supervisor);
	for (uint32_t i = 0; supervisor->stages && i < supervisor->plan->n_stages; i++)
		timer_stop(&supervisor->stages[i].limit_timer);
}

static void report_suppressed(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_stages; i++) {
		uint64_t suppressed = line_limit_take(&supervisor->stages[i].limit);

		if (suppressed)
			stage_log(&supervisor->stages[i], WEIR_LOG_WARNING, "%llu more lines on stderr, not shown",
				  (unsigned long long)suppressed);
	}
}

void supervisor_check_end(struct supervisor *supervisor)
{
	struct outcome *outcome = &supervisor->outcome;
	bool confirmed;

	if (supervisor->finished)
		return;
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (!seat_state_over(supervisor->seats[i].state))
			return;
	supervisor_sweep(supervisor);
	if (supervisor->orphans_timer)
		return; /* one of them is still dying: it calls us again */
	report_suppressed(supervisor);
	supervisor_count(supervisor);
	supervisor->finished = true;
	supervisor_stop_timers(supervisor);
	supervisor->exit_code = outcome_exit_code(outcome);
	confirmed = !outcome->corrupt && !outcome->start_failed && !outcome->stage_failed &&
		    outcome_balanced(outcome) && !outcome_in_flight(outcome);
	supervisor_move(supervisor, PIPELINE_EVENT_ALL_ENDED,
			1u << (confirmed ? PIPELINE_GUARD_ALL_CONFIRMED : PIPELINE_GUARD_LEFT_OVER));
	sd_event_exit(supervisor->event, supervisor->exit_code);
}
