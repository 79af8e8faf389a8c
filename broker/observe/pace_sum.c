/* SPDX-License-Identifier: Apache-2.0 */
/* Two views made into shares of the time between them, by worker, stage and edge. */
#include <stdlib.h>
#include <string.h>

#include "broker/observe/pace_priv.h"
#include "common/base/must.h"
#include "common/memory/segment_layout.h"

void pace_view_init(struct pace_view *view, const struct catalog *catalog)
{
	*view = (struct pace_view){ .workers = calloc(catalog->head->n_slots + 1ul, sizeof(*view->workers)),
				    .lanes = calloc(catalog->head->n_lanes + 1ul, sizeof(*view->lanes)),
				    .events = calloc(PACE_EVENTS_MAX, sizeof(*view->events)) };
	must(view->workers && view->lanes && view->events);
}

void pace_view_deinit(struct pace_view *view)
{
	free(view->workers);
	free(view->lanes);
	free(view->events);
	*view = (struct pace_view){ 0 };
}

bool pace_is_kind(const struct catalog *catalog, uint32_t stage, const char *kind)
{
	return strcmp(catalog_string(catalog, catalog->stages[stage].kind), kind) == 0;
}

double pace_share(uint32_t before, uint32_t after, uint32_t looks_before, uint32_t looks_after)
{
	return looks_after > looks_before && after > before ?
		       (double)(after - before) / (double)(looks_after - looks_before) :
		       0;
}

uint64_t pace_edge_bytes(const struct pace_sum *sum, uint32_t edge)
{
	uint32_t first = sum->catalog->edges[edge].first_lane, n = catalog_edge_lanes(sum->catalog, edge);
	uint64_t bytes = 0;

	for (uint32_t i = first; i < first + n; i++)
		if (sum->after->lanes[i].bytes_in > sum->before->lanes[i].bytes_in)
			bytes += sum->after->lanes[i].bytes_in - sum->before->lanes[i].bytes_in;
	return bytes;
}

