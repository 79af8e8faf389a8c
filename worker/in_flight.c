/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items in flight.
 *
 *      process(item)  -> token = weir_defer(), WEIR_PENDING           the entry keeps lane, position, number and the view
 *          ...           the stage waits for its own events: weir_watch(), produce()
 *      produce()      -> weir_resume(token)    the item is in hand again: emits belong to it, and wait for room as in process()
 *                        weir_complete(token)  it has ended: ledger, done-bit, entry free; all of it in the turn's one commit
 *
 * The table is as long as in_flight and made at attach; the payload stays where it is, because the lane's `free` never passes an
 * item that has not ended. So an item in flight costs an entry of a hundred bytes and its room in the lane, and nothing is allocated.
 *
 * A token is generation, uses of the entry, and index: one of another generation, of an item that has ended, or of none is found out. A
 * stage that mixes them up has lost track of what it owes to whom, so it fails, with a sentence; carrying on would lose an item.
 */
#include "worker/in_flight.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/must.h"
#include "worker/baggage.h"
#include "worker/cancelled.h"
#include "worker/due.h"
#include "worker/in_flight_priv.h"
#include "worker/keyed.h"
#include "worker/outcome.h"
#include "worker/output.h"
#include "worker/replay.h"
#include "worker/turn_priv.h"

/* ---- the commit ---- */

void in_flight_collect(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->in_flight->n_windows; i++)
		done_window_collect_bits(&worker->in_flight->windows[i], &worker->commit);
	for (uint32_t i = 0; i < worker->in_flight->n_windows; i++)
		done_window_collect_done(&worker->in_flight->windows[i], &worker->commit);
}

bool in_flight_settle(struct worker *worker, const struct lane_in *lane)
{
	return done_window_settle(&worker->in_flight->windows[lane->index]);
}

/* ---- the table ---- */

uint32_t in_flight_capacity(const struct worker *worker)
{
	return worker->in_flight ? worker->in_flight->capacity : 1;
}

uint32_t in_flight_pending(const struct worker *worker)
{
	return worker->in_flight ? worker->in_flight->n_pending : 0;
}

bool in_flight_lane_is_full(const struct worker *worker, const struct lane_in *lane)
{
	return done_window_is_full(&worker->in_flight->windows[lane->index]);
}

struct in_flight_item *in_flight_free_entry(struct in_flight *in_flight)
{
	must(in_flight->first_free);
	return &in_flight->items[in_flight->first_free - 1];
}

static uint64_t token_of(const struct worker *worker, const struct in_flight_item *entry)
{
	return (uint64_t)(worker->heritage.generation & 0xffff) << 48 | (uint64_t)entry->uses << 16 |
	       (uint64_t)(entry - worker->in_flight->items + 1);
}

static struct in_flight_item *find(struct worker *worker, uint64_t token)
{
	struct in_flight *in_flight = worker->in_flight;
	uint64_t index = token & 0xffff;

	if (!index || index > in_flight->capacity || !in_flight->items[index - 1].pending ||
	    token_of(worker, &in_flight->items[index - 1]) != token)
		return NULL;
	return &in_flight->items[index - 1];
}

/* The first one is the cause of the others. */
static int fail(struct worker *worker, const char *reason)
{
	struct in_flight *in_flight = worker->in_flight;

	if (!in_flight->misused)
		snprintf(in_flight->reason, sizeof(in_flight->reason), "%.*s", (int)sizeof(in_flight->reason) - 1,
			 reason);
	in_flight->misused = true;
	return WEIR_FAILED;
}

int in_flight_failure(struct worker *worker)
{
	snprintf(worker->reason, sizeof(worker->reason), "%s", worker->in_flight->reason);
	return WEIR_FAILED;
}

