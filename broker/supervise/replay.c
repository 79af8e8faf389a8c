/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters that are to be given again pass by the supervisor: it tells `weir dlq replay` which slots there are, and the workers that
 * something is marked for them. Until the end it does not look into the store.
 *
 * At the end it does what is left to do there, and stands still for nobody's sake: it only reads as long as no mark of this run stands,
 * and reading takes no turn. If one does, a worker died with it; then the turn to write is tried for, for so long, and if somebody
 * stands still with it (a `weir dlq` that was stopped), the run ends without, says who, and ends with losses. That loses nothing: a
 * mark says itself whether its letter may have been taken, and marks of a run that is over are given to no worker.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/memory/doorbell.h"
#include "common/store/letter_replay.h"

static void add_string(struct text *text, const char *string)
{
	text_add_json(text, string, strlen(string));
}

/* The stages at the other ends of the stage's edges, in the order of its inputs, or of its outputs. */
static void add_neighbours(const struct plan *plan, uint32_t stage, bool outputs, struct text *text)
{
	bool any = false;

	for (uint32_t i = 0; i < plan->n_edges; i++) {
		const struct plan_edge *edge = &plan->edges[i];

		if ((outputs ? edge->from : edge->to) != stage)
			continue;
		text_add(text, any ? "," : "");
		add_string(text, plan->stages[outputs ? edge->to : edge->from].name);
		any = true;
	}
}

uint64_t seat_taken(const struct seat *seat)
{
	return seat->life->quarantined ?
		       LETTER_TAKEN_UNKNOWN :
		       load_acquire(&seat->segment.cursor_switch->letter); /* [C3] mate: commit_store */
}

static void add_seats(const struct supervisor *supervisor, const struct plan_stage *stage, struct text *text)
{
	for (uint32_t i = 0; i < stage->workers; i++) {
		const struct seat *seat = &supervisor->seats[stage->first_slot + i];

		text_printf(text, "%s{\"slot\":%u,\"taken\":%llu,\"over\":%s}", i ? "," : "", seat->slot,
			    (unsigned long long)seat_taken(seat),
			    seat_state_over(seat->life->state) || seat->life->state == SEAT_RESTING ||
					    seat->life->stands_in ?
				    "true" :
				    "false");
	}
}

/* Why nothing can be given to it; NULL: something can. */
static const char *objection(const struct supervisor *supervisor, const struct plan_stage *stage)
{
	if (stage->role == WEIR_SOURCE)
		return "that stage is a source: it reads its items itself, so nothing can be given to it. Mend what it reads";
	if (stage->dead_letter_path)
		return "that stage keeps its dead letters in a file of its own (dead_letter: {path: ...}); take that out of the "
		       "spec and start the pipeline again";
	if (supervisor->lifecycle.state != PIPELINE_RUNNING)
		return "it does not run (any more); start it again, then replay";
	return NULL;
}

bool supervisor_replay(struct supervisor *supervisor, const char *name, struct text *body)
{
	const struct plan *plan = supervisor->plan;
	uint32_t number;
	const struct plan_stage *stage = plan_find_stage(plan, name, &number);
	const char *why;

	must(stage);
	why = objection(supervisor, stage);
	if (why) {
		text_add(body, "{\"error\":");
		add_string(body, why);
		text_add_char(body, '}');
		return false;
	}
	store_release(&supervisor->board->replays,
		      load_relaxed(&supervisor->board->replays) + 1); /* [B4] mate: read_marks */
	for (uint32_t i = 0; i < stage->workers; i++)
		doorbell_ring(supervisor->seats[stage->first_slot + i].doorbell_fd);
	stalls_wake(supervisor);
	text_printf(body, "{\"pid\":%d,\"run\":%llu,\"inputs\":[", (int)supervisor->pid,
		    (unsigned long long)supervisor->run);
	add_neighbours(plan, number, false, body);
	text_add(body, "],\"outputs\":[");
	add_neighbours(plan, number, true, body);
	text_add(body, "],\"slots\":[");
	add_seats(supervisor, stage, body);
	text_add(body, "]}");
	return true;
}

