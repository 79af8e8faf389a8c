/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a death, before the next generation: the half-made turn is finished or forgotten, and the item that the worker had in
 * hand becomes the suspect. The control pages are mapped writable for this moment only, and only once the kernel has
 * proved their one writer dead.
 *
 *      board.slots[n].suspect    none --- died with (lane, position) in hand ---------------> attempts 1
 *                                attempts n --- again the same (lane, position) ------------> attempts n + 1
 *                                attempts n --- another item ------------------------------> attempts 1, n is set aside (suspects.c)
 *                                attempts n --- died with `done` beyond the position ------> none
 *
 * An asynchronous stage has many items at a time, and any of them may have been the death of it. Nobody is counted then: the next
 * generation takes an eighth as many at a time until it is past them, and so on, and the guilty one is soon alone: 4096, 512, 64, 8, 1.
 * From then on it is the item in hand, and it alone is counted. Innocent items pass on the way. A kill from outside costs a short
 * stretch at an eighth of the width.
 */
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"
#include "common/memory/doorbell.h"
#include "common/observe/worker_state.h"

/* What was in hand has been taken, a dead letter that was given again too. */
bool mend_is_behind(const struct segment *segment, uint32_t lane, uint64_t position)
{
	if (lane == HAND_LETTER)
		return load_relaxed(&segment->cursor_switch->letter) >= position;
	return lane < segment->geometry.n_readers &&
	       (int64_t)(load_relaxed(&segment->readers[lane].done) - position) > 0;
}

static void note_suspect(struct seat *seat, const struct segment *segment, const struct repair_report *report)
{
	struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];

	uint32_t before;

	if (slot->suspect_attempts && mend_is_behind(segment, slot->suspect_lane, slot->suspect_position))
		slot->suspect_attempts = 0;
	seat_forget_behind(seat, segment);
	if (!report->in_hand)
		return;
	if (slot->suspect_attempts && slot->suspect_lane == report->suspect_lane &&
	    slot->suspect_position == report->suspect_position) {
		slot->suspect_attempts++;
		return;
	}
	before = seat_exchange_suspect(seat, report->suspect_lane, report->suspect_position);
	/* Killed in between, we leave no suspect: better than one with another's attempts. */
	slot->suspect_attempts = 0;
	atomic_signal_fence(memory_order_seq_cst);
	slot->suspect_lane = report->suspect_lane;
	slot->suspect_position = report->suspect_position;
	atomic_signal_fence(memory_order_seq_cst);
	slot->suspect_attempts = before + 1;
}

#define IN_FLIGHT_NARROWING 8u

static void note_in_flight(struct seat *seat, const struct repair_report *report)
{
	struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];

	if (report->in_flight)
		slot->in_flight_limit =
			report->in_flight > IN_FLIGHT_NARROWING ? report->in_flight / IN_FLIGHT_NARROWING : 1;
}

int seat_mend(struct seat *seat)
{
	struct segment segment = SEGMENT_NULL;
	int r = seat_open_for_repair(seat, &segment);

	if (r)
		return r; /* its memory was not touched */
	r = repair_run(&segment, &seat->death.report);
	if (seat->death.stopped) { /* we wanted it: whatever it had in hand is innocent */
		seat->death.report.in_hand = false;
		seat->death.report.in_flight = 0;
	}
	if (r == 0) {
		overrun_blame(seat, &segment, &seat->death.report);
		note_suspect(seat, &segment, &seat->death.report);
		note_in_flight(seat, &seat->death.report);
		/* The next generation has done nothing yet, whatever the last one did. */
		store_relaxed(&segment.status->heartbeat, 0);
		store_relaxed(&segment.status->state, WORKER_STATE_NONE);
	}
	seat_close_after_repair(seat, &segment);
	return r;
}

/* Cancel comes first where it comes: then nobody takes a cancelled pipeline for one that lost a producer. */
void seat_close_lost(struct seat *seat)
{
	struct segment segment = SEGMENT_NULL;
	int r = seat_open_for_repair(seat, &segment);

	if (r != 0) {
		seat_log(seat, WEIR_LOG_WARNING, "its lanes can't be closed: %s",
			 r < 0 ? strerrordesc_np(-r) : "its memory makes no sense");
		return;
	}
	for (uint32_t i = 0; i < segment.geometry.n_writers; i++)
		if (load_relaxed(&segment.writers[i].closed) == LANE_OPEN)
			store_release(&segment.writers[i].closed, LANE_CLOSED_LOST); /* [L3] mate: lane_in_refresh */
	seat_close_after_repair(seat, &segment);
	seat_ring_neighbours(seat);
}

/* It may have died between publishing and ringing, and its neighbours sleep on what is there. */
void seat_ring_neighbours(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;

	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];

		if (lane->producer == seat->slot)
			doorbell_ring(supervisor->seats[lane->consumer].doorbell_fd);
		else if (lane->consumer == seat->slot)
			doorbell_ring(supervisor->seats[lane->producer].doorbell_fd);
	}
}
