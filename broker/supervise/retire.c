/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_failure: degrade. A seat has used up its restarts, and the stage goes on with the others:
 *
 *      repair (was done when it was reaped): what it had committed counts, its `done` stands still
 *      close its outputs                     downstream takes what is there, then sees the end of these lanes
 *      board: retired, dealings + 1          [B2] from now on producers deal nothing to it and move what waits for it
 *      ring the neighbours                   those asleep look at the board
 *
 * In this order: a producer that sees `retired` may count on `done`. What its stage held in state of its own (HELD) can't be moved, for
 * nobody else can read it: it stays in flight, so the run ends with losses and says so.
 */
#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"

int seat_close_outputs(const struct seat *seat)
{
	struct segment segment = SEGMENT_NULL;
	int r = seat_open_for_repair(seat, &segment);

	if (r)
		return r;
	repair_close(&segment);
	seat_close_after_repair(seat, &segment);
	return 0;
}

int seat_retire(struct seat *seat)
{
	struct board *board = seat->supervisor->board;
	int r = seat_close_outputs(seat);

	if (r != 0)
		return r;
	store_release(&board->slots[seat->slot].dealing, BOARD_RETIRED);     /* [B2] mate: dealing_of */
	store_release(&board->dealings, load_relaxed(&board->dealings) + 1); /* [B2] mate: retire_is_due */
	seat->supervisor->stages[seat->stage_number].dealt_by = load_relaxed(&board->dealings);
	return 0;
}
