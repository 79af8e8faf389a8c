/* SPDX-License-Identifier: Apache-2.0 */
/* What reads the clock of include/weir/budget.h; the rest is inline there. */
#include <stdatomic.h>
#include <weir/budget.h>
#include <weir/status.h>

#include "common/base/clock.h"
#include "common/scope/scope_priv.h"

API struct weir_budget weir_budget_within(const struct weir_budget *parent, uint64_t duration_ns)
{
	uint64_t now_ns = clock_now_ns();

	return weir_budget_at(parent, duration_ns < WEIR_FOREVER - now_ns ? now_ns + duration_ns : WEIR_FOREVER);
}

API uint64_t weir_budget_remaining_ns(const struct weir_budget *budget)
{
	uint64_t now_ns;

	if (budget->deadline_ns == WEIR_FOREVER)
		return UINT64_MAX;
	now_ns = clock_now_ns();
	return budget->deadline_ns > now_ns ? budget->deadline_ns - now_ns : 0;
}

API bool weir_budget_expired(const struct weir_budget *budget)
{
	return weir_budget_remaining_ns(budget) == 0;
}

API int weir_budget_check(const struct weir_budget *budget)
{
	struct weir_expiry *expiry = budget->expiry;

	if (!weir_budget_expired(budget))
		return WEIR_OK;
	if (expiry && !atomic_exchange((_Atomic uint32_t *)&expiry->called, 1))
		expiry->function(expiry->data);
	return WEIR_EXPIRED;
}
