/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait-for graph. An arrow from each worker that sleeps to those who could wake it:
 *
 *      waits for an item    ANY of the producers of the lanes that are empty
 *      waits for room       ANY of the readers of the lanes that would do. A reader that is through and has not freed the room has passed
 *                           the bytes on: then whoever still reads them
 *      a rendezvous, a goodbye   ALL of the readers that are not through
 *      writes a dead letter whose turn it is, if that is one of us
 *
 * Who works, is stopped, has just moved, or waits for something outside may go on, and with it whoever needs only it: so on, back along the
 * arrows, until nothing changes. Who is left can be woken by nobody: a deadlock. Of them, following the arrows leads either round
 * (a cycle, which is named) or to one who waits for nothing at all (a stage that has put items aside and set no watch).
 *
 * A stall is somebody who could go on and does not: stopped, or longer in its stage than its patience, or still there after its SIGTERM.
 * Whoever can be woken only by it waits for it. Under back-pressure all wait too, but the one at the end of the chain moves, so there is
 * no stall. Who is told to end has the time for it that its ladder gives, whatever it does meanwhile, and so have those who come back then.
 */
#include "broker/supervise/stall.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/memory/segment_layout.h"

#define HOPS_MAX 8u /* that bytes are followed over from stage to stage; on a loop there would be no end */

enum rule { RULE_FREE, RULE_ANY, RULE_ALL };
struct node {
	enum rule rule;
	uint32_t n_needs, first; /* needs of the graph: workers */
	bool live;               /* it may move without a wonder */
	uint32_t mark;           /* of the walk that came by; 0: none */
	uint32_t depth, next;    /* of waiters: how far from the culprit, and who lies between */
};
struct graph {
	const struct stall_topology *topology;
	const struct stall_history *histories;
	const struct stall_snapshot *snapshot;
	uint64_t now_ns;
	struct node *nodes;
	uint32_t *needs;
	uint32_t n_needs, needs_size;
	struct stall_finding *findings;
	size_t n_findings;
};

/* ---- arrows ---- */

static void need(struct graph *graph, struct node *node, uint32_t worker)
{
	for (uint32_t i = 0; i < node->n_needs; i++)
		if (graph->needs[node->first + i] == worker)
			return;
	if (graph->n_needs == graph->needs_size) {
		graph->needs_size = graph->needs_size ? 2 * graph->needs_size : 64;
		graph->needs = reallocarray(graph->needs, graph->needs_size, sizeof(*graph->needs));
		must(graph->needs);
	}
	graph->needs[graph->n_needs++] = worker;
	node->n_needs++;
}

static bool is_awaited(const struct graph *graph, const struct stall_worker *worker, uint32_t lane)
{
	if (worker->lane == STALL_NONE || worker->lane == lane)
		return true;
	return worker->waits_for & WAIT_ANY_OF_EDGE &&
	       graph->topology->lanes[lane].edge == graph->topology->lanes[worker->lane].edge;
}

/* Those who still read what this worker has written or passed on, and so keep room: through everybody who has passed it on in turn. */
static void need_readers(struct graph *graph, struct node *node, uint32_t number, uint32_t n_hops)
{
	const struct stall_topology *topology = graph->topology;

	for (uint32_t i = topology->out_first[number]; i < topology->out_first[number + 1]; i++) {
		const struct stall_level *level = &graph->snapshot->levels[topology->out[i]];
		uint32_t consumer = topology->lanes[topology->out[i]].consumer, before = node->n_needs;

		if (level->free == level->tail)
			continue;
		if (level->done == level->tail && n_hops)
			need_readers(graph, node, consumer, n_hops - 1);
		if (node->n_needs == before)
			need(graph, node, consumer);
	}
}

