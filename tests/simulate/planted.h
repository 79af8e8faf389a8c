/* SPDX-License-Identifier: Apache-2.0 */
/* Comes before every line of the lifecycle as it is simulated: the pure functions that it asks are asked through here. */
#pragma once

#include "broker/lifecycle/ladder.h"
#include "broker/lifecycle/pipeline_state.h"
#include "broker/lifecycle/restart.h"
#include "broker/lifecycle/verdict.h"

bool planted_pipeline_next(enum pipeline_state state, enum pipeline_event event, uint32_t holding,
			   enum pipeline_state *ret_next);
bool planted_restart_allowed(struct restart_history *history, const struct restart_policy *policy, uint64_t now_ns,
			     bool progressed);
enum verdict planted_verdict_of(const struct verdict_facts *facts);
enum rung planted_ladder_due(const struct ladder *ladder, uint64_t now_ns);

#define pipeline_next planted_pipeline_next
#define restart_allowed planted_restart_allowed
#define verdict_of planted_verdict_of
#define ladder_due planted_ladder_due
