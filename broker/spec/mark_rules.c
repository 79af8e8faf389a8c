/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gather joins what the branches behind one scatter have made of its items: so each of its inputs leads back to that scatter, and to it
 * alone, through stages that make what they emit of one item each. So does the way back to a breaker or a retry.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/reading.h"

static bool is_kind(const struct stage_reading *stage, const char *name)
{
	return stage->descriptor && !stage->description && strcmp(stage->descriptor->name, name) == 0;
}

static struct spec_position place(const struct plan_stage *planned, const char *name)
{
	const struct heritage_option *option = plan_option(planned, name);

	return option && option->line ? (struct spec_position){ option->line, option->column } : planned->kind_position;
}

static const char *name_of(const struct reading *reading, uint32_t index)
{
	return reading->plan->stages[index].name ? reading->plan->stages[index].name : "?";
}

/* The scatter that is named; n_stages and a message: there is none. */
static uint32_t find_scatter(struct reading *reading, const struct plan_stage *planned)
{
	const char *name = plan_option(planned, "scatter")->string;
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	struct nearest nearest = NEAREST(name);

	for (uint32_t i = 0; i < reading->n_stages; i++) {
		if (!is_kind(&reading->stages[i], "scatter") || !reading->plan->stages[i].name)
			continue;
		if (strcmp(reading->plan->stages[i].name, name) == 0)
			return i;
		nearest_offer(&nearest, reading->plan->stages[i].name);
	}
	reading_error(reading, place(planned, "scatter"), nearest_hint(&nearest, &hint),
		      "there is no stage '%s' with operator: scatter, whose items could be joined", name);
	return reading->n_stages;
}

static bool mixes_items(const struct reading *reading, uint32_t index)
{
	const struct heritage_option *mode = plan_option(&reading->plan->stages[index], "mode");

	return is_kind(&reading->stages[index], "exec") &&
	       !(mode && (strcmp(mode->string, "line") == 0 || strcmp(mode->string, "frame") == 0));
}

/*
 * Against the flow, from one input: a source, or another gather's own scatter, is not where it should come from. Returns the stage that is
 * in the way, or n_stages: none.
 */
static uint32_t find_stranger(const struct reading *reading, uint32_t index, uint32_t scatter, bool *seen)
{
	const struct stage_reading *stage = &reading->stages[index];

	if (index == scatter || seen[index] || !stage->descriptor || stage->inputs_wrong)
		return reading->n_stages;
	seen[index] = true;
	if (!stage->n_inputs || mixes_items(reading, index))
		return index;
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		uint32_t found = find_stranger(reading, stage->inputs[i].from, scatter, seen);

		if (found != reading->n_stages)
			return found;
	}
	return reading->n_stages;
}

static void say_mixed(struct reading *reading, struct spec_position position, uint32_t stage)
{
	reading_error(reading, position, "give it mode: line or mode: frame",
		      "what '%s' makes of its items can't be told apart: in block mode it is given many at once",
		      name_of(reading, stage));
}

static void check_inputs(struct reading *reading, const struct stage_reading *stage, uint32_t scatter)
{
	bool direct = false;

	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		bool *seen = spec_alloc(reading->n_stages, sizeof(*seen));
		uint32_t found = find_stranger(reading, stage->inputs[i].from, scatter, seen);

		free(seen);
		direct = direct || stage->inputs[i].from == scatter;
		if (found == reading->n_stages)
			continue;
		if (mixes_items(reading, found))
			say_mixed(reading, stage->inputs[i].position, found);
		else
			reading_error(
				reading, stage->inputs[i].position, NULL,
				"what comes from here is not all made of items of '%s': '%s' is a source of it, too",
				name_of(reading, scatter), name_of(reading, found));
	}
	if (!direct)
		reading_warning(
			reading, stage->kind_node->position, "add it to `from`: its answer is the item itself",
			"an item to which no branch answers has no result, for this stage does not read from '%s'",
			name_of(reading, scatter));
}

/* What is dropped before a gather may be the copy that comes straight from scatter, by which an item has its one result. */
static void check_drops(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct yaml_node *full = stage->values[STAGE_KEY_FULL].node;

	if (!full || (planned->full != HERITAGE_FULL_DROP_NEW && planned->full != HERITAGE_FULL_DROP_OLD))
		return;
	reading_warning(
		reading, full->position, "leave it out, and say how many may wait where items come in: admission",
		"full: %s drops answers, and an item whose own copy is dropped has no result if its answers come late",
		full->value);
}

static void check_require(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct heritage_option *require = plan_option(planned, "require");

	for (uint32_t i = 0; require && i < require->n_list; i++) {
		_cleanup_(text_deinit) struct text hint = TEXT_NULL;
		struct nearest nearest = NEAREST(require->list[i]);
		bool found = false;

		for (uint32_t j = 0; j < stage->n_inputs; j++) {
			const char *name = name_of(reading, stage->inputs[j].from);

			found = found || strcmp(name, require->list[i]) == 0;
			nearest_offer(&nearest, name);
		}
		if (!found)
			reading_error(reading, place(planned, "require"), nearest_hint(&nearest, &hint),
				      "'%s' in require is no stage that this one reads from", require->list[i]);
	}
}

/* What it hears of its calls: all of it was made of what it has called with. */
static void check_way_back(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	uint32_t n = 0;

	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		bool *seen = spec_alloc(reading->n_stages, sizeof(*seen));
		uint32_t found = stage->inputs[i].credit ? find_stranger(reading, stage->inputs[i].from, index, seen) :
							   reading->n_stages;

		free(seen);
		n += stage->inputs[i].credit != 0;
		if (found != reading->n_stages && mixes_items(reading, found))
			say_mixed(reading, stage->inputs[i].position, found);
	}
	if (!n)
		reading_error(reading, stage->kind_node->position, "from: [orders, {stage: pay, credit: 1000}]",
			      "nothing comes back to %s: it would take each call for one that was not answered",
			      stage->descriptor->name);
}

static void check_gather(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	uint32_t scatter;

	scatter = find_scatter(reading, planned);
	if (stage->n_inputs < 2)
		reading_error(reading, stage->kind_node->position, NULL,
			      "gather joins what several stages answer, and reads from one: from: [a, b]");
	else if (scatter != reading->n_stages)
		check_inputs(reading, stage, scatter);
	check_require(reading, stage, planned);
	check_drops(reading, stage, planned);
}

void reading_mark_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];

	if (stage->options_wrong || stage->inputs_wrong)
		return;
	if (is_kind(stage, "gather"))
		check_gather(reading, index);
	else if (is_kind(stage, "breaker") || is_kind(stage, "retry"))
		check_way_back(reading, index);
}
