/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is dealt to. Lanes lead to all seats that a stage may ever have; the board says of each seat whether items go there now:
 *
 *      supervisor                                     producer, between two turns
 *      ----------                                     ---------------------------
 *      slots[n].dealing := closed
 *      dealings + 1, rings            [B2]  ------->  ends the runs that are open, commits
 *                                                     lanes := [dealt ... | retired ... | closed ...], each part in its own order
 *      seen_dealings = dealings       [S6]  <-------  says so
 *      now nothing more comes into those lanes: what they hold is the last
 *
 *      dealt    items go there                        closed   none do; its worker takes what lies there, and ends
 *      retired  none do, and what lies there moves: retire.c          held     nothing goes into the whole edge, for now
 *
 * Held is what makes a key's order outlive a change: nothing is dealt until all that was dealt by the old map has passed the stage, and the
 * stages behind it have taken it (broker/lifecycle/scale.c). An edge that is held looks full.
 *
 * The map from a key to a lane is a function of the lanes that are dealt to, in the order of their seats, so two generations of a producer
 * agree on it, and several producers.
 */
#include "worker/dealing.h"

#include "worker/output.h"
#include "worker/pins.h"
#include "worker/turn.h"

#define LANES_MAX 64u

static uint32_t dealing_of(const struct worker *worker, const struct output_lane *lane)
{
	uint32_t slot = worker->heritage.peers[lane->peer - worker->peers].slot;

	return load_acquire(&worker->board->slots[slot].dealing); /* [B2] mate: seat_deal */
}

/* In which part of the edge it stands, then in which place of it. */
static uint64_t rank_of(const struct output_lane *lane, uint32_t dealing)
{
	uint64_t part = dealing == BOARD_RETIRED ? 1 : dealing == BOARD_CLOSED ? 2 : 0;

	return part << 32 | lane->lane.index;
}

/* Few lanes, mostly in order already. */
static void sort(struct output_edge *edge, uint32_t n, uint64_t *ranks)
{
	for (uint32_t i = 1; i < n; i++) {
		struct output_lane lane = edge->lanes[i];
		uint64_t rank = ranks[i];
		uint32_t place = i;

		for (; place && ranks[place - 1] > rank; place--) {
			edge->lanes[place] = edge->lanes[place - 1];
			ranks[place] = ranks[place - 1];
		}
		edge->lanes[place] = lane;
		ranks[place] = rank;
	}
}

/* One lane stays, whatever the board says of it: then the stage has failed, and everybody will be told. */
static void divide(struct worker *worker, struct output_edge *edge)
{
	uint32_t n = edge->n_lanes + edge->n_retired + edge->n_closed, n_in_part[3] = { 0 };
	uint64_t ranks[LANES_MAX];

	edge->held = false;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t dealing = dealing_of(worker, &edge->lanes[i]);

		edge->held = edge->held || dealing == BOARD_HELD;
		ranks[i] = rank_of(&edge->lanes[i], dealing);
		n_in_part[ranks[i] >> 32]++;
	}
	sort(edge, n, ranks);
	if (!n_in_part[0]) {
		n_in_part[0] = 1;
		n_in_part[n_in_part[1] ? 1 : 2]--;
	}
	edge->n_lanes = n_in_part[0];
	edge->n_retired = n_in_part[1];
	edge->n_closed = n_in_part[2];
	edge->next = 0;
	edge->turn_lane = NO_LANE;
	edge->item_lane = 0;
}

static bool has_open_run(const struct worker *worker)
{
	for (uint32_t i = 0; worker->deals_runs && i < worker->n_outputs; i++)
		if (worker->outputs[i].heritage->order == HERITAGE_ORDER_DEAL && worker->cursor.outputs[i].run_records)
			return true;
	return false;
}

bool dealing_must_wait(const struct worker *worker)
{
	return worker->phase == PHASE_RUN && has_open_run(worker);
}

/* In a step that has built something elsewhere: nothing lies behind the tails of an edge that was held since before it. */
bool dealing_may_let_go(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (worker->outputs[i].held) /* seldom: only then the board is looked at */
			return load_acquire(&worker->board->dealings) != worker->holds_seen; /* [B2] mate: seat_deal */
	return false;
}

void dealing_let_go(struct worker *worker)
{
	worker->holds_seen = load_acquire(&worker->board->dealings); /* [B2] mate: seat_deal */
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (worker->outputs[i].held)
			divide(worker, &worker->outputs[i]);
	if (worker->pins)
		pins_follow(worker);
}

int dealing_follow(struct worker *worker)
{
	uint32_t dealings = load_acquire(&worker->board->dealings); /* [B2] mate: seat_deal */
	int r = 0;

	if (dealings == worker->dealings_seen)
		return 0;
	if (has_open_run(worker)) { /* a run is in one lane as a whole */
		output_end_runs(worker, OUTPUT_RUNS_ALL);
		r = turn_commit(worker);
	}
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (worker->outputs[i].n_lanes + worker->outputs[i].n_retired + worker->outputs[i].n_closed > 1)
			divide(worker, &worker->outputs[i]);
	if (worker->pins)
		pins_follow(worker);
	worker->dealings_seen = worker->holds_seen = dealings;
	store_release(&worker->segment.status->seen_dealings, dealings); /* [S6] mate: has_seen */
	return 0;
}
