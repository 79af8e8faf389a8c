/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_failure: drop_branch. The stage has failed for good, and everybody else goes on:
 *
 *      the one that died        restarting ------------> starting          all of its seats get stand-ins (worker/stand_in.c): they
 *      its stage's others       stopping -> restarting -> starting         leave the inputs, discard what comes, and end with them
 *
 * No lane loses its reader, so no producer has to learn of a failure: it sees a reader that has left, as behind a `take`. Downstream
 * a stand-in's lanes close as lost when its inputs have ended: a stage that reads from it says, once it has done all that it was
 * given, that it can't go on, and is abandoned in turn, whatever its own on_failure. So no stage takes for an end what is none.
 *
 * That a stage has failed stands in the outcome: exit 3. A stand-in is counted like any other worker, from none on; if it fails, too,
 * the pipeline does.
 */
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"

static bool may_be_stopped(const struct seat *seat)
{
	return seat->state == SEAT_SPAWNED || seat->state == SEAT_OPENING || seat->state == SEAT_READY;
}

bool seat_is_cut_off(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;

	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];
		const struct seat *producer = &supervisor->seats[lane->producer];

		if (lane->consumer == seat->slot && supervisor->stages[producer->stage_number].abandoned &&
		    load_acquire(&producer->segment.writers[lane->writer_index].closed) ==
			    LANE_CLOSED_LOST) /* [L3] mate: lane_out_lose */
			return true;
	}
	return false;
}

static void abandon_stage(const struct seat *dead, const char *why)
{
	struct supervisor *supervisor = dead->supervisor;
	struct stage_watch *watch = &supervisor->stages[dead->stage_number];

	watch->abandoned = true;
	watch->history.n = watch->history.next = 0;
	supervisor->outcome.stage_failed = true;
	supervisor_note_failure(supervisor, dead->stage, (struct spec_position){ 0 }, why);
	if (seat_is_cut_off(dead))
		stage_log(watch, WEIR_LOG_NOTICE,
			  "has done what it was given, and is dropped with the stage before it");
	else
		stage_log(watch, WEIR_LOG_ERROR, "has failed: %s; its branch is dropped: what comes to it is discarded",
			  why);
	for (uint32_t i = dead->stage->workers; i-- > 0;) {
		struct seat *sibling = &supervisor->seats[dead->stage->first_slot + i];

		if (sibling != dead && may_be_stopped(sibling))
			seat_stop(sibling, clock_now_ns());
	}
}

bool seat_abandon(struct seat *seat, const char *why)
{
	if (!seat->supervisor->started_ns || seat->stands_in || !(seat->stage->drop_branch || seat_is_cut_off(seat)))
		return false;
	if (!seat->supervisor->stages[seat->stage_number].abandoned)
		abandon_stage(seat, why);
	seat->failures = 0;
	seat->restart_ns = clock_now_ns();
	seat_back_off(seat);
	return true;
}
