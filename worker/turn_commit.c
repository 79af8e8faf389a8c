/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a turn takes effect, and who is woken by it. Everything collected goes into one commit record; then the private positions follow,
 * room goes back to the producers, one fence for the whole turn, and each peer that sleeps for what happened is rung once.
 */
#include <string.h>

#include "worker/burial.h"
#include "worker/in_flight.h"
#include "worker/keyed.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/outcome.h"
#include "worker/output.h"
#include "worker/pins.h"
#include "worker/recording.h"
#include "worker/replay.h"
#include "worker/take.h"
#include "worker/turn.h"
#include "worker/window.h"

static void turn_wake_peer(struct worker *worker, struct peer *peer)
{
	recording_before_ring(worker, peer, peer->wake_events);
	if (!doorbell_wake(&peer->doorbell, peer->wake_events, peer->wake_room_bytes))
		return;
	counter_add(worker, COUNTER_WAKES, 1);
	recording_wake(worker, peer, peer->wake_events);
}

static void turn_wake(struct worker *worker)
{
	fence_seq_cst(); /* [D1] mate: wait_arm; what was published is visible before `armed` is read */
	for (uint32_t i = 0; i < worker->n_peers; i++) {
		struct peer *peer = &worker->peers[i];

		if (!peer->touched)
			continue;
		turn_wake_peer(worker, peer);
		peer->touched = false;
		peer->wake_events = 0;
		peer->wake_room_bytes = 0;
	}
}

void turn_touch(struct peer *peer, uint32_t event, uint64_t room_bytes)
{
	peer->touched = true;
	peer->wake_events |= event;
	if (room_bytes > peer->wake_room_bytes)
		peer->wake_room_bytes = room_bytes;
}

static void turn_collect_tail(struct worker *worker, const struct output_edge *edge, const struct output_lane *lane)
{
	commit_add_tail(&worker->commit, &lane->lane);
	if (edge->heritage->full == HERITAGE_FULL_DROP_OLD)
		commit_add_tail_ordinal(&worker->commit, &lane->lane, lane->ordinal);
}

static void turn_collect_done(struct worker *worker, const struct input_lane *lane)
{
	commit_add_done(&worker->commit, &lane->lane);
	if (lane->hold.record)
		commit_add_done_ordinal(&worker->commit, &lane->lane, lane->hold.next_ordinal);
}

/* The private end of what is done follows the commit. Returns true if it has moved. */
static bool turn_settle_done(struct worker *worker, struct lane_in *lane)
{
	if (worker->in_flight)
		return in_flight_settle(worker, lane);
	lane->done = lane->next;
	return true;
}

static void turn_collect(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		const struct output_edge *edge = &worker->outputs[i];

		for (const struct output_lane *lane = edge->lanes, *end = lane + edge->n_lanes; lane < end; lane++)
			if (lane->touched && lane->lane.built != lane->lane.tail)
				turn_collect_tail(worker, edge, lane);
	}
	commit_add_cursor(&worker->commit, &worker->cursor);
	if (worker->in_flight) {
		in_flight_collect(worker);
		return;
	}
	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		const struct input_edge *edge = &worker->inputs[i];

		for (const struct input_lane *lane = edge->lanes, *end = lane + edge->n_lanes; lane < end; lane++)
			if (lane->touched)
				turn_collect_done(worker, lane);
	}
}

/* Whose producer waits not only for room: at a rendezvous, and for credit, it is `done` that counts. */
static bool is_awaited_done(const struct input_edge *edge)
{
	return edge->heritage->rendezvous || edge->heritage->feedback;
}

/*
 * Room goes back. To a producer that gets none, because all that was taken is held, it is not worth a ring: each costs two changes of
 * process, and it would find nothing.
 */
static void turn_give_back(const struct input_edge *edge, struct input_lane *lane)
{
	bool moved = lane_in_release(&lane->lane);

	hold_settle(&lane->hold);
	if (moved || !lane->lane.held || is_awaited_done(edge))
		turn_touch(lane->peer, ARM_SPACE, lane_in_room(&lane->lane));
}

static void turn_settle_output(struct output_edge *edge)
{
	edge->turn_lane = NO_LANE;
	for (struct output_lane *lane = edge->lanes, *end = lane + edge->n_lanes; lane < end; lane++) {
		if (!lane->touched || lane->lane.built == lane->lane.tail)
			continue;
		lane->lane.tail = lane->lane.built;
		lane->touched = false;
		turn_touch(lane->peer, ARM_DATA, 0);
	}
}

static void turn_settle_input(struct worker *worker, const struct input_edge *edge)
{
	for (struct input_lane *lane = edge->lanes, *end = lane + edge->n_lanes; lane < end; lane++) {
		if (!lane->touched)
			continue;
		lane->touched = false;
		if (turn_settle_done(worker, &lane->lane))
			turn_give_back(edge, lane);
	}
}

/* After the commit: private positions follow, room goes back, and whoever sleeps for it will be rung. */
static void turn_settle(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		turn_settle_output(&worker->outputs[i]);
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		turn_settle_input(worker, &worker->inputs[i]);
}

