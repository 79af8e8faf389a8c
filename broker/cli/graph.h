/* SPDX-License-Identifier: Apache-2.0 */
/* weir graph: the plan as a drawing. */
#pragma once

#include <stdbool.h>

#include "broker/spec/plan.h"
#include "common/base/text.h"

/* argv[0] is the verb. Returns the exit code of weir. */
int graph_command(int argc, char **argv);

/*
 * The plan in each form, appended. Pure. Text: one line a stage, with rails beside it from each stage to those that read from it, in
 * an order in which everything flows down.
 */
void graph_text(const struct plan *plan, bool utf8, struct text *text);
void graph_dot(const struct plan *plan, struct text *text);
void graph_mermaid(const struct plan *plan, struct text *text);
void graph_json(const struct plan *plan, struct text *text);
/* "4 workers, fifo": what is worth knowing about the way a stage is run; nothing for one plain worker. */
void graph_manner(const struct plan *plan, const struct plan_stage *stage, struct text *text);
/* What a stage is, shortened for people: "exec tr a-z A-Z", "source file orders.txt". */
void graph_what(const struct plan_stage *stage, struct text *text);
