/* SPDX-License-Identifier: Apache-2.0 */
/* A view made by hand: read (source) -> awk (4 workers, exec) -> write (sink), all of it static. */
#pragma once

#include <string.h>

#include "broker/supervise/view.h"
#include "common/base/clock.h"

struct sample {
	struct view view;
	struct view_stage stages[3];
	struct view_worker workers[6];
};

static inline void sample_worker(struct view_worker *worker, uint32_t slot, uint32_t index, const char *state)
{
	worker->slot = slot;
	worker->index = index;
	worker->pid = (pid_t)(4000 + slot);
	worker->state = state;
	worker->state_since_ns = 90 * NS_PER_S;
}

/* Running for 10 s: 1,000 accepted, of them 900 through awk, 100 of these filtered; 600 delivered, 300 in flight. */
static inline void sample_init(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->view = (struct view){ .pipeline = "orders",
				 .phase = "running",
				 .cause = "none",
				 .pid = 3999,
				 .now_ns = 100 * NS_PER_S,
				 .started_ns = 90 * NS_PER_S,
				 .n_stages = 3,
				 .stages = s->stages,
				 .in_flight = 300 };
	s->stages[0] = (struct view_stage){ .name = "read",
					    .role = "source",
					    .kind = "file",
					    .n_workers = 1,
					    .n_live = 1,
					    .workers = s->workers,
					    .progress_position = 42,
					    .progress_total = 100 };
	s->stages[1] = (struct view_stage){ .name = "awk",
					    .role = "operator",
					    .kind = "exec",
					    .n_workers = 4,
					    .n_live = 3,
					    .restarts = 2,
					    .queue_bytes = 750,
					    .queue_capacity_bytes = 1000,
					    .workers = s->workers + 1 };
	s->stages[2] = (struct view_stage){ .name = "write",
					    .role = "sink",
					    .kind = "file",
					    .n_workers = 1,
					    .n_live = 1,
					    .queue_capacity_bytes = 1000,
					    .workers = s->workers + 5 };
	sample_worker(&s->workers[0], 0, 0, "wait-out");
	for (uint32_t i = 0; i < 4; i++)
		sample_worker(&s->workers[1 + i], 1 + i, i, i == 2 ? "wait-in" : "busy");
	sample_worker(&s->workers[5], 5, 0, "wait-in");
	s->stages[0].ledger[LEDGER_ACCEPTED] = s->stages[0].ledger[LEDGER_EMITTED] = 1000;
	s->stages[1].ledger[LEDGER_TAKEN] = 900;
	s->stages[1].ledger[LEDGER_CONSUMED] = 800;
	s->stages[1].ledger[LEDGER_FILTERED] = 100;
	s->stages[1].ledger[LEDGER_EMITTED] = 800;
	s->stages[2].ledger[LEDGER_TAKEN] = s->stages[2].ledger[LEDGER_DELIVERED] = 600;
	for (unsigned line = 0; line < LEDGER_COUNT; line++)
		for (unsigned i = 0; i < 3; i++)
			s->view.ledger[line] += s->stages[i].ledger[line];
}
