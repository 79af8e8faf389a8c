/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters that are to be given again pass by the supervisor: it tells `weir dlq replay` which slots there are, and the workers that
 * something is marked for them. It reads no letter and waits for no lock of theirs, but at the end, when nobody is left:
 * then for two seconds at most.
 */
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/memory/doorbell.h"
#include "common/store/letter_replay.h"

#define SETTLE_WAIT_NS (2 * NS_PER_S)

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
		       0 :
		       load_acquire(&seat->segment.cursor_switch->letter); /* [C3] mate: commit_store */
}

static void add_seats(const struct supervisor *supervisor, const struct plan_stage *stage, struct text *text)
{
	for (uint32_t i = 0; i < stage->workers; i++) {
		const struct seat *seat = &supervisor->seats[stage->first_slot + i];

		text_printf(text, "%s{\"slot\":%u,\"taken\":%llu,\"over\":%s}", i ? "," : "", seat->slot,
			    (unsigned long long)seat_taken(seat),
			    seat_state_over(seat->life->state) || seat->life->stands_in ? "true" : "false");
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

enum { VISIT_E_OWN = 100 };

/* It may be of an earlier run, and have failed again in this one. */
static int find_own(void *data, const struct dead_letter *letter)
{
	const struct supervisor *supervisor = data;

	return letter->time_ns >= supervisor->run ? VISIT_E_OWN : 0;
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

bool letters_settle(struct supervisor *supervisor)
{
	bool replayed = supervisor->board && load_relaxed(&supervisor->board->replays),
	     letters = outcome_letters(supervisor->counted.ledger);
	struct letter_store *store = NULL;
	int r, own;

	if ((!replayed && !letters) || !supervisor->dead_letter_store)
		return false;
	/* Somebody stopped in the midst of writing would keep this pipeline from its end. */
	letter_store_limit_wait(SETTLE_WAIT_NS);
	r = letter_store_open(supervisor->dead_letter_store, LETTER_STORE_TEND, 0, &store);
	if (r == 0 && replayed)
		r = release(supervisor, store);
	own = r == 0 && letters ? letter_store_each(store, find_own, supervisor) : r;
	letter_store_close(store);
	supervisor->letters_status = replayed && r != LETTER_STORE_E_NONE ? r : 0;
	return own == 0 && letters && !any_in_files(supervisor);
}

int supervisor_letters_status(const struct supervisor *supervisor)
{
	return supervisor->letters_status;
}
