/* SPDX-License-Identifier: Apache-2.0 */
/* The end: nobody is left, so the books are closed. */
#include "broker/supervise/supervisor_priv.h"

void supervisor_stop_timers(struct supervisor *supervisor)
{
	timer_stop(&supervisor->timer);
	stalls_stop(supervisor);
	loads_stop(supervisor);
	timer_stop(&supervisor->look_timer);
	scope_cancels_stop(supervisor);
	for (uint32_t i = 0; supervisor->stages && i < supervisor->plan->n_stages; i++)
		timer_stop(&supervisor->stages[i].limit_timer);
}

void supervisor_report_suppressed(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_stages; i++) {
		uint64_t suppressed = line_limit_take(&supervisor->stages[i].limit);

		if (suppressed)
			stage_log(&supervisor->stages[i], WEIR_LOG_WARNING, "%llu more lines on stderr, not shown",
				  (unsigned long long)suppressed);
	}
}
