/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage gets more workers, or fewer, while it runs. What is done when is decided in broker/lifecycle/scale.c; here is what it asks for:
 *
 *      DEAL, ANNOUNCE   board: slots[n].dealing, then dealings + 1  [B2]; the producers are rung
 *      LOOK             segments, read-only: seen_dealings [S6] of the producers; then done, tail and free of the lanes; then who waits for
 *                       an item and nothing else
 *      CLOSE            the lanes of a seat that rests: mapped for writing, for nobody sits there
 *
 * In this order: a producer that has seen the board puts nothing more into a lane that is closed, so what is found empty stays empty; and a
 * worker that is seen to wait after its lanes were seen to be empty has done all that lay in them.
 */
#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/memory/doorbell.h"
#include "common/observe/worker_state.h"

/* ---- what people want ---- */

static int refused(const struct plan_stage *stage, enum scale_refusal refusal, struct text *why)
{
	if (refusal == SCALE_FIXED)
		text_printf(why, "the number of workers of '%s' can't change while it runs: %s", stage->name,
			    stage->unscalable);
	else if (refusal == SCALE_TOO_FEW || refusal == SCALE_TOO_MANY)
		text_printf(why, "'%s' may have %u to %u workers; the bounds are in the spec: workers: {min, max}",
			    stage->name, stage->workers_min ? stage->workers_min : 1, stage->workers);
	else
		text_printf(why, "'%s': %s", stage->name, scale_refusal_sentence(refusal));
	return refusal == SCALE_TOO_EARLY ? SUPERVISOR_E_TOO_EARLY : SUPERVISOR_E_REFUSED;
}

int supervisor_scale(struct supervisor *supervisor, const char *name, uint32_t n, const char *who, struct text *why)
{
	struct event event = { .kind = EVENT_SCALE, .n_workers = n };
	const struct plan_stage *stage;
	enum scale_refusal refusal;
	uint32_t number;

	stage = plan_find_stage(supervisor->plan, name, &number);
	must(stage);
	refusal = lifecycle_scale_refusal(&supervisor->lifecycle, stage->first_slot, n);
	if (refusal != SCALE_POSSIBLE)
		return refused(stage, refusal, why);
	event.seat = stage->first_slot;
	stage_log(&supervisor->stages[number], WEIR_LOG_NOTICE, "is to have %u worker%s instead of %u (%s)", n,
		  n == 1 ? "" : "s", supervisor->lifecycle.stages[number].wanted, who);
	supervisor_post(supervisor, &event);
	return 0;
}

void supervisor_scale_progress(const struct supervisor *supervisor, const char *name, struct text *body)
{
	uint32_t number, n_working = 0;
	const struct plan_stage *stage = plan_find_stage(supervisor->plan, name, &number);
	const struct stage_life *life = &supervisor->lifecycle.stages[number];

	must(stage);
	for (uint32_t i = 0; i < stage->workers; i++)
		n_working += seat_state_works(supervisor->seats[stage->first_slot + i].life->state);
	text_printf(body, "{\"wanted\":%u,\"working\":%u,\"settled\":%s}", life->wanted, n_working,
		    life->scaling ? "false" : "true");
}

/* ---- the board ---- */

static void seat_deal(const struct seat *seat, enum dealing dealing)
{
	static const enum board_dealing words[] = {
		[DEALING_DEALT] = BOARD_DEALT, [DEALING_CLOSED] = BOARD_CLOSED, [DEALING_HELD] = BOARD_HELD
	};

	store_release(&seat->supervisor->board->slots[seat->slot].dealing,
		      (uint32_t)words[dealing]); /* [B2] mate: dealing_of */
	seat->supervisor->stages[seat->stage_number].dealt_by = load_relaxed(&seat->supervisor->board->dealings) + 1;
}