static void need_room(struct graph *graph, struct node *node, uint32_t number, uint32_t lane)
{
	const struct stall_level *level = &graph->snapshot->levels[lane];
	uint32_t consumer = graph->topology->lanes[lane].consumer, before = node->n_needs;

	if (level->done == level->tail) /* the room is kept by whoever has the bytes now */
		need_readers(graph, node, level->free == level->tail ? number : consumer, HOPS_MAX);
	if (node->n_needs == before && (level->done != level->tail || level->free != level->tail))
		need(graph, node, consumer);
}

static void need_all_rooms(struct graph *graph, struct node *node, uint32_t number)
{
	const struct stall_topology *topology = graph->topology;
	const struct stall_worker *worker = &graph->snapshot->workers[number];

	for (uint32_t i = topology->out_first[number]; i < topology->out_first[number + 1]; i++)
		if (is_awaited(graph, worker, topology->out[i]))
			need_room(graph, node, number, topology->out[i]);
}

static void need_commits(struct graph *graph, struct node *node, uint32_t number, bool awaited_only)
{
	const struct stall_topology *topology = graph->topology;

	for (uint32_t i = topology->out_first[number]; i < topology->out_first[number + 1]; i++) {
		const struct stall_level *level = &graph->snapshot->levels[topology->out[i]];

		if (level->done != level->tail &&
		    (!awaited_only || is_awaited(graph, &graph->snapshot->workers[number], topology->out[i])))
			need(graph, node, topology->lanes[topology->out[i]].consumer);
	}
}

static void need_items(struct graph *graph, struct node *node, uint32_t number, bool *ret_may_end)
{
	const struct stall_topology *topology = graph->topology;
	const struct stall_worker *worker = &graph->snapshot->workers[number];

	*ret_may_end = true;
	for (uint32_t i = topology->in_first[number]; i < topology->in_first[number + 1]; i++) {
		const struct stall_level *level = &graph->snapshot->levels[topology->in[i]];

		if (!is_awaited(graph, worker, topology->in[i]) || level->closed)
			continue;
		*ret_may_end = false;
		if (level->tail == level->done)
			need(graph, node, topology->lanes[topology->in[i]].producer);
	}
}

static void link_sleeper(struct graph *graph, struct node *node, uint32_t number)
{
	const struct stall_worker *worker = &graph->snapshot->workers[number];
	uint32_t what = worker->waits_for;
	bool may_end = false;

	node->rule = what & (WAIT_FOR_COMMIT | WAIT_FOR_READERS) ? RULE_ALL : RULE_ANY;
	if (what & WAIT_FOR_ITEM)
		need_items(graph, node, number, &may_end);
	if (what & WAIT_FOR_ROOM)
		need_all_rooms(graph, node, number);
	if (what & WAIT_FOR_CREDIT)
		need_commits(graph, node, number, true);
	if (what & WAIT_FOR_COMMIT)
		need_commits(graph, node, number, false);
	if (what & WAIT_FOR_READERS)
		need_readers(graph, node, number, HOPS_MAX);
	if (what & WAIT_FOR_STORE && worker->store_holder != STALL_NONE)
		need(graph, node, worker->store_holder);
	/* Between two looks at two places; or its input has ended, and it is about to see that. But what is put aside stays there. */
	if (!node->n_needs && (!worker->n_pending || (!(may_end || what == 0))))
		node->rule = RULE_FREE;
}

static void link_worker(struct graph *graph, uint32_t number)
{
	const struct stall_worker *worker = &graph->snapshot->workers[number];
	struct node *node = &graph->nodes[number];
	bool asleep = worker->doing == STALL_WAITS && graph->histories[number].n_looks && worker->kernel != 'T' &&
		      worker->kernel != 'R' && worker->kernel != 'D';

	*node = (struct node){ .first = graph->n_needs, .next = STALL_NONE };
	if (asleep && !worker->ending.since_ns && !(worker->waits_for & (WAIT_FOR_EVENT | WAIT_FOR_TIME)))
		link_sleeper(graph, node, number);
	node->live = node->rule == RULE_FREE;
}

