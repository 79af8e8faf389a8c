/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds a pipeline back beside the flow: workers that die, stages that grow and shrink, partners that do not answer; and what is
 * lost on the way. Deaths and sizes come from what has happened lately, all else from the books and the lanes of the two views.
 */
#include "broker/observe/pace_priv.h"

#include <stdlib.h>

#include "broker/observe/pace.h"
#include "common/base/must.h"
#include "common/wire/heritage.h"

#define DEATHS_WITHIN_MS 30000
#define DEATHS_MIN 3u /* one is an accident, and is mended */
#define TURNS_WITHIN_MS 60000
#define TURNS_MIN 3u /* up, down, up, down */
#define LOST_MIN 3u
#define LOST_SHARE 0.1
#define DROPPED_SHARE 0.01 /* of what somebody wants dropped when it is full */
#define CALLED_SHARE 0.5
#define REPEATED 1.5 /* calls for each item */

/* ---- deaths ---- */

/* The stage has died of the same item before. */
static bool is_again(const struct pace_view *view, uint32_t number)
{
	const struct pace_event *event = &view->events[number];

	for (uint32_t i = 0; event->item && i < number; i++)
		if (view->events[i].kind == PACE_EVENT_DIED && view->events[i].stage == event->stage &&
		    view->events[i].item == event->item)
			return true;
	return false;
}

static void judge_deaths(struct pace_sum *sum, uint32_t stage)
{
	const struct pace_event *last = NULL;
	uint32_t n = 0, n_again = 0;
	int64_t first_ms = 0;
	struct pace_finding *finding;

	for (uint32_t i = 0; i < sum->after->n_events; i++) {
		const struct pace_event *event = &sum->after->events[i];

		if (event->kind != PACE_EVENT_DIED || event->stage != stage || event->ago_ms > DEATHS_WITHIN_MS)
			continue;
		first_ms = n ? first_ms : event->ago_ms;
		last = event;
		n++;
		n_again += is_again(sum->after, i);
	}
	if (n < DEATHS_MIN)
		return;
	finding = pace_add(sum, n_again ? PACE_IS_POISON : PACE_IS_CRASHING, stage, PACE_NONE);
	if (!finding)
		return;
	finding->n = n;
	finding->for_s = (double)first_ms / 1000;
	finding->text = last->text;
}

/* ---- up and down ---- */

static void judge_size(struct pace_sum *sum, uint32_t stage)
{
	uint32_t n_workers = 0, n_turns = 0;
	int direction = 0;
	int64_t first_ms = 0;
	struct pace_finding *finding;

	for (uint32_t i = 0; i < sum->after->n_events; i++) {
		const struct pace_event *event = &sum->after->events[i];
		int now;

		if (event->kind != PACE_EVENT_SCALED || event->stage != stage || event->ago_ms > TURNS_WITHIN_MS)
			continue;
		first_ms = first_ms ? first_ms : event->ago_ms;
		now = !n_workers || event->n_workers == n_workers ? 0 : event->n_workers > n_workers ? 1 : -1;
		n_turns += now && direction && now != direction;
		direction = now ? now : direction;
		n_workers = event->n_workers;
	}
	finding = n_turns >= TURNS_MIN ? pace_add(sum, PACE_IS_THRASHING, stage, PACE_NONE) : NULL;
	if (!finding)
		return;
	finding->n = n_turns;
	finding->for_s = (double)first_ms / 1000;
}

/* ---- the head of a loop, and its partner ---- */

static bool leads_back(const struct catalog *catalog, uint32_t from, uint32_t head, bool *seen)
{
	if (seen[from])
		return false;
	seen[from] = true;
	for (uint32_t i = 0; i < catalog->head->n_edges; i++) {
		const struct catalog_edge *edge = &catalog->edges[i];

		if (edge->from == from && ((edge->to == head && edge->feedback) ||
					   (!edge->feedback && leads_back(catalog, edge->to, head, seen))))
			return true;
	}
	return false;
}

static bool is_call(const struct catalog *catalog, uint32_t edge)
{
	bool *seen = calloc(catalog->head->n_stages + 1ul, sizeof(*seen));
	bool leads;

	must(seen);
	leads = leads_back(catalog, catalog->edges[edge].to, catalog->edges[edge].from, seen);
	free(seen);
	return leads;
}

