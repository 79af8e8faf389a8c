/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outputs with names (WEIR_STAGE_NAMES_OUTPUTS).
 *
 *      routes: {errors: ..., slow: ...}     names, in this order: errors 1, slow 2, rest 4: a bit each
 *      default: rest
 *                                           from: split.errors                   an edge with names 1
 *                                           from: [split.slow, split.rest]       one edge with names 6
 */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/reading.h"

#define NAMES_MAX 64u

/* From "done|failed". */
void reading_outputs(struct plan_stage *planned, const char *words)
{
	planned->output_names = spec_alloc(NAMES_MAX, sizeof(*planned->output_names));
	while (*words && planned->n_output_names < NAMES_MAX) {
		size_t n = strcspn(words, "|");

		planned->output_names[planned->n_output_names++] = strndup(words, n);
		must(planned->output_names[planned->n_output_names - 1]);
		words += n + (words[n] == '|');
	}
}

const char *plan_output_name(const struct plan_stage *stage, uint32_t i)
{
	const struct heritage_option *routes = plan_option(stage, "routes"), *other = plan_option(stage, "default");
	uint32_t n = routes ? routes->n_list / 2 : 0;

	if (stage->output_names)
		return i < stage->n_output_names ? stage->output_names[i] : NULL;
	if (i < n)
		return routes->list[(size_t)2 * i];
	for (uint32_t j = 0; other && j < n; j++)
		if (strcmp(routes->list[(size_t)2 * j], other->string) == 0)
			return NULL;
	return i == n && other ? other->string : NULL;
}

uint64_t reading_output_all(const struct reading *reading, uint32_t from)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < NAMES_MAX && plan_output_name(&reading->plan->stages[from], i); i++)
		all |= UINT64_C(1) << i;
	return all;
}

void reading_output_list(const struct reading *reading, uint32_t from, struct text *text)
{
	const struct plan_stage *stage = &reading->plan->stages[from];
	const char *name;

	for (uint32_t i = 0; (name = plan_output_name(stage, i)); i++)
		text_printf(text, "%s%s.%s", i ? ", " : "", stage->name, name);
}

uint64_t reading_output_named(struct reading *reading, uint32_t from, const char *name, struct spec_position position)
{
	const struct plan_stage *stage = &reading->plan->stages[from];
	_cleanup_(text_deinit) struct text hint = TEXT_NULL, list = TEXT_NULL;
	struct nearest nearest = NEAREST(name);
	const char *known;

	if (reading->stages[from].options_wrong) /* which may be why */
		return reading_output_all(reading, from) | 1;
	for (uint32_t i = 0; i < NAMES_MAX && (known = plan_output_name(stage, i)); i++) {
		if (strcmp(known, name) == 0)
			return UINT64_C(1) << i;
		nearest_offer(&nearest, known);
	}
	for (uint32_t i = 0; nearest.found && i < NAMES_MAX && (known = plan_output_name(stage, i)); i++)
		if (known == nearest.found) /* it was meant to be read */
			reading->stages[from].names_consumed |= UINT64_C(1) << i;
	reading_output_list(reading, from, &list);
	reading_error(reading, position, nearest_hint(&nearest, &hint), "'%s' has no output '%s': it has %s",
		      stage->name, name, text_get(&list));
	return 0;
}

/* Where the name stands. */
static struct spec_position name_position(const struct stage_reading *stage, const struct plan_stage *planned,
					  const char *name)
{
	const struct yaml_pair *routes = yaml_find(stage->map, "routes"), *other = yaml_find(stage->map, "default");
	const struct yaml_pair *route =
		routes && routes->value->kind == YAML_MAP ? yaml_find(routes->value, name) : NULL;

	return route ? route->key->position : other ? other->value->position : planned->position;
}

void reading_check_names_consumed(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		const struct stage_reading *stage = &reading->stages[i];
		const struct plan_stage *planned = &reading->plan->stages[i];
		const char *name;

		if (!planned->names_outputs || stage->options_wrong || !stage->consumed)
			continue;
		for (uint32_t bit = 0; (name = plan_output_name(planned, bit)); bit++)
			if (!name_check(name, NULL))
				continue; /* which is said elsewhere */
			else if (bit < NAMES_MAX && !(stage->names_consumed >> bit & 1))
				reading_error(reading, name_position(stage, planned, name), NULL,
					      "nobody reads from '%s.%s': add a sink (discard, if it is not wanted)",
					      planned->name, name);
			else if (bit == NAMES_MAX)
				reading_error(reading, name_position(stage, planned, name), NULL,
					      "stage '%s' has more than %u outputs", planned->name, NAMES_MAX);
	}
}