/* Does the rule hold for the workers that have the property? */
static bool rule_holds(const struct graph *graph, const struct node *node, bool (*has)(const struct node *))
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < node->n_needs; i++)
		n += has(&graph->nodes[graph->needs[node->first + i]]);
	return node->rule == RULE_ALL ? n == node->n_needs : n > 0;
}

static bool is_live(const struct node *node)
{
	return node->live;
}

static void spread_life(struct graph *graph)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (uint32_t i = 0; i < graph->topology->n_workers; i++) {
			struct node *node = &graph->nodes[i];

			if (node->live || !node->n_needs || !rule_holds(graph, node, is_live))
				continue;
			node->live = changed = true;
		}
	}
}

/* ---- deadlocks ---- */

static struct stall_finding *add_finding(struct graph *graph, enum stall_kind kind, uint32_t culprit)
{
	if (graph->n_findings == STALL_FINDINGS_MAX)
		return NULL;
	graph->findings[graph->n_findings] =
		(struct stall_finding){ .kind = kind,
					.culprit = culprit,
					.since_ns = stall_stuck_since_ns(&graph->histories[culprit],
									 &graph->snapshot->workers[culprit]) };
	return &graph->findings[graph->n_findings++];
}

/* Whom a worker that nobody can wake waits for; STALL_NONE: nobody. */
static uint32_t next_dead(const struct graph *graph, uint32_t number)
{
	const struct node *node = &graph->nodes[number];

	for (uint32_t i = 0; i < node->n_needs; i++)
		if (!graph->nodes[graph->needs[node->first + i]].live)
			return graph->needs[node->first + i];
	return STALL_NONE;
}

static bool is_certain(const struct graph *graph, uint32_t number)
{
	return graph->now_ns - graph->histories[number].still_ns >= STALL_CERTAIN_NS;
}

/* The cycle that this worker is on; its first is the one that comes first in the pipeline. */
static void report_cycle(struct graph *graph, uint32_t on_it)
{
	uint32_t first = on_it;
	uint64_t since_ns = 0;
	bool certain = true;
	struct stall_finding *finding;

	for (uint32_t i = on_it, n = 0; n == 0 || i != on_it; i = next_dead(graph, i), n++) {
		first = i < first ? i : first;
		certain = certain && is_certain(graph, i);
		since_ns = graph->histories[i].still_ns > since_ns ? graph->histories[i].still_ns : since_ns;
	}
	finding = certain ? add_finding(graph, STALL_KIND_CYCLE, first) : NULL;
	if (!finding)
		return;
	finding->since_ns = since_ns;
	for (uint32_t i = first, n = 0; n == 0 || i != first; i = next_dead(graph, i), n++)
		if (finding->n_chain < STALL_CHAIN_MAX)
			finding->chain[finding->n_chain++] = i;
}

static bool holds_something(const struct graph *graph, uint32_t number)
{
	return graph->snapshot->workers[number].n_held || stall_has_work(graph->topology, graph->snapshot, number);
}

/* Follows the arrows from here. Where they have led before there is nothing new. */
static void walk(struct graph *graph, uint32_t from, uint32_t mark)
{
	uint32_t number = from, next;

	for (;; number = next) {
		if (graph->nodes[number].mark) {
			if (graph->nodes[number].mark == mark)
				report_cycle(graph, number);
			return;
		}
		graph->nodes[number].mark = mark;
		next = next_dead(graph, number);
		if (next == STALL_NONE)
			break;
	}
	if (is_certain(graph, number))
		(void)add_finding(graph, STALL_KIND_UNSETTLED, number);
}

static void find_deadlocks(struct graph *graph)
{
	for (uint32_t i = 0; i < graph->topology->n_workers; i++)
		if (!graph->nodes[i].live && !graph->nodes[i].mark && holds_something(graph, i))
			walk(graph, i, i + 1);
}

/* ---- who waits ---- */

static bool is_reached(const struct node *node)
{
	return node->depth != 0;
}

