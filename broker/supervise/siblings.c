/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker has died and will be restarted: whom the strategy takes with it (strategy.c says who).
 *
 *      b#0   dead -> restarting ------- back-off ------|----> starting       the crash: counted in its stage's intensity
 *      e#0   ready -> stopping -> dead -> restarting --|----> starting       nothing counted: no crash, no suspect
 *      d#0   ready -> stopping ----------------> dead -|----> starting
 *                                                      '-- nobody is `stopping` any more: all are down before one comes back
 *
 * They are stopped by SIGKILL, in the reverse of the start's order: what that does to items is proved at every instruction, so nothing
 * is lost or done twice, and no order is needed that a stage could refuse. `stopping` is bounded: who outlives SIGKILL is reported and
 * given up, and with it its stage.
 */
#include <signal.h>
#include <sys/pidfd.h>

#include "broker/supervise/strategy.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"

static int on_unkillable(sd_event_source *source, uint64_t at_us, void *data)
{
	struct seat *seat = data;

	(void)source;
	(void)at_us;
	timer_stop(&seat->timer);
	seat_leave_behind(seat);
	seat_fail_stage(seat, "a worker can't be restarted, for it does not die of SIGKILL");
	supervisor_check_end(seat->supervisor);
	return 0;
}

void seat_stop(struct seat *seat, uint64_t restart_ns)
{
	seat->restart_ns = restart_ns;
	seat_must_move(seat, SEAT_EVENT_STOP);
	pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0); /* its group follows when it is reaped */
	timer_set(seat->supervisor, &seat->timer, clock_now_ns() + UNKILLABLE_NS, on_unkillable, seat);
}

static enum sibling_fate fate_of(const struct seat *dead, const struct seat *seat)
{
	const struct supervisor *supervisor = dead->supervisor;
	const struct sibling sibling = {
		.self = seat == dead,
		.downstream = supervisor->behind[seat->stage_number],
		.alive = seat_state_alive(seat->state) && seat->state != SEAT_STOPPING && seat->state != SEAT_LEAVING,
		.type = seat->stage->restart_type,
	};

	return strategy_fate(supervisor->plan->strategy, &sibling);
}

void siblings_stop(const struct seat *dead)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct supervisor *supervisor = dead->supervisor;

	if (supervisor->plan->strategy == PLAN_ONE_FOR_ONE || !supervisor->started_ns)
		return;
	plan_downstream(supervisor->plan, dead->stage_number, supervisor->behind);
	for (uint32_t i = supervisor->plan->n_slots; i-- > 0;) {
		struct seat *seat = &supervisor->seats[i];
		enum sibling_fate fate = fate_of(dead, seat);

		if (fate == SIBLING_STAYS)
			continue;
		text_printf(&text, "%s%s#%u%s", text.length ? ", " : "", seat->stage->name, seat->worker_index,
			    fate == SIBLING_ENDS ? " (for good: temporary)" : "");
		seat_stop(seat, dead->restart_ns);
	}
	if (text.length)
		seat_log(dead, WEIR_LOG_NOTICE, "%s: stopped, to be restarted with it: %s",
			 strategy_name(supervisor->plan->strategy), text_get(&text));
}

bool siblings_awaited(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].state == SEAT_STOPPING)
			return true;
	return false;
}

void siblings_release(struct supervisor *supervisor)
{
	if (siblings_awaited(supervisor))
		return;
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];

		if (seat->waits && seat->state == SEAT_BACKOFF)
			seat_refill(seat);
	}
}
