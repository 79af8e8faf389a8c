/* SPDX-License-Identifier: Apache-2.0 */
/* The top of the file. */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"

void reading_restart(struct reading *reading, const struct spec_value *value, const struct plan_stage *base,
		     struct plan_stage *ret)
{
	struct spec_value values[KEYS_MAX] = { 0 };
	struct spec_position nowhere = { 0, 0 };

	if (value->node && value->node->kind != YAML_MAP && value->node->wrong) {
		/* was said */
	} else if (value->node && value->node->kind != YAML_MAP) {
		reading_error(reading, value->node->position, NULL,
			      "restart wants a map such as {intensity: 3}, found %s",
			      yaml_kind_name(value->node->kind));
	} else if (value->node) {
		values_read(reading, &keys_restart, value->node, NULL, false, values);
	} else if (!base) {
		struct yaml_node nothing = { .kind = YAML_MAP };

		values_read(reading, &keys_restart, &nothing, NULL, false, values);
	}
	if (base) { /* defaults of the table do not win over what the top of the file says */
		for (size_t i = 0; i < keys_restart.n; i++)
			if (!values[i].node)
				value_deinit(&values[i].option);
		*ret = (struct plan_stage){ .restart_type = base->restart_type,
					    .restart_intensity = base->restart_intensity,
					    .restart_period_ns = base->restart_period_ns,
					    .backoff_min_ns = base->backoff_min_ns,
					    .backoff_max_ns = base->backoff_max_ns };
	}
	ret->restart_type = (enum plan_restart)value_number(&values[RESTART_KEY_TYPE], ret->restart_type);
	ret->restart_intensity = (uint32_t)value_number(&values[RESTART_KEY_INTENSITY], ret->restart_intensity);
	ret->restart_period_ns = (uint64_t)value_number(&values[RESTART_KEY_PERIOD], (int64_t)ret->restart_period_ns);
	ret->backoff_min_ns = (uint64_t)value_number(&values[RESTART_KEY_BACKOFF], (int64_t)ret->backoff_min_ns);
	ret->backoff_max_ns = (uint64_t)value_number(&values[RESTART_KEY_BACKOFF_MAX], (int64_t)ret->backoff_max_ns);
	if (value->node && !values[RESTART_KEY_BACKOFF].wrong && !values[RESTART_KEY_BACKOFF_MAX].wrong &&
	    ret->backoff_min_ns > ret->backoff_max_ns)
		reading_error(reading,
			      value_position(&values[RESTART_KEY_BACKOFF],
					     value_position(&values[RESTART_KEY_BACKOFF_MAX], nowhere)),
			      NULL, "backoff is longer than backoff_max");
	values_deinit(values, keys_restart.n);
}

static void read_stages(struct reading *reading, const struct spec_value *top)
{
	const struct yaml_node *list = top[TOP_KEY_STAGES].node;

	if (!list || list->wrong)
		return;
	if (list->kind != YAML_LIST || !list->n) {
		reading_error(reading, list->kind == YAML_SCALAR ? top[TOP_KEY_STAGES].key->position : list->position,
			      NULL, "stages wants a list of stages, one '- name: ...' for each, found %s",
			      list->kind == YAML_LIST ? "an empty list" :
			      yaml_is_nothing(list)   ? "nothing" :
							yaml_kind_name(list->kind));
		return;
	}
	if (list->n > STAGES_MAX) {
		reading_error(reading, list->items[STAGES_MAX]->position, NULL, "%u stages; a pipeline has at most %u",
			      list->n, STAGES_MAX);
		return;
	}
	reading->n_stages = reading->plan->n_stages = list->n;
	reading->stages = spec_alloc(list->n, sizeof(*reading->stages));
	reading->plan->stages = spec_alloc(list->n, sizeof(*reading->plan->stages));
	for (uint32_t i = 0; i < list->n; i++) {
		reading->stages[i].map = list->items[i];
		reading_stage(reading, i, top);
	}
}

void reading_pipeline(struct reading *reading)
{
	struct spec_value top[KEYS_MAX] = { 0 };
	struct spec_position start = { 1, 1 };
	const struct yaml_node *root = reading->root;

	if (!root || yaml_is_nothing(root)) {
		reading_error(reading, start, NULL,
			      "nothing is in it; a spec has 'pipeline: NAME' and 'stages:' with a list");
		return;
	}
	if (root->kind != YAML_MAP && root->wrong)
		return;
	if (root->kind != YAML_MAP) {
		reading_error(reading, root->position, NULL,
			      "a spec is a map with 'pipeline: NAME' and 'stages:', found %s",
			      yaml_kind_name(root->kind));
		return;
	}
	values_read(reading, &keys_top, root, "the spec", false, top);
	if (top[TOP_KEY_PIPELINE].option.string)
		reading->plan->pipeline = spec_strdup(top[TOP_KEY_PIPELINE].option.string);
	reading->plan->deadline_ns = (uint64_t)value_number(&top[TOP_KEY_DEADLINE], 0);
	reading->plan->expires_ns = (uint64_t)value_number(&top[TOP_KEY_EXPIRES], 0);
	reading->plan->drain_ns = (uint64_t)value_number(&top[TOP_KEY_DRAIN], 0);
	reading->plan->unrecorded = value_number(&top[TOP_KEY_RECORDER], 0) != 0;
	reading->plan->strategy = (enum plan_strategy)value_number(&top[TOP_KEY_STRATEGY], PLAN_ONE_FOR_ONE);
	if (reading->plan->deadline_ns && reading->plan->expires_ns >= reading->plan->deadline_ns)
		reading_error(reading, value_position(&top[TOP_KEY_EXPIRES], start), NULL,
			      "expires '%s' is not shorter than the run's deadline, '%s': the run would be over first",
			      top[TOP_KEY_EXPIRES].node->value, top[TOP_KEY_DEADLINE].node->value);
	reading_restart(reading, &top[TOP_KEY_RESTART], NULL, &reading->restart);
	reading_sandbox_of_all(reading, &top[TOP_KEY_SANDBOX]);
	read_stages(reading, top);
	values_deinit(top, keys_top.n);
}