/* ---- the end ---- */

static int release(const struct supervisor *supervisor, struct letter_store *store)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < supervisor->plan->n_slots; i++)
		r = letter_store_give_up(store, supervisor->run, i, seat_taken(&supervisor->seats[i]));
	return r;
}

#define SETTLE_NS (2 * NS_PER_S) /* of the supervisor's deafness at most, on top of the disk's */

static int settle_marks(const struct supervisor *supervisor)
{
	struct letter_store *store = NULL;
	int r;

	letter_store_bound(clock_now_ns() + SETTLE_NS, NULL);
	r = letter_store_open(supervisor->dead_letter_store, LETTER_STORE_TEND, 0, &store);
	if (r == 0)
		r = release(supervisor, store);
	letter_store_close(store);
	letter_store_bound(0, NULL);
	return r;
}

enum { VISIT_E_OWN = 100 };

/* It may be of an earlier run, and have failed again in this one. No clock is asked: one that is set back would make a loss nobody's. */
static int find_own(void *data, const struct dead_letter *letter)
{
	const struct supervisor *supervisor = data;

	return letter->last_run == supervisor->run ? VISIT_E_OWN : 0;
}

/* What lies in a file is nobody's to give again. */
static bool any_in_files(const struct supervisor *supervisor)
{
	uint64_t ledger[LEDGER_COUNT];

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		seat_ledger(&supervisor->seats[i], ledger);
		if (outcome_letters(ledger) && supervisor->seats[i].stage->dead_letter_path)
			return true;
	}
	return false;
}

/* What is left in the store of this run. Takes no turn. */
struct rest {
	bool marks, letters;
};

static int look(const struct supervisor *supervisor, struct rest *ret_rest)
{
	struct letter_store *store = NULL;
	struct letter_mark *marks = NULL;
	size_t n = 0;
	int r = letter_store_open(supervisor->dead_letter_store, LETTER_STORE_READ, 0, &store);

	*ret_rest = (struct rest){ 0 };
	if (r == 0)
		r = letter_store_marks(store, supervisor->run, LETTER_MARK_ANY_SLOT, 0, &marks, &n);
	ret_rest->marks = n || (r != 0 && r != LETTER_STORE_E_NONE); /* who can't look can't rule it out */
	free(marks);
	if (r == 0)
		r = letter_store_each(store, find_own, (void *)(uintptr_t)supervisor);
	letter_store_close(store);
	ret_rest->letters = r == VISIT_E_OWN;
	return r == VISIT_E_OWN ? 0 : r;
}

/* Returns 0, what letter_store.h says, -errno. */
static int settle(const struct supervisor *supervisor, struct rest *ret_rest)
{
	int r = look(supervisor, ret_rest), looked;

	if (!ret_rest->marks)
		return r;
	r = settle_marks(supervisor);
	looked = look(supervisor, ret_rest);
	return r ? r : looked;
}

void letters_settle(struct supervisor *supervisor, struct outcome *outcome)
{
	bool replayed = supervisor->board && load_relaxed(&supervisor->board->replays),
	     letters = outcome_letters(outcome->ledger);
	struct rest rest;
	int r;

	outcome->letters_settled = outcome->letters_held = false;
	if ((!replayed && !letters) || !supervisor->dead_letter_store)
		return;
	r = settle(supervisor, &rest);
	supervisor->letters_status = replayed && r != LETTER_STORE_E_NONE ? r : 0;
	outcome->letters_settled = r == 0 && !rest.letters && letters && !any_in_files(supervisor);
	outcome->letters_held = replayed && rest.marks;
}

int supervisor_letters_status(const struct supervisor *supervisor)
{
	return supervisor->letters_status;
}
