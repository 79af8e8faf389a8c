/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "broker/spec/plan.h"

static void stage_deinit(struct plan_stage *stage)
{
	for (uint32_t i = 0; i < stage->n_options; i++) {
		struct heritage_option *option = &stage->options[i];

		free(option->name);
		free(option->string);
		for (uint32_t j = 0; option->list && j < option->n_list; j++)
			free(option->list[j]);
		free(option->list);
	}
	free(stage->options);
	free(stage->name);
	free(stage->kind);
	free(stage->plugin);
	for (uint32_t i = 0; i < stage->n_output_names; i++)
		free(stage->output_names[i]);
	free(stage->output_names);
	free(stage->errors_name);
	free(stage->balance_key);
	free(stage->expires);
	free(stage->dead_letter_path);
	free(stage->resources.cpus);
	free(stage->inputs);
	free(stage->outputs);
	free(stage->origins);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (uint32_t i = 0; i < plan->n_stages && plan->stages; i++)
		stage_deinit(&plan->stages[i]);
	free(plan->stages);
	free(plan->edges);
	free(plan->lanes);
	free(plan->slots);
	free(plan->pipeline);
	free(plan->spec_path);
	free(plan);
}

const struct plan_stage *plan_find_stage(const struct plan *plan, const char *name, uint32_t *ret_number)
{
	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (strcmp(plan->stages[i].name, name) == 0) {
			*ret_number = i;
			return &plan->stages[i];
		}
	return NULL;
}

uint32_t plan_workers_at_first(const struct plan *plan)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++)
		n += plan->stages[i].workers - plan->stages[i].workers_resting;
	return n;
}
