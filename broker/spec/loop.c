/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stages a loop is made of: those that are reached from its head, and reach one that feeds it back.
 *
 *      in --> head --> a --> b --> out          loop of head: a, b, c (not out)
 *              ^       |     |
 *              |       +-> c-+
 *              +-------------+   feedback
 *
 * Feedback edges aside the plan has no cycles, so the stages of a loop have an order in which items pass them.
 */
#include <errno.h>
#include <stdlib.h>

#include "broker/spec/plan.h"
#include "common/base/error.h"

enum { AHEAD = 1, BACK = 2, LISTED = 4 };

/* Marks what can be reached from what is marked, along the edges that lead forward, or against them. */
static void spread(const struct plan *plan, unsigned char *marks, unsigned char mark)
{
	for (bool more = true; more;) {
		more = false;
		for (uint32_t i = 0; i < plan->n_edges; i++) {
			const struct plan_edge *edge = &plan->edges[i];
			uint32_t from = mark == AHEAD ? edge->from : edge->to,
				 to = mark == AHEAD ? edge->to : edge->from;

			if (edge->feedback || !(marks[from] & mark) || marks[to] & mark)
				continue;
			marks[to] |= mark;
			more = true;
		}
	}
}

/* Everything on the loop that feeds it has been listed. */
static bool is_next(const struct plan *plan, const unsigned char *marks, uint32_t stage, uint32_t head)
{
	if ((marks[stage] & (AHEAD | BACK | LISTED)) != (AHEAD | BACK) || stage == head)
		return false;
	for (uint32_t i = 0; i < plan->stages[stage].n_inputs; i++) {
		const struct plan_edge *edge = &plan->edges[plan->stages[stage].inputs[i]];

		if (!edge->feedback && edge->from != head &&
		    (marks[edge->from] & (AHEAD | BACK | LISTED)) == (AHEAD | BACK))
			return false;
	}
	return true;
}

static bool is_head(const struct plan *plan, uint32_t stage)
{
	for (uint32_t i = 0; i < plan->stages[stage].n_inputs; i++)
		if (plan->edges[plan->stages[stage].inputs[i]].feedback)
			return true;
	return false;
}

int plan_loop(const struct plan *plan, uint32_t head, uint32_t **ret_stages, uint32_t *ret_n)
{
	unsigned char *marks;
	uint32_t *stages, n = 0;

	*ret_stages = NULL;
	*ret_n = 0;
	if (!is_head(plan, head))
		return 0;
	marks = calloc(plan->n_stages, 1);
	stages = calloc(plan->n_stages, sizeof(*stages));
	if (!marks || !stages) {
		free(marks);
		free(stages);
		return error_origin(-ENOMEM);
	}
	marks[head] = AHEAD;
	for (uint32_t i = 0; i < plan->stages[head].n_inputs; i++) {
		const struct plan_edge *edge = &plan->edges[plan->stages[head].inputs[i]];

		if (edge->feedback)
			marks[edge->from] |= BACK;
	}
	spread(plan, marks, AHEAD);
	spread(plan, marks, BACK);
	for (bool more = true; more;) {
		more = false;
		for (uint32_t i = 0; i < plan->n_stages; i++)
			if (is_next(plan, marks, i, head)) {
				marks[i] |= LISTED;
				stages[n++] = i;
				more = true;
			}
	}
	free(marks);
	if (n == 0) {
		free(stages);
		return 0;
	}
	*ret_stages = stages;
	*ret_n = n;
	return 0;
}
