/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving items to an asynchronous stage.
 *
 * As many as it may have at a time, in the order of their lanes; what an earlier generation has ended (a done-bit) is stepped over. When
 * there is nothing to give, the worker sleeps for data and for the stage's own events (weir_watch), and for those alone while the
 * stage has its fill. Under a steady stream it never sleeps, so the events are also looked at between turns, at most once a millisecond.
 *
 * A dead letter that is given again is given alone: those in flight end first, and nobody is given before it has ended.
 *
 * After a death with several in flight (broker/supervise/mend.c) this generation is careful: no more than `limit` at a time until all that
 * had been given before that death have ended. Then the stage has its full width again.
 */
#include <string.h>

#include "common/base/clock.h"
#include "worker/due.h"
#include "worker/expiry.h"
#include "worker/baggage.h"
#include "worker/cancelled.h"
#include "worker/in_flight_priv.h"
#include "worker/keyed.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/output.h"
#include "worker/recording.h"
#include "worker/replay.h"
#include "worker/take.h"
#include "worker/turn.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"

#define LOOK_EVERY_NS NS_PER_MS

/* Careful until those of the last death are all given and none is pending: only then nobody else can be to blame. */
static uint32_t limit_now(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;
	bool doubtful = false;

	if (!in_flight->careful)
		return in_flight->capacity;
	for (uint32_t i = 0; i < in_flight->n_windows && !doubtful; i++)
		doubtful = (int64_t)(in_flight->doubtful_ends[i] - in_flight->windows[i].lane->next) > 0;
	in_flight->careful = doubtful || in_flight->n_pending;
	return in_flight->careful && in_flight->limit < in_flight->capacity ? in_flight->limit : in_flight->capacity;
}

/* The first item of this generation: what it does not give is in doubt no longer. */
static void begin(struct in_flight *in_flight)
{
	for (uint32_t i = 0; i < in_flight->n_windows; i++)
		store_relaxed(&in_flight->windows[i].shared->given, in_flight->windows[i].lane->done);
	in_flight->begun = true;
}

/* process() has said WEIR_PENDING. Nothing has happened to the item yet, so what it may have emitted would come twice. */
static int keep(struct worker *worker, struct in_flight_item *entry)
{
	struct in_flight *in_flight = worker->in_flight;

	if (!in_flight->deferred)
		return in_flight_misuse(worker, "its process() returned WEIR_PENDING without weir_defer()");
	if (worker->item_emitted || worker->emit_refused)
		return in_flight_misuse(worker,
					"its process() emitted and returned WEIR_PENDING; emit after weir_resume()");
	memcpy(worker->cursor.stage, worker->cursor_before, worker->stage.cursor_size_bytes);
	if (worker->keyed)
		keyed_item_drop(worker);
	entry->scope = worker->item_scope;
	worker->item_scope = NULL;
	baggage_end(worker);
	in_flight->first_free = entry->next_free;
	entry->pending = true;
	in_flight->n_pending++;
	in_flight_put_aside(worker);
	due_add(worker, entry);
	return 0;
}

static int process(struct worker *worker, struct in_flight_item *entry)
{
	struct in_flight *in_flight = worker->in_flight;
	int r;

	in_flight_note(worker, in_flight->n_pending + 1);
	in_flight_note_hand(worker, entry);
	recording_process(worker);
	memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
	worker->context.accepted_ns = entry->lane ? entry->item.accepted_ns : replay_begun_ns(worker);
	worker->emit_refused = 0;
	worker->reason[0] = '\0';
	worker->phase = PHASE_PROCESS;
	in_flight->given = entry;
	in_flight->deferred = false;
	entry->given_ns = meter_given(worker, entry->lane);
	due_stamp(worker, entry);
	r = worker->stage.process(&worker->context, worker->state, &entry->item);
	in_flight->given = NULL;
	worker->phase = PHASE_NONE;
	if (r == WEIR_PENDING)
		return keep(worker, entry);
	if (in_flight->deferred && (r == WEIR_OK || r == WEIR_MORE || r == WEIR_HELD || r == WEIR_REJECTED))
		return in_flight_misuse(worker, "its process() called weir_defer() and returned %d (%s)", r,
					weir_status_name(r));
	r = turn_conclude(worker, &entry->item, r);
	if (r)
		return r;
	meter_ended(worker, entry->given_ns, entry->item.accepted_ns, true);
	in_flight_clear_hand(worker, entry);
	in_flight_note(worker, in_flight->n_pending);
	in_flight_end(worker, entry->window, entry->lane, entry->number);
	return 0;
}

