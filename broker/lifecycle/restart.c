/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/lifecycle/restart.h"

bool restart_allowed(struct restart_history *history, const struct restart_policy *policy, uint64_t now_ns,
		     bool progressed)
{
	uint64_t oldest_ns;

	if (progressed)
		return true;
	if (!policy->intensity)
		return false;
	/* A full ring holds the last `intensity` deaths; this one is one too many if the oldest of them is still within. */
	oldest_ns = history->deaths_ns[history->next];
	if (history->n == policy->intensity && now_ns - oldest_ns < policy->period_ns)
		return false;
	history->deaths_ns[history->next] = now_ns;
	history->next = (history->next + 1) % policy->intensity;
	if (history->n < policy->intensity)
		history->n++;
	return true;
}

uint64_t restart_backoff_ns(const struct restart_policy *policy, uint32_t failures, uint32_t random)
{
	uint64_t delay_ns = policy->backoff_min_ns, jitter_ns;

	while (failures-- > 1 && delay_ns < policy->backoff_max_ns)
		delay_ns *= 2;
	if (delay_ns > policy->backoff_max_ns)
		delay_ns = policy->backoff_max_ns;
	/* +-20 %, so that seats which died together do not come back together for ever. */
	jitter_ns = (uint64_t)((double)(delay_ns / 5 * 2) * ((double)random / 4294967296.0));
	return delay_ns - delay_ns / 5 + jitter_ns;
}
