/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind a stage. */
#include <string.h>

#include "broker/spec/plan.h"

void plan_downstream(const struct plan *plan, uint32_t stage, bool *ret_behind)
{
	bool found = true;

	memset(ret_behind, 0, plan->n_stages * sizeof(*ret_behind));
	/* Stages stand in any order in a file, so until nothing new is found; without the ways back there are no cycles. */
	while (found) {
		found = false;
		for (uint32_t i = 0; i < plan->n_edges; i++) {
			const struct plan_edge *edge = &plan->edges[i];

			if (edge->feedback || ret_behind[edge->to] || !(edge->from == stage || ret_behind[edge->from]))
				continue;
			ret_behind[edge->to] = found = true;
		}
	}
}
