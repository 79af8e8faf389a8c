/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker has died and will be restarted: whom the strategy takes with it (strategy.c says who).
 *
 *      b#0   dead -> restarting ------- back-off ------|----> starting       the crash: counted in its stage's intensity
 *      e#0   ready -> stopping -> dead -> restarting --|----> starting       nothing counted: no crash, no suspect
 *      d#0   ready -> stopping ----------------> dead -|----> starting
 *                                                      '-- nobody is `stopping` any more: all are down before one comes back
 *
 * They are told in the reverse of the start's order, all at once, and each has its own shutdown time: cancel, grace, SIGTERM, grace,
 * SIGKILL (seat_ladder.c). So a sibling's cleaners run, and what it had in hand is dropped or done, never half. `stopping` is bounded: who
 * outlives SIGKILL is reported and given up, and with it its stage.
 */
#include "broker/lifecycle/lifecycle_priv.h"
#include "broker/lifecycle/strategy.h"

static void sibling_stop(struct lifecycle *lifecycle, struct life *life, const struct life *dead, uint64_t now_ns)
{
	life->restart_ns = dead->restart_ns;
	life->stopped_for = life_number(lifecycle, dead);
	life->together = true;
	seat_ladder_begin(lifecycle, life, CAUSE_SIBLING_FAILED, life_stage(lifecycle, dead)->name, now_ns);
}

static enum sibling_fate fate_of(const struct lifecycle *lifecycle, const struct life *dead, const struct life *life)
{
	const struct sibling sibling = {
		.self = life == dead,
		.downstream = lifecycle->behind[life->stage],
		.alive = seat_state_alive(life->state) && life->state != SEAT_STOPPING && life->state != SEAT_LEAVING,
		.type = life_stage(lifecycle, life)->restart_type,
	};

	return strategy_fate(lifecycle->plan->strategy, &sibling);
}

void siblings_stop(struct lifecycle *lifecycle, const struct life *dead, uint64_t now_ns)
{
	bool any = false;

	if (lifecycle->plan->strategy == PLAN_ONE_FOR_ONE || !lifecycle->started_ns)
		return;
	plan_downstream(lifecycle->plan, dead->stage, lifecycle->behind);
	for (uint32_t i = lifecycle->plan->n_slots; i-- > 0;) {
		struct life *life = &lifecycle->lives[i];

		life->stopped_for = NO_SEAT;
		if (fate_of(lifecycle, dead, life) == SIBLING_STAYS)
			continue;
		sibling_stop(lifecycle, life, dead, now_ns);
		any = true;
	}
	if (any)
		act(lifecycle, ACTION_SAY_SIBLINGS, dead);
}
