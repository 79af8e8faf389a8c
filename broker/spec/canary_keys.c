/* SPDX-License-Identifier: Apache-2.0 */
/* What the first new worker of a stage is held against at a reload. Only the supervisor goes by it. */
#include "broker/spec/reading.h"

void reading_canary(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned)
{
	const struct spec_value *value = &stage->values[STAGE_KEY_CANARY];
	struct spec_value values[KEYS_MAX] = { 0 };

	if (!value->node || value->node->wrong)
		return;
	if (value->node->kind != YAML_MAP) {
		reading_error(reading, value->node->position, NULL,
			      "canary wants a map such as {for: 10s, errors: 1%%}, found %s",
			      yaml_kind_name(value->node->kind));
		return;
	}
	values_read(reading, &keys_canary, value->node, NULL, false, values);
	planned->canary_ns = (uint64_t)value_number(&values[CANARY_KEY_FOR], 0);
	planned->canary_errors = (uint64_t)value_number(&values[CANARY_KEY_ERRORS], 0);
	planned->canary_latency_ns = (uint64_t)value_number(&values[CANARY_KEY_LATENCY], 0);
	if (planned->canary_latency_ns && stage->descriptor && planned->role == WEIR_SOURCE)
		reading_error(reading, value_position(&values[CANARY_KEY_LATENCY], value->node->position), NULL,
			      "latency is how long a stage takes over an item; a source takes none");
	values_deinit(values, keys_canary.n);
}
