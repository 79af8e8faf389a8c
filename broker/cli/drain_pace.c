/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/drain_pace.h"
#include "common/base/clock.h"

#define WINDOW_NS (45 * NS_PER_S)
#define GRACES_NS (15 * NS_PER_S) /* from the deadline of an item to the end of its worker, and a new one's start */

void drain_pace_begin(struct drain_pace *pace, const struct plan *plan)
{
	*pace = (struct drain_pace){ .window_ns = WINDOW_NS };
	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (plan->stages[i].deadline_ns + GRACES_NS > pace->window_ns)
			pace->window_ns = plan->stages[i].deadline_ns + GRACES_NS;
}

bool drain_pace_moves(struct drain_pace *pace, const struct view *view)
{
	struct drain_pace now = {
		.window_ns = pace->window_ns,
		.deadline_ns = view->stop_deadline_ns,
		.cause = view->cause,
		.seen = true,
	};
	bool same;

	for (uint32_t i = 0; i < view->n_stages; i++) {
		now.n_live += view->stages[i].n_live;
		for (int term = 0; term < LEDGER_COUNT; term++)
			now.n_counted += view->stages[i].ledger[term]; /* they only grow, so the sum tells of each */
	}
	same = pace->seen && now.n_counted == pace->n_counted && now.n_live == pace->n_live &&
	       now.deadline_ns == pace->deadline_ns && now.cause == pace->cause;
	*pace = now;
	return !same;
}