/* Somebody with work of its own comes before an idle reader, whose wait is nobody's grief. */
static bool is_farther(const struct graph *graph, uint32_t number, uint32_t than)
{
	bool works = stall_has_work(graph->topology, graph->snapshot, number);
	bool other_works = than != STALL_NONE && stall_has_work(graph->topology, graph->snapshot, than);

	if (than == STALL_NONE || works != other_works)
		return than == STALL_NONE || works;
	return graph->nodes[number].depth > graph->nodes[than].depth;
}

/*
 * Gives a depth to all who can be woken only by those that have one; in a deadlock it is enough to need one of them, for nobody else
 * will come either. Returns how many, and the farthest.
 */
static uint32_t spread_waiting(struct graph *graph, bool deadlock, uint32_t *ret_farthest)
{
	uint32_t n = 0;

	*ret_farthest = STALL_NONE;
	for (bool changed = true; changed;) {
		changed = false;
		for (uint32_t i = 0; i < graph->topology->n_workers; i++) {
			struct node *node = &graph->nodes[i];
			uint32_t n_reached = 0, deepest = STALL_NONE;

			if (node->depth || !node->n_needs)
				continue;
			for (uint32_t j = 0; j < node->n_needs; j++) {
				uint32_t other = graph->needs[node->first + j];

				if (!is_reached(&graph->nodes[other]))
					continue;
				n_reached++;
				if (deepest == STALL_NONE || graph->nodes[other].depth > graph->nodes[deepest].depth)
					deepest = other;
			}
			if (!n_reached ||
			    (node->rule == RULE_ANY && n_reached != node->n_needs && !(deadlock && !node->live)))
				continue;
			node->depth = graph->nodes[deepest].depth + 1;
			node->next = deepest;
			changed = true;
			n++;
			if (is_farther(graph, i, *ret_farthest))
				*ret_farthest = i;
		}
	}
	return n;
}

static void forget_waiting(struct graph *graph)
{
	for (uint32_t i = 0; i < graph->topology->n_workers; i++)
		graph->nodes[i].depth = 0;
}

static void count_waiting(struct graph *graph, struct stall_finding *finding)
{
	bool cycle = finding->kind == STALL_KIND_CYCLE;
	uint32_t farthest;

	forget_waiting(graph);
	graph->nodes[finding->culprit].depth = 1;
	for (uint32_t i = 0; cycle && i < finding->n_chain; i++)
		graph->nodes[finding->chain[i]].depth = 1;
	finding->n_waiting = spread_waiting(graph, cycle || finding->kind == STALL_KIND_UNSETTLED, &farthest);
	if (cycle)
		return;
	for (uint32_t i = farthest; i != STALL_NONE && i != finding->culprit && finding->n_chain < STALL_CHAIN_MAX - 1;
	     i = graph->nodes[i].next)
		finding->chain[finding->n_chain++] = i;
	finding->chain[finding->n_chain++] = finding->culprit;
}

/* Somebody with work of its own has waited for this one longer than that. Not who has put it aside: that one has itself to blame. */
static bool is_waited_for(struct graph *graph, uint32_t number, uint64_t longer_than_ns)
{
	uint32_t farthest;

	forget_waiting(graph);
	graph->nodes[number].depth = 1;
	if (!spread_waiting(graph, false, &farthest))
		return false;
	for (uint32_t i = 0; i < graph->topology->n_workers; i++)
		if (i != number && graph->nodes[i].depth && !graph->snapshot->workers[i].n_pending &&
		    stall_has_work(graph->topology, graph->snapshot, i) &&
		    graph->now_ns - graph->histories[i].still_ns >= longer_than_ns)
			return true;
	return false;
}

/* ---- stalls ---- */

/* Why it does not move, if there is a reason that lies with itself: a kind; STALL_KIND_COUNT: none. */
static enum stall_kind reason_of(const struct graph *graph, uint32_t number)
{
	const struct stall_worker *worker = &graph->snapshot->workers[number];

