/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages with keyed state: each worker has entries of its own, so an item must come to the one that has its key. What would hand a worker's
 * items to others, and leave its entries behind, goes with balance: key neither (admission_rules.c).
 */
#include <string.h>

#include "broker/spec/reading.h"

bool reading_keeps_state(const struct stage_reading *stage)
{
	return stage->descriptor->flags & WEIR_STAGE_STATE ||
	       (stage->descriptor->flags & WEIR_STAGE_STATE_IF_GIVEN && stage->values[STAGE_KEY_STATE].key);
}

static bool is_kind(const struct stage_reading *stage, const char *name)
{
	return !stage->description && strcmp(stage->descriptor->name, name) == 0;
}

/* Items with the same part, and only they, must meet in one worker. */
static void check_same_key(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct heritage_option *key = plan_option(planned, "key");

	if (key && planned->workers > 1 && planned->balance_key && strcmp(planned->balance_key, key->string) != 0)
		reading_warning(
			reading, value_position(&stage->values[STAGE_KEY_BALANCE], planned->position), NULL,
			"key(%s) deals the items, and %s looks at %s: it is right only if items that are equal in the second are in the first",
			planned->balance_key, planned->kind, key->string);
}

static void check_dedupe(struct reading *reading, const struct stage_reading *stage)
{
	if (!yaml_find(stage->map, "within") && !yaml_find(stage->map, "last"))
		reading_error(reading, stage->kind_node->position, NULL,
			      "dedupe needs 'within' or 'last': how long, or among how many, it looks for duplicates");
}

static void check_window(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct yaml_pair *size = yaml_find(stage->map, "size"), *gap = yaml_find(stage->map, "gap"),
			       *slide = yaml_find(stage->map, "slide");

	if (!size && !gap)
		reading_error(reading, stage->kind_node->position, NULL,
			      "window needs 'size' or 'gap': how long a window is, or what ends a session");
	if (size && gap)
		reading_error(
			reading, gap->value->position, NULL,
			"'gap' beside 'size': a window ends by the clock or when nothing comes, drop one of them");
	if (slide && !size)
		reading_error(reading, slide->value->position, NULL,
			      "'slide' without 'size': windows of which size slide?");
	if (planned->workers > 1 && !yaml_find(stage->map, "key"))
		reading_error(
			reading, value_position(&stage->values[STAGE_KEY_WORKERS], planned->position), NULL,
			"without a key there is one window for all, and it can't be in %u workers: key: EXPR, or workers: 1",
			planned->workers);
}

void reading_state_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	const struct spec_value *size = &stage->values[STAGE_KEY_STATE];

	if (size->key && !reading_keeps_state(stage))
		reading_error(reading, size->key->position, NULL,
			      "'state' says how much a stage may remember, and %s remembers nothing: drop it",
			      planned->kind);
	if (reading_keeps_state(stage) && planned->workers > 1 && planned->balance != HERITAGE_BALANCE_KEY &&
	    !stage->values[STAGE_KEY_BALANCE].wrong && !is_kind(stage, "merge")) /* which is never for several */
		reading_error(
			reading, value_position(&stage->values[STAGE_KEY_WORKERS], planned->position),
			"which part of an item is the key? balance: key(.customer)",
			"%s remembers by key, and each of the %u workers for itself: balance: key(EXPR) brings all items of "
			"a key to one of them",
			planned->kind, planned->workers);
	if (is_kind(stage, "dedupe")) {
		check_dedupe(reading, stage);
		check_same_key(reading, stage, planned);
	}
	if (is_kind(stage, "window")) {
		check_window(reading, stage, planned);
		check_same_key(reading, stage, planned);
	}
}