void seat_announce_dealing(const struct seat *of)
{
	struct supervisor *supervisor = of->supervisor;
	struct board *board = supervisor->board;

	store_release(&board->dealings, load_relaxed(&board->dealings) + 1); /* [B2] mate: retire_is_due */
	supervisor->stages[of->stage_number].dealt_by = load_relaxed(&board->dealings);
	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];

		if (supervisor->seats[lane->consumer].stage_number == of->stage_number)
			doorbell_ring(supervisor->seats[lane->producer].doorbell_fd);
	}
}

/* ---- memory ---- */

/*
 * It deals to this stage as the board says, or can't deal: nobody is there, or it has closed the lane. What the board says of other stages
 * since then it may not have seen: it can't look while an item of its own waits for an edge that is held.
 */
static bool has_seen(const struct supervisor *supervisor, const struct plan_lane *lane)
{
	const struct seat *producer = &supervisor->seats[lane->producer];
	const struct segment_status *status = producer->segment.status;
	uint32_t dealt_by = supervisor->stages[supervisor->seats[lane->consumer].stage_number].dealt_by;

	if (!seat_state_alive(producer->life->state))
		return true;
	if (load_acquire(&producer->segment.writers[lane->writer_index].closed) != LANE_OPEN) /* [L3] */
		return true;
	if (load_acquire(&status->generation) != producer->generation) /* [S1] mate: worker_attach */
		return false;
	return (int32_t)(load_acquire(&status->seen_dealings) - dealt_by) >= 0; /* [S6] mate: dealing_follow */
}

static bool is_empty(const struct supervisor *supervisor, const struct plan_lane *lane)
{
	const struct lane_writer *writer = &supervisor->seats[lane->producer].segment.writers[lane->writer_index];
	const struct lane_reader *reader = &supervisor->seats[lane->consumer].segment.readers[lane->reader_index];

	if (lane->off_hold) /* what was overwritten is in neither position */
		return load_acquire(&writer->tail_ordinal) == load_acquire(&reader->done_ordinal); /* [L1] [L4] */
	return load_acquire(&writer->tail) == load_acquire(&reader->done);                         /* [L1] [L4] */
}

/* What it has passed on as references is still read, in a lane of its own. */
static bool holds_room(const struct supervisor *supervisor, const struct plan_lane *lane)
{
	const struct lane_reader *reader = &supervisor->seats[lane->consumer].segment.readers[lane->reader_index];

	return !lane->off_hold && load_acquire(&reader->free) != load_acquire(&reader->done); /* [L2] [L4] */
}

bool seat_is_done_with_all(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;

	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];

		if (lane->consumer == seat->slot && (!is_empty(supervisor, lane) || holds_room(supervisor, lane)))
			return false;
	}
	return true;
}

/* It has nothing to do, and has kept and begun nothing. A program beside it may have something to say, or be looked after in a while. */
bool seat_only_waits(const struct seat *seat)
{
	const struct segment_status *status = seat->segment.status;
	uint64_t ledger[LEDGER_COUNT];
	uint32_t waits_for;

	if (load_acquire(&status->generation) != seat->generation || /* [S1] mate: worker_attach */
	    load_acquire(&status->state) != WORKER_STATE_WAIT_DATA)  /* [S3] mate: worker_set_state_at */
		return false;
	waits_for = load_relaxed(&status->wait_for);
	seat_ledger(seat, ledger);
	return waits_for & WAIT_FOR_ITEM &&
	       !(waits_for & (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS | WAIT_FOR_STORE)) &&
	       load_relaxed(&seat->segment.hand->in_flight) == 0 && ledger[LEDGER_HELD] == 0;
}

static bool is_of(const struct supervisor *supervisor, uint32_t slot, const struct seat *of)
{
	return supervisor->seats[slot].stage_number == of->stage_number;
}

/* What it has taken and not yet emitted lies in no lane. */
static bool holds_nothing(const struct seat *of)
{
	for (uint32_t i = 0; i < of->stage->workers; i++) {
		const struct seat *seat = &of->supervisor->seats[of->stage->first_slot + i];

		if (seat->life->state != SEAT_RESTING && !seat_state_over(seat->life->state) &&
		    (seat->life->state != SEAT_READY || !seat_only_waits(seat)))
			return false;
	}
	return true;
}