	if (worker->ending.since_ns)
		return worker->ending.signal ? STALL_KIND_ENDING : STALL_KIND_COUNT;
	switch (worker->doing) {
	case STALL_OVER:
		return STALL_KIND_COUNT;
	case STALL_ABSENT:
		return worker->held_back ? STALL_KIND_COUNT : STALL_KIND_ABSENT;
	case STALL_OPENING:
		return STALL_KIND_OPENING;
	case STALL_BUSY:
		return worker->kernel == 'T' ? STALL_KIND_STOPPED : STALL_KIND_CALLBACK;
	case STALL_WAITS:
		break;
	}
	if (worker->kernel == 'T')
		return STALL_KIND_STOPPED;
	if (worker->waits_for & (WAIT_FOR_ITEM | WAIT_FOR_EVENT | WAIT_FOR_TIME) && worker->n_pending)
		return worker->waits_for & (WAIT_FOR_EVENT | WAIT_FOR_TIME) ? STALL_KIND_OUTSIDE : STALL_KIND_PENDING;
	if (worker->waits_for & WAIT_FOR_STORE)
		return worker->store_holder == STALL_NONE ? STALL_KIND_STORE : STALL_KIND_COUNT;
	/* A gatherer that waits for more, or for its time, is at rest; so is who sleeps for room. */
	if (worker->waits_for & (WAIT_FOR_ITEM | WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS))
		return STALL_KIND_COUNT;
	return STALL_KIND_OUTSIDE;
}

static bool is_stalled(struct graph *graph, uint32_t number, enum stall_kind kind)
{
	const struct stall_worker *worker = &graph->snapshot->workers[number];
	const struct stall_history *history = &graph->histories[number];
	bool has_work = stall_has_work(graph->topology, graph->snapshot, number);
	uint64_t patience_ns = stall_patience_ns(history);

	if (kind == STALL_KIND_ENDING)
		return is_certain(graph, number) && graph->now_ns - worker->ending.signalled_ns >= STALL_CERTAIN_NS;
	if (kind == STALL_KIND_STOPPED)
		return is_certain(graph, number) && history->stopped_ns &&
		       graph->now_ns - history->stopped_ns >= STALL_STOPPED_NS &&
		       (has_work || graph->topology->seats[number].source ||
			is_waited_for(graph, number, STALL_CERTAIN_NS));
	if (stall_still_ns(history, worker, graph->now_ns) < patience_ns)
		return false;
	/* A source takes its time, unless it was told to end, or somebody has work that nothing but its next item will set going. */
	return has_work || is_waited_for(graph, number, patience_ns);
}

static void find_stalls(struct graph *graph)
{
	for (uint32_t i = 0; i < graph->topology->n_workers; i++) {
		enum stall_kind kind =
			graph->histories[i].n_looks && graph->nodes[i].live ? reason_of(graph, i) : STALL_KIND_COUNT;

		if (kind != STALL_KIND_COUNT && is_stalled(graph, i, kind)) {
			struct stall_finding *finding = add_finding(graph, kind, i);

			if (finding && kind == STALL_KIND_ENDING)
				finding->since_ns = graph->snapshot->workers[i].ending.since_ns;
		}
	}
}

size_t stall_find(const struct stall_topology *topology, const struct stall_history *histories,
		  const struct stall_snapshot *snapshot, uint64_t now_ns,
		  struct stall_finding ret_findings[static STALL_FINDINGS_MAX])
{
	struct graph graph = { .topology = topology,
			       .histories = histories,
			       .snapshot = snapshot,
			       .now_ns = now_ns,
			       .findings = ret_findings,
			       .nodes = calloc(topology->n_workers + 1ul, sizeof(*graph.nodes)) };

	must(graph.nodes);
	for (uint32_t i = 0; i < topology->n_workers; i++)
		link_worker(&graph, i);
	spread_life(&graph);
	find_deadlocks(&graph);
	find_stalls(&graph);
	for (size_t i = 0; i < graph.n_findings; i++)
		count_waiting(&graph, &ret_findings[i]);
	free(graph.nodes);
	free(graph.needs);
	return graph.n_findings;
}