int in_flight_misuse(struct worker *worker, const char *format, ...)
{
	char what[256], reason[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	snprintf(reason, sizeof(reason), "%s; mend the stage", what);
	return fail(worker, reason);
}

void in_flight_end(struct worker *worker, struct done_window *window, struct input_lane *lane, uint64_t number)
{
	if (!lane) {
		worker->in_flight->letter = false;
		replay_end(worker);
		return;
	}
	done_window_end(window, number);
	lane->touched = true;
	worker->changed = true;
}

void in_flight_note(struct worker *worker, uint32_t n)
{
	store_release(&worker->segment.hand->in_flight, n); /* [S2] behind busy := 0 */
}

void in_flight_note_hand(struct worker *worker, const struct in_flight_item *entry)
{
	struct segment_hand *hand = worker->segment.hand;

	if (!entry->lane) {
		replay_note_hand(worker, &entry->item);
		return;
	}
	store_relaxed(&hand->busy, 0); /* [S2] first: a note half overwritten names nobody */
	fence_release();               /* [S2] */
	store_relaxed(&hand->position, entry->position);
	store_relaxed(&hand->sequence, entry->item.sequence);
	store_relaxed(&hand->lane, entry->lane->lane.index);
	store_release(&hand->busy, 1); /* [S2] mate: find_suspect */
}

void in_flight_put_aside(struct worker *worker)
{
	store_release(&worker->segment.hand->busy, HAND_ASIDE); /* [S2] */
}

void in_flight_clear_hand(struct worker *worker, const struct in_flight_item *entry)
{
	struct segment_hand *hand = worker->segment.hand;

	if (!entry->lane ||
	    (load_relaxed(&hand->position) == entry->position && load_relaxed(&hand->lane) == entry->lane->lane.index))
		store_release(&hand->busy, 0); /* [S2] */
}

/* ---- the stage's calls ---- */

static int no_items(struct worker *worker, const char *call)
{
	snprintf(worker->reason, sizeof(worker->reason),
		 "it called %s(), and the stage has in_flight: 1; give it as many items as it should have at a time",
		 call);
	return WEIR_FAILED;
}

uint64_t in_flight_defer(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;
	struct in_flight_item *entry;

	if (!in_flight) {
		no_items(worker, "weir_defer");
		return 0;
	}
	entry = in_flight->given;
	if (!entry || worker->phase != PHASE_PROCESS) {
		in_flight_misuse(worker, "it called weir_defer() outside process()");
		return 0;
	}
	if (in_flight->deferred) {
		in_flight_misuse(worker, "it called weir_defer() twice for one item");
		return 0;
	}
	in_flight->deferred = true;
	return token_of(worker, entry);
}

/* The item in hand becomes pending again: nothing has happened to it. What it has emitted can't just be forgotten. */
static int put_back(struct worker *worker)
{
	struct in_flight *in_flight = worker->in_flight;
	bool emitted = worker->item_emitted || worker->emit_refused;

	if (!in_flight->in_hand)
		return 0;
	turn_drop(worker, 0);
	worker->phase = PHASE_PRODUCE;
	worker->emit_refused = 0;
	in_flight->in_hand->scope = worker->item_scope;
	worker->item_scope = NULL;
	in_flight->in_hand = NULL;
	baggage_end(worker);
	in_flight_put_aside(worker);
	return emitted ? in_flight_misuse(worker, "it emitted for a resumed item and did not complete it") : 0;
}

static int take_in_hand(struct worker *worker, struct in_flight_item *entry)
{
	int r = put_back(worker);

	if (r == 0 && entry->n_words)
		r = baggage_begin_with(worker, entry->extension, entry->n_words);
	if (r)
		return r;
	worker->item_scope = entry->scope;
	entry->scope = NULL;
	in_flight_note_hand(worker, entry);
	memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
	if (worker->keyed)
		keyed_item_end(worker); /* what produce() has changed before */
	worker->context.accepted_ns = entry->lane ? entry->item.accepted_ns : replay_begun_ns(worker);
	worker->emit_refused = 0;
	worker->reason[0] = '\0';
	worker->in_flight->in_hand = entry;
	worker->phase = PHASE_PROCESS;
	return 0;
}

/* The entry that a call in produce() names; NULL: it failed, the reason is noted. */
static struct in_flight_item *entry_for(struct worker *worker, const char *call, uint64_t token)
{
	struct in_flight *in_flight = worker->in_flight;
	struct in_flight_item *entry;

	if (worker->phase != PHASE_PRODUCE && !in_flight->in_hand) {
		in_flight_misuse(worker, "it called %s() outside produce()", call);
		return NULL;
	}
	entry = find(worker, token);
	if (!entry)
		in_flight_misuse(worker,
				 "it called %s() with token %#llx, which is none, or of an item that is complete", call,
				 (unsigned long long)token);
	return entry;
}

int in_flight_resume(struct worker *worker, uint64_t token, const struct weir_item **ret_item)
{
	struct in_flight_item *entry;
	int r;

	if (!worker->in_flight)
		return no_items(worker, "weir_resume");
	entry = entry_for(worker, "weir_resume", token);
	if (!entry)
		return WEIR_FAILED;
	if (entry != worker->in_flight->in_hand) {
		r = take_in_hand(worker, entry);
		if (r)
			return r;
	}
	if (ret_item)
		*ret_item = &entry->item;
	return 0;
}

static void release(struct worker *worker, struct in_flight_item *entry)
{
	struct in_flight *in_flight = worker->in_flight;

	entry->pending = false;
	entry->uses++;
	entry->next_free = in_flight->first_free;
	in_flight->first_free = (uint32_t)(entry - in_flight->items) + 1;
	in_flight->n_pending--;
	due_remove(worker, entry);
}

/* Resumed, and after weir_reject(): the reason is the letter's. */
static bool is_given_up(const struct worker *worker, const struct in_flight_item *entry, int status)
{
	return (status == WEIR_EXPIRED || status == WEIR_PEER_LOST) && entry == worker->in_flight->in_hand &&
	       worker->reason[0];
}

int in_flight_complete(struct worker *worker, uint64_t token, int status)
{
	struct in_flight *in_flight = worker->in_flight;
	struct in_flight_item *entry;
	int r;

	if (!in_flight)
		return no_items(worker, "weir_complete");
	entry = entry_for(worker, "weir_complete", token);
	if (!entry)
		return WEIR_FAILED;
	if (status != WEIR_OK && status != WEIR_HELD && status != WEIR_REJECTED && status != WEIR_CANCELLED &&
	    !is_given_up(worker, entry, status))
		return in_flight_misuse(worker, "it called weir_complete() with %d (%s), which is no end of an item",
					status, weir_status_name(status));
	if (entry != in_flight->in_hand) {
		r = take_in_hand(worker, entry);
		if (r)
			return r;
	}
	if (status == WEIR_CANCELLED && worker_cancelled(worker)) { /* so is the item's scope; it stays undone */
		worker->emit_refused = WEIR_CANCELLED;
		return WEIR_CANCELLED;
	}
	if (status == WEIR_CANCELLED && cancelled_in_hand(worker) == CAUSE_NONE)
		return in_flight_misuse(worker, "it called weir_complete() with WEIR_CANCELLED for an item whose scope "
						"is not cancelled");
	if (worker->emit_refused && (status == WEIR_OK || status == WEIR_HELD)) {
		r = outcome_after_emits(worker, "produce", OUTCOMES_ENDING, WEIR_OK);
		worker->phase = PHASE_PROCESS;
		return r == WEIR_CANCELLED ? r : fail(worker, worker->reason);
	}
	worker->emit_refused = 0;
	r = turn_account(worker, &entry->item, status);
	worker->phase = PHASE_PRODUCE;
	in_flight->in_hand = NULL;
	if (r != 0)
		return fail(worker, worker->reason);
	meter_ended(worker, entry->given_ns, entry->item.accepted_ns, false);
	in_flight_clear_hand(worker, entry);
	in_flight_end(worker, entry->window, entry->lane, entry->number);
	release(worker, entry);
	in_flight_note(worker, in_flight->n_pending);
	baggage_take_up(worker);
	return 0;
}

int in_flight_after_produce(struct worker *worker, int status)
{
	struct in_flight *in_flight = worker->in_flight;
	int r = 0;

	if (!in_flight)
		return status;
	if (worker->emit_refused == WEIR_CANCELLED && (status == WEIR_OK || status == WEIR_MORE))
		status = WEIR_CANCELLED; /* it has overlooked that */
	if (status == WEIR_OK || status == WEIR_MORE)
		r = put_back(worker);
	else if (in_flight->in_hand)
		turn_drop(worker, 0);
	baggage_end(worker);
	in_flight->in_hand = NULL;
	worker->emit_refused = 0;
	if (in_flight->misused)
		return in_flight_failure(worker);
	return r ? r : status;
}
