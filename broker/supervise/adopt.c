/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supervisor is dead, its memory was kept, and this one goes on. In this order:
 *
 *      find (estate.c) -> alone, all dead (predecessors.c) -> map -> repair every segment -> finish what is half done -> board -> lifecycle
 *
 * All of it is done with nobody alive but us, and each step may be done twice: whoever kills us here is followed by one that does it again.
 * Not a byte of what was accepted is touched but by the repair that follows any death. To the seats it is one: nobody is to blame, for
 * they all died of something else.
 */
#include <errno.h>
#include <stdlib.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"

bool seat_inherits(const struct seat *seat, enum estate_kind kind, uint32_t number, int *ret_fd)
{
	if (!seat->supervisor->goes_on)
		return false;
	*ret_fd = estate_take_fd(seat->supervisor->estate, kind, seat->slot, number);
	return true;
}

bool seat_inherits_pages(const struct seat *seat)
{
	const struct estate *estate = seat->supervisor->estate;

	return estate_seats(estate, estate_current(estate))[seat->slot].has_pages;
}

int board_inherit(struct supervisor *supervisor)
{
	supervisor->board_fd = estate_take_fd(supervisor->estate, ESTATE_BOARD, 0, 0);
	return error_fold(board_adopt(supervisor->board_fd, supervisor->plan->n_slots, &supervisor->board));
}

int adopt_senseless(const struct seat *seat, struct text *why)
{
	if (seat)
		text_printf(why, "the memory of %s#%u makes no sense", seat->stage->name, seat->worker_index);
	else
		text_add(why, "the board, or the lifeline, makes no sense");
	return SUPERVISOR_E_SENSELESS;
}

/* ---- repair ---- */

static int repair_all(struct supervisor *supervisor, struct text *why)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];

		seat->death = (struct death){ .stopped = true }; /* whatever it had in hand is innocent */
		if (seat_mend(seat) != 0)
			return adopt_senseless(seat, why);
		seat->death = (struct death){ 0 };
	}
	return 0;
}

/* Given up before, or about to be: a slot whose lanes may be closed has nobody sit in it again. */
static int retire_again(struct supervisor *supervisor, struct text *why)
{
	const struct estate *estate = supervisor->estate;
	const struct estate_seat *noted = estate_seats(estate, estate_current(estate));

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];

		seat->retiring = noted[i].retiring;
		if (seat->retiring && seat_retire(seat) != 0)
			return adopt_senseless(seat, why);
	}
	return 0;
}

/* ---- the board ---- */

/* Nobody reads it now. Orders are given anew by what was decided; suspects, cancelled scopes, retired slots stay. */
static void clear_board(struct board *board)
{
	store_relaxed(&board->order, BOARD_RUN);
	store_relaxed(&board->cause, 0);
	store_relaxed(&board->term_deadline_ns, 0);
	store_relaxed(&board->n_live, 0);
	store_relaxed(&board->at_rest, 0);
	for (uint32_t i = 0; i < board->n_slots; i++) {
		store_relaxed(&board->slots[i].order, BOARD_HOLD);
		store_relaxed(&board->slots[i].cause, 0);
		store_relaxed(&board->slots[i].due_ns, 0);
		store_relaxed(&board->slots[i].term_deadline_ns, 0);
	}
}

/* ---- what was decided ---- */

static enum cause cause_of(uint32_t number)
{
	return number < CAUSE_COUNT ? (enum cause)number : CAUSE_USER;
}

static enum dealing dealing_of(uint32_t number)
{
	return number <= DEALING_HELD ? (enum dealing)number : DEALING_CLOSED;
}

static void fill_seats(const struct supervisor *supervisor, struct legacy_seat *seats)
{
	const struct estate *estate = supervisor->estate;
	const struct estate_seat *noted = estate_seats(estate, estate_current(estate));

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		seats[i] = (struct legacy_seat){ .generation = noted[i].generation,
						 .restarts = noted[i].restarts,
						 .failures = noted[i].failures,
						 .retired = supervisor->seats[i].retiring,
						 .rests = noted[i].rests,
						 .dealing = dealing_of(noted[i].dealing) };
}

static void fill_stages(const struct supervisor *supervisor, struct legacy_stage *stages)
{
	const struct estate *estate = supervisor->estate;
	const struct estate_stage *noted = estate_stages(estate, estate_current(estate));

	for (uint32_t i = 0; i < supervisor->plan->n_stages; i++)
		stages[i] = (struct legacy_stage){
			.abandoned = noted[i].abandoned,
			.cause = cause_of(noted[i].cause),
			.scaling = noted[i].scaling,
			.wanted = noted[i].wanted,
			.open = noted[i].open,
			.open_before = noted[i].open_before,
		};
}

static int inherit_decisions(struct supervisor *supervisor)
{
	const struct estate_note *note = estate_current(supervisor->estate);
	_cleanup_(free) struct legacy_seat *seats = calloc(supervisor->plan->n_slots, sizeof(*seats));
	_cleanup_(free) struct legacy_stage *stages = calloc(supervisor->plan->n_stages, sizeof(*stages));
	const struct legacy legacy = {
		.started_ns = note->started_ns,
		.run_due_ns = note->run_due_ns,
		.drain_for_ns = note->drain_for_ns,
		.rung = note->rung <= RUNG_KILL ? (enum rung)note->rung : RUNG_KILL,
		.cause = cause_of(note->cause),
		.stage_failed = note->stage_failed,
		.drain_deadline_passed = note->drain_deadline_passed,
		.signal_number = note->signal_number,
		.seats = seats,
		.stages = stages,
	};

	if (!seats || !stages)
		return error_origin(-ENOMEM);
	fill_seats(supervisor, seats);
	fill_stages(supervisor, stages);
	supervisor->n_supervisors = note->n_supervisors + 1;
	lifecycle_inherit(&supervisor->lifecycle, &legacy);
	estate_note_decisions(supervisor);
	return 0;
}

int adopt(struct supervisor *supervisor, struct text *why)
{
	int r = repair_all(supervisor, why);

	if (r == 0)
		r = retire_again(supervisor, why);
	if (r != 0)
		return r;
	clear_board(supervisor->board);
	supervisor->run = supervisor->estate->run;
	r = scope_cancels_adopt(supervisor);
	if (r == 0)
		r = inherit_decisions(supervisor);
	if (r == 0)
		supervisor_log(
			supervisor, WEIR_LOG_NOTICE,
			"goes on with the run of a supervisor that is dead; it is the run's supervisor number %u",
			supervisor->n_supervisors);
	return r;
}