static void judge_calls(struct pace_sum *sum, uint32_t stage)
{
	bool breaks = pace_is_kind(sum->catalog, stage, "breaker"),
	     repeats = pace_is_kind(sum->catalog, stage, "retry");
	uint64_t came = 0, called = 0;
	struct pace_finding *finding = NULL;
	uint32_t call = PACE_NONE;

	for (uint32_t i = 0; (breaks || repeats) && i < sum->catalog->head->n_edges; i++) {
		const struct catalog_edge *edge = &sum->catalog->edges[i];

		if (edge->to == stage && !edge->feedback)
			came += pace_edge_bytes(sum, i);
		if (edge->from == stage && !edge->feedback && is_call(sum->catalog, i)) {
			called += pace_edge_bytes(sum, i);
			call = i;
		}
	}
	if (breaks && came && (double)called < CALLED_SHARE * (double)came && sum->stages[stage].ledger[LEDGER_EMITTED])
		finding = pace_add(sum, PACE_IS_BREAKER, stage, PACE_NONE);
	else if (repeats && came && (double)called > REPEATED * (double)came)
		finding = pace_add(sum, PACE_IS_RETRIES, stage, PACE_NONE);
	if (!finding)
		return;
	finding->edge = call;
	finding->share = (double)called / (double)came;
}

void pace_find_trouble(struct pace_sum *sum)
{
	for (uint32_t i = 0; i < sum->catalog->head->n_stages; i++) {
		judge_deaths(sum, i);
		judge_size(sum, i);
		judge_calls(sum, i);
	}
}

/* ---- losses ---- */

static void judge_loss(struct pace_sum *sum, enum pace_kind kind, uint32_t stage, uint64_t n, double least)
{
	uint64_t came = sum->stages[stage].n_through;
	struct pace_finding *finding;

	came = kind == PACE_IS_DROPS ? came + n : came;
	if (n < LOST_MIN || (double)n < least * (double)came)
		return;
	finding = pace_add(sum, kind, stage, PACE_NONE);
	if (!finding)
		return;
	finding->n = n;
	finding->share = came > n ? (double)n / (double)came : 1;
}

/* Old ones are counted by who would have taken them, new ones by who would have sent them: where several lanes drop, by the fullest. */
static uint64_t dropped_at(const struct pace_sum *sum, uint32_t edge)
{
	const struct catalog_edge *of = &sum->catalog->edges[edge];
	const struct pace_stage_sum *from = &sum->stages[of->from];

	if (of->full == HERITAGE_FULL_DROP_OLD)
		return sum->stages[of->to].ledger[LEDGER_DROPPED_OLD];
	for (uint32_t i = 0; i < sum->catalog->head->n_edges; i++) {
		const struct catalog_edge *other = &sum->catalog->edges[i];

		if (other->from == of->from && other->full == of->full &&
		    sum->stages[other->to].own > sum->stages[of->to].own)
			return 0;
	}
	return of->full == HERITAGE_FULL_DROP_NEW ? from->ledger[LEDGER_DROPPED_NEW] :
	       of->full == HERITAGE_FULL_REJECT   ? from->ledger[LEDGER_REFUSED] :
						    0;
}

void pace_find_losses(struct pace_sum *sum)
{
	for (uint32_t i = 0; i < sum->catalog->head->n_edges; i++)
		judge_loss(sum, PACE_IS_DROPS, sum->catalog->edges[i].to, dropped_at(sum, i), DROPPED_SHARE);
	for (uint32_t i = 0; i < sum->catalog->head->n_stages; i++) {
		const uint64_t *ledger = sum->stages[i].ledger;

		judge_loss(sum, PACE_IS_DEAD_LETTERS, i,
			   ledger[LEDGER_DEAD_LETTERED] + ledger[LEDGER_REJECTED_IN] + ledger[LEDGER_REJECTED_OUT],
			   LOST_SHARE);
		judge_loss(sum, PACE_IS_EXPIRING, i, ledger[LEDGER_EXPIRED], LOST_SHARE);
	}
}