enum { GIVE_E_PASSED = 1 };

/* Returns 0: the item is for the stage; GIVE_E_PASSED: it has ended here, and is counted; or what ends the turn. */
static int pass_over(struct worker *worker, struct in_flight_item *entry, const struct input *input)
{
	int r;

	if (input->header.kind == ITEM_RUN_END)
		return GIVE_E_PASSED; /* what completes in any order has no runs */
	if (worker->loop)
		loop_take(worker, input);
	if (leave_has_left(worker, input->edge)) {
		leave_discard(worker, &entry->item);
		return GIVE_E_PASSED;
	}
	if (entry->n_words) {
		r = cancelled_begin(worker, input);
		if (r != 0)
			return r == CANCELLED_E_SKIP ? GIVE_E_PASSED : r;
	}
	if (input->header.kind == ITEM_REFERENCE) {
		r = turn_follow(worker, input, &entry->item);
		if (r != 0)
			return r;
	}
	if (entry->item.attempt >= worker->heritage.attempts) {
		r = turn_give_up(worker, &entry->item);
		return r == 0 ? GIVE_E_PASSED : r;
	}
	return expiry_has_come(worker, &entry->item) ? GIVE_E_PASSED : 0;
}

/* One record: stepped over, or given to the stage. */
static int give(struct worker *worker, const struct input *input)
{
	struct in_flight *in_flight = worker->in_flight;
	struct input_lane *lane = &worker->inputs[input->edge].lanes[input->lane];
	struct done_window *window = &in_flight->windows[lane->lane.index];
	struct in_flight_item *entry = in_flight_free_entry(in_flight);
	uint64_t position = lane->lane.next, number;
	int r;

	if (!in_flight->begun)
		begin(in_flight);
	entry->item = (struct weir_item){ .data = input->payload,
					  .size_bytes = input->size_bytes,
					  .sequence = input->header.sequence,
					  .accepted_ns = input->header.accepted_ns,
					  .input = input->edge,
					  .attempt = turn_attempts(worker, input, position) };
	entry->window = window;
	entry->extension = input->extension;
	entry->n_words = input->header.flags;
	entry->scope = NULL;
	entry->lane = lane;
	entry->position = position;
	number = entry->number = done_window_take(window, &input->header);
	lane->touched = true;
	worker->changed = true;
	if (done_window_ended(window, number))
		return 0;
	store_relaxed(&window->shared->given, lane->lane.next);
	r = pass_over(worker, entry, input);
	if (r == GIVE_E_PASSED)
		in_flight_end(worker, window, lane, number);
	if (r != 0)
		return r == GIVE_E_PASSED ? 0 : r;
	r = process(worker, entry);
	return in_flight->misused ? turn_drop(worker, in_flight_failure(worker)) : r;
}

/* Returns 0: it was given; REPLAY_E_NONE: there is none, or its time has not come; what ends the turn. */
static int give_letter(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;
	struct in_flight_item *entry = in_flight_free_entry(in_flight);
	int r = replay_take(worker, WEIR_ANY_INPUT, &entry->item);

	in_flight->letter = r == 0;
	if (r != 0)
		return r;
	entry->window = NULL;
	entry->lane = NULL;
	entry->extension = worker->baggage.brought;
	entry->n_words = worker->baggage.n_brought;
	entry->scope = NULL;
	entry->position = entry->number = 0;
	if (replay_attempts(worker) >= worker->heritage.attempts) {
		r = turn_give_up(worker, &entry->item);
		if (r == 0)
			in_flight_end(worker, NULL, NULL, 0);
	} else {
		r = process(worker, entry);
	}
	return in_flight->misused ? turn_drop(worker, in_flight_failure(worker)) : r;
}

