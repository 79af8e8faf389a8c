/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>
#include <weir/status.h>

#include "broker/lifecycle/pipeline_state.h"
#include "broker/trace/value_name.h"
#include "common/memory/board_layout.h"
#include "common/observe/worker_state.h"
#include "common/scope/cause.h"

/* As weir_status_name(), which only stages are linked with. */
static const char *outcome_name(uint64_t value)
{
	static const char *const names[] = {
#define STATUS(id_, name_) [WEIR_##id_] = name_,
#include "common/stage/status.def"
#undef STATUS
	};

	return value < sizeof(names) / sizeof(names[0]) ? names[value] : NULL;
}

static const char *order_name(uint64_t value)
{
	switch (value) {
	case BOARD_HOLD:
		return "hold";
	case BOARD_RUN:
		return "run";
	case BOARD_DRAIN:
		return "drain";
	case BOARD_CANCEL:
		return "cancel";
	default:
		return NULL;
	}
}

const char *value_name(const char *field, uint64_t value)
{
	if (strcmp(field, "state") == 0)
		return value < WORKER_STATE_COUNT ? worker_state_name((unsigned)value) : NULL;
	if (strcmp(field, "outcome") == 0)
		return outcome_name(value);
	if (strcmp(field, "cause") == 0)
		return value < CAUSE_COUNT ? cause_name((unsigned)value) : NULL;
	if (strcmp(field, "order") == 0)
		return order_name(value);
	if (strcmp(field, "phase") == 0)
		return value < PIPELINE_STATE_COUNT ? pipeline_state_name((enum pipeline_state)value) : NULL;
	return NULL;
}

const char *value_bit_name(const char *field, unsigned bit)
{
	/* WAIT_FOR_* and ARM_* of common/memory/segment_layout.h, in the order of their bits */
	static const char *const waits[] = { "item",  "room", "credit",      "commit", "readers",
					     "event", "time", "any-of-edge", "store",  "due" };
	static const char *const events[] = { "data", "space", "wanted" };

	if (strcmp(field, "waits_for") == 0)
		return bit < sizeof(waits) / sizeof(waits[0]) ? waits[bit] : NULL;
	if (strcmp(field, "events") == 0)
		return bit < sizeof(events) / sizeof(events[0]) ? events[bit] : NULL;
	return NULL;
}