static void look_at_lanes(const struct seat *of, struct scale_facts *facts)
{
	const struct supervisor *supervisor = of->supervisor;

	facts->dealt = facts->empty = true;
	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++)
		if (is_of(supervisor, supervisor->plan->lanes[i].consumer, of))
			facts->dealt = facts->dealt && has_seen(supervisor, &supervisor->plan->lanes[i]);
	/* First into the stage, then what it does: what was there is behind it, or done, when the others are looked at. */
	for (uint32_t i = 0; facts->dealt && facts->empty && i < supervisor->plan->n_lanes; i++)
		if (is_of(supervisor, supervisor->plan->lanes[i].consumer, of))
			facts->empty = is_empty(supervisor, &supervisor->plan->lanes[i]);
	facts->empty = facts->empty && holds_nothing(of);
	for (uint32_t i = 0; facts->dealt && facts->empty && i < supervisor->plan->n_lanes; i++)
		if (is_of(supervisor, supervisor->plan->lanes[i].producer, of))
			facts->empty = is_empty(supervisor, &supervisor->plan->lanes[i]);
}

void seat_look(struct seat *of)
{
	struct supervisor *supervisor = of->supervisor;
	struct event event = { .kind = EVENT_LOOKED, .seat = of->slot };

	look_at_lanes(of, &event.scale);
	for (uint32_t i = 0; event.scale.dealt && i < of->stage->workers; i++) {
		const struct seat *seat = &supervisor->seats[of->stage->first_slot + i];

		if (seat->life->dealing != DEALING_CLOSED || seat->life->state != SEAT_READY)
			continue;
		if (seat_is_done_with_all(seat) && seat_only_waits(seat))
			event.scale.idle |= UINT64_C(1) << i;
		else
			doorbell_ring(seat->doorbell_fd); /* who holds room for others gives it back when it is asked */
	}
	supervisor_answer(supervisor, &event);
}

static void seat_close_clean(const struct seat *seat)
{
	int r = seat_close_outputs(seat);

	if (r != 0)
		seat_log(seat, WEIR_LOG_WARNING, "its lanes can't be closed: %s",
			 r < 0 ? strerrordesc_np(-r) : "its memory makes no sense");
	seat_ring_neighbours(seat);
}

void scale_perform(struct seat *seat, const struct action *action)
{
	switch (action->kind) {
	case ACTION_DEAL:
		seat_deal(seat, (enum dealing)action->value);
		return;
	case ACTION_ANNOUNCE:
		seat_announce_dealing(seat);
		return;
	case ACTION_LOOK:
		seat_look(seat);
		return;
	case ACTION_CLOSE:
		seat_close_clean(seat);
		return;
	default:
		unreachable_because("perform.c sends no other action here");
	}
}

/* ---- words ---- */

void seat_say_scale(const struct seat *seat, const struct action *action)
{
	const struct stage_watch *stage = &seat->supervisor->stages[seat->stage_number];

	switch (action->kind) {
	case ACTION_SAY_SCALED:
		stage_log(stage, WEIR_LOG_NOTICE, "has %d worker%s now", action->value, action->value == 1 ? "" : "s");
		return;
	case ACTION_SAY_RESTS:
		seat_log(seat, WEIR_LOG_INFO, "has done all that was dealt to it, and rests");
		return;
	case ACTION_SAY_NOT_GROWN:
		seat_log(seat, WEIR_LOG_ERROR, "its stage can't grow: %s%s; it goes on without this worker",
			 action->value ? "it cannot be started: " : "its worker does not get ready",
			 action->value ? strerrordesc_np(action->value) : "");
		return;
	case ACTION_SAY_NOT_SCALED:
		stage_log(
			stage, WEIR_LOG_WARNING,
			"stays with %d of its workers: what was dealt by key before has not got through in %d s; see 'weir why'",
			action->value, (int)(SCALE_HOLD_NS / NS_PER_S));
		return;
	default:
		return;
	}
}