/* Returns 0 if others may be given, IN_FLIGHT_E_IDLE if not, or what ends the turn. */
static int look_at_letters(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;
	uint32_t n = 0;
	int r = 0;

	while (r == 0 && !in_flight->n_pending && !worker->produce_wanted) {
		if (!replay_is_due(worker) || n++ == worker->heritage.batch)
			return 0;
		r = worker_cancelled(worker) ? WEIR_CANCELLED : give_letter(worker);
	}
	if (r == REPLAY_E_NONE)
		return 0;
	if (r == 0 && in_flight->n_pending && !in_flight->letter)
		in_flight->letter = replay_has(worker, WEIR_ANY_INPUT);
	return r == 0 && (in_flight->letter || worker->produce_wanted) ? IN_FLIGHT_E_IDLE : r;
}

static int give_batch(struct worker *worker, uint32_t *ret_n)
{
	struct in_flight *in_flight = worker->in_flight;
	int r = 0;

	in_flight->inputs_closed = false;
	for (*ret_n = 0; *ret_n < worker->heritage.batch && r == 0 && !worker->produce_wanted && !worker->leaving &&
			 !worker->keyed_full && in_flight->n_pending < limit_now(worker) && !output_turn_full(worker);
	     ++*ret_n) {
		struct input input;

		if (worker_cancelled(worker))
			return WEIR_CANCELLED;
		r = input_next(worker, &input);
		if (r == INPUT_E_BROKEN)
			return WEIR_FAILED;
		in_flight->inputs_lost = r == INPUT_E_LOST;
		in_flight->inputs_closed = in_flight->ended = r == INPUT_E_CLOSED || r == INPUT_E_LOST;
		if (r == INPUT_E_EMPTY || in_flight->inputs_closed)
			return 0;
		r = give(worker, &input);
	}
	return r;
}

/* The stage's events, when it may be long until the next sleep. */
static int look_at_events(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;

	if (!in_flight->n_pending || worker_now_ns(worker) < in_flight->look_ns + LOOK_EVERY_NS)
		return 0;
	in_flight->look_ns = worker_now_ns(worker);
	return wait_look(worker);
}

/* Until some of what is pending has ended. */
static bool gives_no_more(struct worker *worker)
{
	const struct in_flight *in_flight = worker->in_flight;

	return in_flight->n_pending &&
	       (in_flight->ended || in_flight->letter || in_flight->n_pending >= limit_now(worker));
}

bool in_flight_has_all(struct worker *worker)
{
	bool has_all = worker->in_flight && worker->phase == PHASE_PRODUCE && gives_no_more(worker);

	if (worker->in_flight)
		worker->in_flight->asked = !has_all;
	return has_all;
}

/* The stage wants to hear of that. */
static bool tell_has_all(struct worker *worker)
{
	if (!worker->in_flight->asked || !gives_no_more(worker))
		return false;
	worker->in_flight->asked = false;
	worker->produce_wanted = true;
	return true;
}

int in_flight_turn(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;
	uint32_t n;
	int r, committed;

	r = look_at_events(worker);
	if (r || worker->produce_wanted)
		return r;
	input_rotate(worker);
	n = 0;
	r = in_flight->letter || replay_is_due(worker) ? look_at_letters(worker) : 0;
	if (r == 0)
		r = give_batch(worker, &n);
	else if (r == IN_FLIGHT_E_IDLE)
		r = 0;
	/* Also after a failure: what is complete counts, and won't be done again. */
	committed = turn_commit(worker);
	if (r || committed)
		return r ? r : committed;
	if (n || worker->produce_wanted || tell_has_all(worker))
		return 0;
	if (!in_flight->inputs_closed || in_flight->n_pending)
		return IN_FLIGHT_E_IDLE;
	return in_flight->inputs_lost ? turn_lost(worker) : WEIR_CLOSED;
}

uint32_t in_flight_wait_events(const struct worker *worker)
{
	const struct in_flight *in_flight = worker->in_flight;
	uint32_t limit =
		in_flight->careful && in_flight->limit < in_flight->capacity ? in_flight->limit : in_flight->capacity;

	return in_flight->inputs_closed || in_flight->letter || in_flight->n_pending >= limit ? 0 : ARM_DATA;
}