static void turn_publish(struct worker *worker)
{
	struct segment_status *status = worker->segment.status;
	bool noted;

	if (worker->replay)
		replay_collect(worker);
	if (worker->keyed)
		keyed_collect(worker);
	meter_mark(worker);
	turn_collect(worker);
	noted = recording_is_due(worker);
	commit_publish(&worker->commit);
	if (worker->replay)
		replay_settle(worker);
	turn_settle(worker);
	if (noted)
		recording_turns(worker);
	if (worker->pins)
		pins_release(worker);
	turn_wake(worker);
	worker->changed = false;
	counter_add(worker, COUNTER_TURNS, 1);
	store_relaxed(&status->heartbeat, load_relaxed(&status->heartbeat) + 1);
}

int turn_commit(struct worker *worker)
{
	bool leaves;

	window_shut(worker);
	if (!worker->changed)
		return 0;
	if (worker->n_letters && burial_settle(worker) != 0) /* before an effect that would be repeated if it fails */
		return WEIR_FAILED;
	if (worker->stage.flush) {
		int r;

		worker->phase = PHASE_FLUSH;
		r = worker->stage.flush(&worker->context, worker->state);
		r = outcome_check(worker, "flush", OUTCOMES_ENDING, r);
		if (r != 0)
			return r;
	}
	if (worker->keyed) {
		keyed_item_end(worker);
		if (keyed_check(worker) != 0)
			return WEIR_FAILED;
	}
	if (worker->n_letters && burial_settle(worker) != 0) /* of flush() */
		return WEIR_FAILED;
	worker->begun_end_ns = 0;
	if (worker->replay && replay_prepare(worker) != 0)
		return WEIR_FAILED;
	leaves = leave_collect(worker);
	if (worker->deals_runs)
		output_end_runs(worker, OUTPUT_RUNS_TURN);
	turn_publish(worker);
	if (!worker->in_flight && load_relaxed(&worker->segment.hand->busy)) /* else it is cleared as the item ends */
		store_release(&worker->segment.hand->busy, 0);               /* [S2] */
	if (leaves)
		leave_announce(worker);
	if (worker->loop)
		loop_begin(worker);
	if (worker->keyed && keyed_settle(worker) != 0)
		return WEIR_FAILED;
	return worker->replay ? replay_failure(worker) : 0;
}

void turn_commit_complete(struct worker *worker)
{
	uint8_t stage_now[CURSOR_STAGE_SIZE];

	take_settle(worker);
	if (worker->stage.flush || !worker->changed || (worker->keyed && keyed_check(worker) != 0))
		return;
	if (worker->n_letters)
		burial_must_settle(worker);
	if (worker->replay)
		replay_must_prepare(worker);
	/* Hide what the item in hand has done so far. */
	memcpy(stage_now, worker->cursor.stage, sizeof(stage_now));
	memcpy(worker->cursor.stage, worker->cursor_before, worker->stage.cursor_size_bytes);
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			struct output_lane *lane = &worker->outputs[i].lanes[j];

			lane->hidden_end = lane->lane.built;
			lane->hidden_ordinal = lane->ordinal;
			if (lane->mark_item == worker->item_number) {
				lane->lane.built = lane->mark;
				lane->ordinal = lane->mark_ordinal;
			}
		}
	turn_publish(worker);
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			struct output_lane *lane = &worker->outputs[i].lanes[j];

			lane->lane.built = lane->hidden_end;
			lane->ordinal = lane->hidden_ordinal;
			lane->touched = lane->lane.built != lane->lane.tail;
		}
	memcpy(worker->cursor.stage, stage_now, sizeof(stage_now));
}

void turn_release(struct worker *worker)
{
	if (worker->pins && pins_release(worker))
		turn_wake(worker);
}

static void close_output(const struct worker *worker, struct output_edge *edge)
{
	uint32_t n = edge->n_lanes + edge->n_retired + edge->n_closed;

	for (uint32_t i = 0; i < n; i++) {
		if (i >= edge->n_lanes && i < edge->n_lanes + edge->n_retired)
			continue; /* nobody reads there */
		if (worker->heritage.stands_in)
			lane_out_lose(&edge->lanes[i].lane);
		else
			lane_out_close(&edge->lanes[i].lane);
		turn_touch(edge->lanes[i].peer, ARM_DATA, 0);
	}
}

void turn_close_outputs(struct worker *worker, uint64_t outputs)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (outputs >> i & 1)
			close_output(worker, &worker->outputs[i]);
	turn_wake(worker);
}

void turn_greet(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			turn_touch(worker->inputs[i].lanes[j].peer, ARM_SPACE,
				   worker->inputs[i].lanes[j].lane.capacity_bytes);
	turn_wake(worker);
}

void turn_close(struct worker *worker)
{
	worker_set_state(worker, WORKER_STATE_ENDING, NO_LANE);
	turn_close_outputs(worker, UINT64_MAX);
}
