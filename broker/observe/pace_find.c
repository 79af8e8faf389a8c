/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever waits for room leads to the one that does not:
 *
 *      orders ---[####]--> clean ---[####]--> risk ---[    ]--> out
 *      wants room 93 %     wants room 90 %    at work 98 %      wants an item 95 %
 *                                             ^^^^ holds them back: it is pressed, and presses nobody
 *
 * A stage is pressed if a producer of it waits for room there for PACE_PRESSED of the time. If it spends more time of its own than it waits
 * for room itself, it is the culprit; else the blame goes on to who presses it. What it does with its time says what is the matter:
 *
 *      one worker alone has no time to spare                  a hot key, a slow worker
 *      it wants an item of one lane, while others have some   an input that is silent, an order that waits for one worker
 *      it has time to spare                                   bursts that do not fit into the lane
 *      it waits for the time of an item                       a throttle
 *      it gets no processor, waits for its program ...        as they say
 *
 * If nobody is pressed a source may be what is slow: it works all the time, and all others want items. One that waits for input is none.
 */
#include "broker/observe/pace_priv.h"

#include <string.h>

#include "common/wire/heritage.h"

#define LOOKS_MIN 10u    /* fewer say nothing */
#define SLOWER_PRESSED 3 /* times the others: then it is the worker and not its share of the items */
#define SLOWER 4         /* ... if nobody is held up by it */
#define OTHERS_MIN 2u    /* with fewer nobody can say which of them is the odd one */

/* ---- the chain ---- */

/* Who waits for this stage, and who for that: upwards along the edge that is pressed most. */
static void add_chain(const struct pace_sum *sum, struct pace_finding *finding)
{
	uint32_t chain[PACE_CHAIN_MAX], n = 0, stage = finding->stage;

	chain[n++] = stage;
	while (n < PACE_CHAIN_MAX && sum->stages[stage].pressed_edge != PACE_NONE &&
	       sum->stages[stage].pressure >= PACE_PRESSED) {
		bool known = false;

		stage = sum->catalog->edges[sum->stages[stage].pressed_edge].from;
		for (uint32_t i = 0; i < n; i++)
			known = known || chain[i] == stage;
		if (known)
			break;
		chain[n++] = stage;
	}
	for (uint32_t i = 0; i < n; i++)
		finding->chain[i] = chain[n - 1 - i];
	finding->n_chain = n;
}

static bool passes_blame(const struct pace_sum *sum, uint32_t stage)
{
	const struct pace_stage_sum *of = &sum->stages[stage];

	if (of->doing[PACE_WANTS_ROOM] <= of->own + of->doing[PACE_AWAY])
		return false;
	for (uint32_t i = 0; i < sum->catalog->head->n_edges; i++)
		if (sum->catalog->edges[i].from == stage && sum->pressures[i] >= PACE_PRESSED)
			return true;
	return false;
}

/* ---- one of several ---- */

/* The worker of the stage that has the least time to spare; what the others have, on the mean. */
static uint32_t find_odd_one(const struct pace_sum *sum, uint32_t stage, double *ret_others_own,
			     double *ret_others_service_ns)
{
	const struct catalog_stage *planned = &sum->catalog->stages[stage];
	uint32_t odd = PACE_NONE, n = 0, n_served = 0;
	double own = 0, service_ns = 0;

	for (uint32_t i = planned->first_slot; i < planned->first_slot + planned->workers; i++)
		if (sum->workers[i].counts && (odd == PACE_NONE || sum->workers[i].own > sum->workers[odd].own))
			odd = i;
	for (uint32_t i = planned->first_slot; i < planned->first_slot + planned->workers; i++) {
		if (!sum->workers[i].counts || i == odd)
			continue;
		own += sum->workers[i].own;
		n++;
		service_ns += sum->workers[i].service_ns;
		n_served += sum->workers[i].service_ns > 0;
	}
	*ret_others_own = n ? own / n : 1;
	*ret_others_service_ns = n_served ? service_ns / n_served : 0;
	return n && sum->workers[odd].own >= PACE_FULL_TIME ? odd : PACE_NONE;
}

/* Time of its own for each item; of one that was through with none, at least so much. */
static double service_of(const struct pace_sum *sum, uint32_t slot)
{
	const struct pace_worker_sum *worker = &sum->workers[slot];

	return worker->service_ns > 0 ? worker->service_ns : worker->own * sum->seconds * (double)NS_PER_S;
}

static void add_odd_one(struct pace_sum *sum, enum pace_kind kind, uint32_t stage, uint32_t odd, double others_ns)
{
	struct pace_finding *finding = pace_add(sum, kind, stage, odd);

	if (!finding)
		return;
	if (finding->item_ns <= 0 || kind == PACE_IS_SLOW_WORKER)
		finding->item_ns = service_of(sum, odd);
	finding->others_ns = others_ns;
	if (sum->stages[stage].n_through)
		finding->share = (double)sum->workers[odd].n_through / (double)sum->stages[stage].n_through;
	add_chain(sum, finding);
}

/* The stage is pressed because one worker of it is, while the others have time to spare. */
static bool judge_odd_one(struct pace_sum *sum, uint32_t stage)
{
	double others_own, others_ns;
	uint32_t odd = find_odd_one(sum, stage, &others_own, &others_ns);
	bool by_key = sum->catalog->stages[stage].balance == HERITAGE_BALANCE_KEY;

	if (odd == PACE_NONE || others_own > 1 - PACE_IDLE - 0.2)
		return false;
	if (by_key && !(others_ns > 0 && service_of(sum, odd) >= SLOWER_PRESSED * others_ns))
		add_odd_one(sum, PACE_IS_HOT_KEY, stage, odd, others_ns);
	else
		add_odd_one(sum, PACE_IS_SLOW_WORKER, stage, odd, others_ns);
	return true;
}

/* Nobody waits, for the others take over what it does not get done: but it is slow. */
static void judge_slow_worker(struct pace_sum *sum, uint32_t stage)
{
	double others_own, others_ns;
	uint32_t odd = find_odd_one(sum, stage, &others_own, &others_ns);

	if (odd == PACE_NONE || sum->stages[stage].n_workers < OTHERS_MIN + 1 || !(others_ns > 0))
		return;
	if (sum->workers[odd].filled_bytes > 0 && service_of(sum, odd) >= SLOWER * others_ns)
		add_odd_one(sum, PACE_IS_SLOW_WORKER, stage, odd, others_ns);
}

/* ---- items of the wrong lane ---- */

static double awaited(const struct pace_sum *sum, uint32_t lane)
{
	return pace_share(sum->before->lanes[lane].n_item, sum->after->lanes[lane].n_item,
			  sum->before->lanes[lane].n_looks, sum->after->lanes[lane].n_looks);
}

static bool has_items(const struct pace_sum *sum, uint32_t lane)
{
	return pace_share(sum->before->lanes[lane].n_passed_over, sum->after->lanes[lane].n_passed_over,
			  sum->before->lanes[lane].n_looks, sum->after->lanes[lane].n_looks) >= PACE_IDLE;
}

static bool edge_has_items(const struct pace_sum *sum, uint32_t edge, uint32_t consumer)
{
	uint32_t first = sum->catalog->edges[edge].first_lane, n = catalog_edge_lanes(sum->catalog, edge);

	for (uint32_t i = first; i < first + n; i++)
		if (sum->catalog->lanes[i].consumer == consumer && has_items(sum, i))
			return true;
	return false;
}

/* Of the lanes that this worker waits at, the one whose producer is most at work: it is what is waited for. */
static uint32_t awaited_lane(const struct pace_sum *sum, uint32_t consumer)
{
	uint32_t found = PACE_NONE;
	double most = -1;

	for (uint32_t i = 0; i < sum->catalog->head->n_lanes; i++) {
		const struct catalog_lane *lane = &sum->catalog->lanes[i];
		double own = sum->workers[lane->producer].own;

		if (lane->consumer != consumer || sum->catalog->edges[lane->edge].feedback ||
		    awaited(sum, i) < PACE_IDLE || !sum->workers[lane->producer].counts || own <= most)
			continue;
		most = own;
		found = i;
	}
	return found;
}

/* A worker of the stage has items and waits for others. */
static bool judge_awaited(struct pace_sum *sum, uint32_t stage)
{
	const struct catalog_stage *planned = &sum->catalog->stages[stage];
	uint32_t consumer = planned->first_slot, lane, edge;
	struct pace_finding *finding;
	bool in_order;

	for (uint32_t i = planned->first_slot; i < planned->first_slot + planned->workers; i++)
		if (sum->workers[i].passed_over > sum->workers[consumer].passed_over)
			consumer = i;
	lane = sum->workers[consumer].passed_over >= PACE_IDLE ? awaited_lane(sum, consumer) : PACE_NONE;
	if (lane == PACE_NONE)
		return false;
	edge = sum->catalog->lanes[lane].edge;
	in_order = edge_has_items(sum, edge, consumer);
	finding = pace_add(sum, in_order ? PACE_IS_HEAD_OF_LINE : PACE_IS_SILENT_INPUT, sum->catalog->edges[edge].from,
			   in_order ? sum->catalog->lanes[lane].producer : PACE_NONE);
	if (!finding)
		return true;
	finding->edge = edge;
	finding->waits = sum->workers[consumer].doing[PACE_WANTS_ITEM];
	finding->chain[0] = stage;
	finding->chain[1] = finding->stage;
	finding->n_chain = 2;
	return true;
}

/* ---- a stage that is pressed ---- */

static bool loses(const struct pace_stage_sum *of)
{
	return of->ledger[LEDGER_EXPIRED] || of->ledger[LEDGER_DROPPED_OLD];
}

static enum pace_kind kind_of(const struct pace_sum *sum, uint32_t stage)
{
	const struct pace_stage_sum *of = &sum->stages[stage];

	if (of->doing[PACE_DUE] >= PACE_IDLE && pace_is_kind(sum->catalog, stage, "throttle"))
		return loses(of) ? PACE_IS_LIMIT_LOSES : PACE_IS_LIMIT;
	if (of->doing[PACE_WANTS_ITEM] + of->doing[PACE_DUE] >= PACE_IDLE && !sum->catalog->stages[stage].rendezvous)
		return PACE_IS_SMALL_LANE;
	if (of->starved >= PACE_STARVED)
		return PACE_IS_NO_PROCESSOR;
	return of->doing[PACE_OUTSIDE] > of->doing[PACE_AT_WORK] ? PACE_IS_OUTSIDE : PACE_IS_SLOW_STAGE;
}

static void judge_pressed(struct pace_sum *sum, uint32_t stage)
{
	struct pace_finding *finding;

	if (judge_odd_one(sum, stage) || judge_awaited(sum, stage))
		return;
	finding = pace_add(sum, kind_of(sum, stage), stage, PACE_NONE);
	if (finding)
		add_chain(sum, finding);
}

/* ---- programs ---- */

static void judge_program(struct pace_sum *sum, uint32_t slot)
{
	const struct pace_worker_sum *worker = &sum->workers[slot];
	const struct pace_worker *after = &sum->after->workers[slot];
	struct pace_finding *finding;

	if (!worker->counts || (worker->program_stopped < PACE_FULL_TIME && worker->program_reads < PACE_FULL_TIME))
		return;
	finding = pace_add(sum, worker->program_stopped >= PACE_FULL_TIME ? PACE_IS_PROGRAM_STOPPED : PACE_IS_BUFFERING,
			   sum->catalog->slots[slot].stage, slot);
	if (!finding)
		return;
	finding->program = after->program;
	finding->program_pid = after->program_pid;
	finding->n = after->ledger[LEDGER_HELD];
}

/* ---- sources ---- */

static bool all_want_items(const struct pace_sum *sum)
{
	for (uint32_t i = 0; i < sum->catalog->head->n_stages; i++)
		if (sum->catalog->stages[i].role != WEIR_SOURCE && sum->stages[i].n_workers &&
		    sum->stages[i].doing[PACE_WANTS_ITEM] < PACE_FULL_TIME)
			return false;
	return true;
}

static void judge_source(struct pace_sum *sum, uint32_t stage)
{
	const struct pace_stage_sum *of = &sum->stages[stage];
	const struct pace_worker_sum *worker = &sum->workers[sum->catalog->stages[stage].first_slot];
	struct pace_finding *finding;

	if (!of->n_workers || (of->doing[PACE_AT_WORK] < PACE_FULL_TIME && worker->program_ran < PACE_FULL_TIME))
		return;
	finding = pace_add(sum, of->starved >= PACE_STARVED ? PACE_IS_NO_PROCESSOR : PACE_IS_SOURCE, stage, PACE_NONE);
	if (!finding)
		return;
	if (worker->program_ran >= PACE_FULL_TIME) {
		finding->program = sum->after->workers[sum->catalog->stages[stage].first_slot].program;
		finding->program_pid = sum->after->workers[sum->catalog->stages[stage].first_slot].program_pid;
	}
}

/* ---- all ---- */

static bool is_asked_for(const struct pace_finding *finding)
{
	return pace_kind_lines[finding->kind].by_design;
}

/* Those by design come last; all else keeps its order. */
static void sort(struct pace_finding *findings, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && is_asked_for(&findings[j - 1]) && !is_asked_for(&findings[j]); j--) {
			struct pace_finding moved = findings[j];

			findings[j] = findings[j - 1];
			findings[j - 1] = moved;
		}
}

