/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      strategy        a worker of b dies and is restarted       with it
 *
 *      one_for_one             .-> b#0 -> d -.                   nobody
 *      rest_for_one       a ---|-> b#1       |-> e               d e: the stages behind b, every worker of them
 *      one_for_all             '-> c --------'                   everybody
 *
 * OTP's order of start is a list; a pipeline's is its graph, and "the rest" is what is behind the dead one in it: who may have taken
 * what it gave. The other workers of its own stage are its equals, not fed by it: they stay.
 */
#include "broker/lifecycle/strategy.h"

static bool takes(enum plan_strategy strategy, const struct sibling *sibling)
{
	switch (strategy) {
	case PLAN_REST_FOR_ONE:
		return sibling->downstream;
	case PLAN_ONE_FOR_ALL:
		return true;
	case PLAN_ONE_FOR_ONE:
	default:
		return false;
	}
}

enum sibling_fate strategy_fate(enum plan_strategy strategy, const struct sibling *sibling)
{
	if (sibling->self || !sibling->alive || !takes(strategy, sibling))
		return SIBLING_STAYS;
	return sibling->type == PLAN_TEMPORARY ? SIBLING_ENDS : SIBLING_RESTARTS;
}

const char *strategy_name(enum plan_strategy strategy)
{
	static const char *const names[] = { "one_for_one", "rest_for_one", "one_for_all" };

	return (unsigned)strategy < sizeof(names) / sizeof(names[0]) ? names[strategy] : "?";
}
