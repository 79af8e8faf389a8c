/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the restart of a dead worker takes with it: the strategies of Erlang/OTP. Pure. */
#pragma once

#include <stdbool.h>

#include "broker/spec/plan.h"

enum sibling_fate {
	SIBLING_STAYS,    /* goes on as if nothing had happened */
	SIBLING_RESTARTS, /* is stopped, and comes back together with the one that died */
	SIBLING_ENDS,     /* is stopped, and does not come back: it is temporary */
};

/* Any seat of the pipeline, seen from the one whose worker died. */
struct sibling {
	bool self;       /* it is that one: it has a verdict of its own */
	bool downstream; /* what the dead one's stage emits can reach it: plan_downstream() */
	bool alive; /* starts, opens its stage or runs; not one that leaves, waits for its own restart, or is over */
	enum plan_restart type;
};

enum sibling_fate strategy_fate(enum plan_strategy strategy, const struct sibling *sibling);

/* "one_for_one", ...; static. */
const char *strategy_name(enum plan_strategy strategy);
