/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_failure: degrade. A seat has used up its restarts, and the stage goes on with the others:
 *
 *      repair (was done when it was reaped): what it had committed counts, its `done` stands still
 *      close its outputs                     downstream takes what is there, then sees the end of these lanes
 *      board: retired, retirements + 1       [B2] from now on producers deal nothing to it and move what waits for it
 *      ring the neighbours                   those asleep look at the board
 *
 * In this order: a producer that sees `retired` may count on `done`. What its stage held in state of its own (HELD) can't be moved, for
 * nobody else can read it: it stays in flight, so the run ends with losses and says so.
 */
#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"
#include "common/flow/commit.h"

bool seat_may_retire(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;

	if (!seat->stage->degrade || !supervisor->started_ns)
		return false;
	for (uint32_t i = 0; i < seat->stage->workers; i++) {
		const struct seat *sibling = &supervisor->seats[seat->stage->first_slot + i];

		if (sibling != seat && !seat_state_over(sibling->state))
			return true;
	}
	return false;
}

static uint32_t siblings_left(const struct seat *seat)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < seat->stage->workers; i++)
		n += !seat_state_over(seat->supervisor->seats[seat->stage->first_slot + i].state);
	return n;
}

static int close_outputs(const struct seat *seat)
{
	struct segment segment = SEGMENT_NULL;
	int r = segment_attach(&segment, seat->segment_fd, &seat->segment.geometry, SEGMENT_WRITE);

	if (r)
		return r < 0 ? error_trace(r) : REPAIR_E_CORRUPT;
	repair_close(&segment);
	segment_detach(&segment);
	return 0;
}

int seat_retire(struct seat *seat, const char *why)
{
	struct board *board = seat->supervisor->board;
	uint64_t held = cursor_current(&seat->segment)->ledger[LEDGER_HELD];
	int r = close_outputs(seat);

	if (r != 0)
		return r;
	store_release(&board->slots[seat->slot].retired, 1);                       /* [B2] mate: move_edges */
	store_release(&board->retirements, load_relaxed(&board->retirements) + 1); /* [B2] mate: retire_is_due */
	seat_must_move(seat, SEAT_EVENT_RETIRE);
	seat_log(seat, WEIR_LOG_ERROR,
		 "is retired: %s; '%s' goes on with %u of %u workers, which get what waited for it", why,
		 seat->stage->name, siblings_left(seat), seat->stage->workers);
	if (held)
		seat_log(seat, WEIR_LOG_ERROR, "held %llu items that nobody else can finish", (unsigned long long)held);
	seat_ring_neighbours(seat);
	return 0;
}