static void find_flow(struct pace_sum *sum)
{
	uint32_t n_stages = sum->catalog->head->n_stages;
	bool pressed = false;

	for (uint32_t i = 0; i < sum->catalog->head->n_slots; i++)
		if (!pace_is_found(sum, sum->catalog->slots[i].stage))
			judge_program(sum, i);
	for (uint32_t i = 0; i < n_stages; i++) {
		if (sum->stages[i].pressure < PACE_PRESSED)
			continue;
		pressed = true;
		if (!pace_is_found(sum, i) && !passes_blame(sum, i))
			judge_pressed(sum, i);
	}
	for (uint32_t i = 0; i < n_stages; i++) {
		if (pace_is_found(sum, i) || sum->stages[i].pressure >= PACE_PRESSED)
			continue;
		if (sum->stages[i].passed_over >= PACE_FULL_TIME && !sum->stages[i].n_through)
			(void)judge_awaited(sum, i);
		else if (sum->catalog->stages[i].role != WEIR_SOURCE)
			judge_slow_worker(sum, i);
		else if (!pressed && all_want_items(sum))
			judge_source(sum, i);
	}
}

static bool is_seen_enough(const struct pace_sum *sum)
{
	for (uint32_t i = 0; i < sum->catalog->head->n_slots; i++)
		if (sum->after->workers[i].n_looks >= sum->before->workers[i].n_looks + LOOKS_MIN)
			return true;
	return false;
}

size_t pace_find(const struct catalog *catalog, const struct pace_view *before, const struct pace_view *after,
		 struct pace_finding ret_findings[static PACE_FINDINGS_MAX])
{
	struct pace_sum sum;
	size_t n;

	if (!before->running || !after->running || after->now_ns <= before->now_ns)
		return 0;
	pace_sum_init(&sum, catalog, before, after, ret_findings);
	if (is_seen_enough(&sum)) {
		pace_find_trouble(&sum);
		find_flow(&sum);
		pace_find_losses(&sum);
	}
	n = sum.n_findings;
	sort(ret_findings, n);
	pace_sum_deinit(&sum);
	return n;
}