/* A number that has shrunk is another run's. */
static uint64_t grown(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

static bool is_source(const struct pace_sum *sum, uint32_t slot)
{
	return sum->catalog->stages[sum->catalog->slots[slot].stage].role == WEIR_SOURCE;
}

static void sum_program(struct pace_worker_sum *worker, const struct pace_worker *before,
			const struct pace_worker *after)
{
	uint32_t from = before->n_program_looks, to = after->n_program_looks;

	worker->program_ran = pace_share(before->n_program_ran, after->n_program_ran, from, to);
	worker->program_stopped = pace_share(before->n_program_stopped, after->n_program_stopped, from, to);
	worker->program_reads = pace_share(before->n_program_reads, after->n_program_reads, from, to);
}

static void sum_worker(struct pace_sum *sum, uint32_t slot)
{
	const struct pace_worker *before = &sum->before->workers[slot], *after = &sum->after->workers[slot];
	struct pace_worker_sum *worker = &sum->workers[slot];
	uint64_t n_items = grown(before->n_items, after->n_items);

	worker->counts = after->counts && after->n_looks > before->n_looks;
	if (!worker->counts)
		return;
	for (unsigned i = 0; i < PACE_DOING_COUNT; i++)
		worker->doing[i] = pace_share(before->n_doing[i], after->n_doing[i], before->n_looks, after->n_looks);
	worker->own = worker->doing[PACE_AT_WORK] + worker->doing[PACE_OUTSIDE] + worker->doing[PACE_DUE];
	worker->starved = (double)grown(before->starved_ns, after->starved_ns) / (sum->seconds * (double)NS_PER_S);
	for (unsigned i = 0; i < LEDGER_COUNT; i++)
		worker->ledger[i] = grown(before->ledger[i], after->ledger[i]);
	worker->n_through = worker->ledger[is_source(sum, slot) ? LEDGER_ACCEPTED : LEDGER_TAKEN];
	if (n_items)
		worker->item_ns = (double)grown(before->processing_ns, after->processing_ns) / (double)n_items;
	if (worker->n_through)
		worker->service_ns = worker->own * sum->seconds * (double)NS_PER_S / (double)worker->n_through;
	sum_program(worker, before, after);
}

static void sum_lane(struct pace_sum *sum, uint32_t number)
{
	const struct pace_lane *before = &sum->before->lanes[number], *after = &sum->after->lanes[number];
	struct pace_worker_sum *consumer = &sum->workers[sum->catalog->lanes[number].consumer];
	double passed_over = pace_share(before->n_passed_over, after->n_passed_over, before->n_looks, after->n_looks);

	if (passed_over > consumer->passed_over)
		consumer->passed_over = passed_over;
	if (after->n_looks > before->n_looks)
		consumer->filled_bytes += (double)grown(before->filled_bytes, after->filled_bytes) /
					  (double)(after->n_looks - before->n_looks);
}

/* In each look a producer waits in one lane of an edge at most: the shares of its lanes add up. */
static double sum_producer(const struct pace_sum *sum, uint32_t edge, uint32_t producer)
{
	const struct catalog_stage *to = &sum->catalog->stages[sum->catalog->edges[edge].to];
	uint32_t first = sum->catalog->edges[edge].first_lane + producer * to->workers;
	double share = 0;

	for (uint32_t i = first; i < first + to->workers; i++)
		share += pace_share(sum->before->lanes[i].n_room, sum->after->lanes[i].n_room,
				    sum->before->lanes[i].n_looks, sum->after->lanes[i].n_looks);
	return share;
}

static void sum_edge(struct pace_sum *sum, uint32_t edge)
{
	const struct catalog_stage *from = &sum->catalog->stages[sum->catalog->edges[edge].from];
	struct pace_stage_sum *to = &sum->stages[sum->catalog->edges[edge].to];

	for (uint32_t i = 0; i < from->workers; i++) {
		double share = sum->workers[from->first_slot + i].counts ? sum_producer(sum, edge, i) : 0;

		sum->pressures[edge] = share > sum->pressures[edge] ? share : sum->pressures[edge];
	}
	if (to->pressed_edge == PACE_NONE || sum->pressures[edge] > to->pressure) {
		to->pressure = sum->pressures[edge];
		to->pressed_edge = edge;
	}
}

static void sum_stage(struct pace_sum *sum, uint32_t number)
{
	const struct catalog_stage *planned = &sum->catalog->stages[number];
	struct pace_stage_sum *stage = &sum->stages[number];
	double item_ns = 0, n_measured = 0;

	stage->pressed_edge = PACE_NONE;
	for (uint32_t i = planned->first_slot; i < planned->first_slot + planned->workers; i++) {
		const struct pace_worker_sum *worker = &sum->workers[i];
		double n = worker->item_ns > 0 ? (double)worker->n_through : 0;

		if (!worker->counts)
			continue;
		stage->n_workers++;
		for (unsigned j = 0; j < PACE_DOING_COUNT; j++)
			stage->doing[j] += worker->doing[j];
		for (unsigned j = 0; j < LEDGER_COUNT; j++)
			stage->ledger[j] += worker->ledger[j];
		stage->own += worker->own;
		stage->starved += worker->starved;
		stage->n_through += worker->n_through;
		stage->passed_over =
			worker->passed_over > stage->passed_over ? worker->passed_over : stage->passed_over;
		item_ns += n * worker->item_ns;
		n_measured += n;
	}
	stage->item_ns = n_measured > 0 ? item_ns / n_measured : 0;
	for (unsigned j = 0; stage->n_workers && j < PACE_DOING_COUNT; j++)
		stage->doing[j] /= stage->n_workers;
	if (stage->n_workers) {
		stage->own /= stage->n_workers;
		stage->starved /= stage->n_workers;
	}
}

void pace_sum_init(struct pace_sum *sum, const struct catalog *catalog, const struct pace_view *before,
		   const struct pace_view *after, struct pace_finding *findings)
{
	const struct catalog_head *head = catalog->head;

	*sum = (struct pace_sum){ .catalog = catalog,
				  .before = before,
				  .after = after,
				  .seconds = (double)(after->now_ns - before->now_ns) / (double)NS_PER_S,
				  .workers = calloc(head->n_slots + 1ul, sizeof(*sum->workers)),
				  .stages = calloc(head->n_stages + 1ul, sizeof(*sum->stages)),
				  .pressures = calloc(head->n_edges + 1ul, sizeof(*sum->pressures)),
				  .findings = findings };
	must(sum->workers && sum->stages && sum->pressures);
	for (uint32_t i = 0; i < head->n_slots; i++)
		sum_worker(sum, i);
	for (uint32_t i = 0; i < head->n_lanes; i++)
		sum_lane(sum, i);
	for (uint32_t i = 0; i < head->n_stages; i++)
		sum_stage(sum, i);
	for (uint32_t i = 0; i < head->n_edges; i++)
		sum_edge(sum, i);
}

void pace_sum_deinit(struct pace_sum *sum)
{
	free(sum->workers);
	free(sum->stages);
	free(sum->pressures);
	*sum = (struct pace_sum){ 0 };
}

bool pace_is_found(const struct pace_sum *sum, uint32_t stage)
{
	for (size_t i = 0; i < sum->n_findings; i++)
		if (sum->findings[i].stage == stage)
			return true;
	return false;
}

struct pace_finding *pace_add(struct pace_sum *sum, enum pace_kind kind, uint32_t stage, uint32_t worker)
{
	const struct pace_stage_sum *of = &sum->stages[stage];
	const struct pace_worker_sum *one = worker == PACE_NONE ? NULL : &sum->workers[worker];
	const double *doing = one ? one->doing : of->doing;
	struct pace_finding *finding;

	if (sum->n_findings == PACE_FINDINGS_MAX)
		return NULL;
	finding = &sum->findings[sum->n_findings++];
	*finding = (struct pace_finding){ .kind = kind,
					  .stage = stage,
					  .worker = worker,
					  .edge = of->pressed_edge,
					  .waits = of->pressure,
					  .busy = doing[PACE_AT_WORK],
					  .outside = doing[PACE_OUTSIDE] + doing[PACE_DUE],
					  .idle = doing[PACE_WANTS_ITEM],
					  .starved = one ? one->starved : of->starved,
					  .item_ns = one ? one->item_ns : of->item_ns,
					  .for_s = sum->seconds,
					  .chain = { stage },
					  .n_chain = 1 };
	if (sum->seconds > 0)
		finding->per_second = (double)(one ? one->n_through : of->n_through) / sum->seconds;
	return finding;
}
