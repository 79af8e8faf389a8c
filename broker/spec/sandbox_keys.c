/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sandbox` of a stage, or else of the top: a word or a map. It travels to the worker as options of the stage, with names that no spec can
 * write: sandbox, sandbox.network, sandbox.read_only_paths ... A map is strict with more to say; off is no option at all.
 */
#include <stdio.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"

#define SANDBOX_WANTS "sandbox wants strict, off, or a map such as {network: true}"

/* Into the plan, under a name of its own; where the key of the spec stands. */
static void keep(struct plan_stage *planned, const char *key, struct heritage_option *option)
{
	char name[64];

	snprintf(name, sizeof(name), "sandbox.%s", key);
	free(option->name);
	option->name = spec_strdup(name);
	plan_add_option(planned, option);
}

static void keep_switch(struct plan_stage *planned, const struct yaml_node *node)
{
	struct heritage_option option = { .name = spec_strdup("sandbox"),
					  .type = HERITAGE_NUMBER,
					  .number = 1,
					  .line = node->position.line,
					  .column = node->position.column };

	plan_add_option(planned, &option);
	planned->sandboxed = true;
}

static void check_processes(struct reading *reading, const struct plan_stage *planned, const struct spec_value *value)
{
	if (value->option.name && value->node && !value->option.number && !planned->plugin && planned->kind &&
	    strcmp(planned->kind, "exec") == 0)
		reading_error(reading, value->node->position, NULL,
			      "processes: an exec stage is a program, which has to be started");
}

static void read_map(struct reading *reading, struct plan_stage *planned, const struct yaml_node *node, bool is_own)
{
	struct spec_value values[KEYS_MAX] = { 0 };

	values_read(reading, &keys_sandbox, node, NULL, false, values);
	if (is_own)
		check_processes(reading, planned, &values[SANDBOX_KEY_PROCESSES]);
	for (size_t i = 0; i < keys_sandbox.n; i++)
		if (values[i].option.name)
			keep(planned, keys_sandbox.keys[i].name, &values[i].option);
	values_deinit(values, keys_sandbox.n);
}

static bool is_word(const struct yaml_node *node, const char *word)
{
	return node->kind == YAML_SCALAR && strcmp(node->value, word) == 0;
}

static bool is_fine(struct reading *reading, const struct yaml_node *node)
{
	if (node->wrong)
		return false;
	if (node->kind == YAML_MAP || is_word(node, "strict") || is_word(node, "off"))
		return true;
	reading_error(reading, node->position, NULL, SANDBOX_WANTS ", found %s",
		      node->kind == YAML_SCALAR ? node->value : yaml_kind_name(node->kind));
	return false;
}

void reading_sandbox_of_all(struct reading *reading, const struct spec_value *value)
{
	size_t n_errors = reading->diagnostics->n_errors;
	struct spec_value values[KEYS_MAX] = { 0 };

	if (value->node && is_fine(reading, value->node) && value->node->kind == YAML_MAP) {
		values_read(reading, &keys_sandbox, value->node, NULL, false, values);
		values_deinit(values, keys_sandbox.n);
	}
	reading->sandbox_wrong = reading->diagnostics->n_errors != n_errors || (value->node && value->node->wrong);
}

void reading_sandbox(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned,
		     const struct spec_value *top)
{
	bool is_own = stage->values[STAGE_KEY_SANDBOX].node;
	const struct yaml_node *node = is_own ? stage->values[STAGE_KEY_SANDBOX].node : top[TOP_KEY_SANDBOX].node;

	if (!node || is_word(node, "off") || (is_own ? !is_fine(reading, node) : reading->sandbox_wrong))
		return;
	keep_switch(planned, node);
	if (node->kind == YAML_MAP)
		read_map(reading, planned, node, is_own);
}
