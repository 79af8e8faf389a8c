/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages with keyed state (WEIR_STAGE_STATE): each worker has entries of its own, so an item must come to the one that has its key. What
 * would hand a worker's items to others, and leave its entries behind, goes with balance: key neither (admission_rules.c).
 */
#include "broker/spec/reading.h"

static bool keeps_state(const struct stage_reading *stage)
{
	return stage->descriptor->flags & WEIR_STAGE_STATE;
}

void reading_state_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	const struct spec_value *size = &stage->values[STAGE_KEY_STATE];

	if (size->key && !keeps_state(stage))
		reading_error(reading, size->key->position, NULL,
			      "'state' says how much a stage may remember, and %s remembers nothing: drop it",
			      planned->kind);
	if (keeps_state(stage) && planned->workers > 1 && planned->balance != HERITAGE_BALANCE_KEY &&
	    !stage->values[STAGE_KEY_BALANCE].wrong)
		reading_error(
			reading, value_position(&stage->values[STAGE_KEY_WORKERS], planned->position),
			"which part of an item is the key? balance: key(.customer)",
			"%s remembers by key, and each of the %u workers for itself: balance: key(EXPR) brings all items of "
			"a key to one of them",
			planned->kind, planned->workers);
}
