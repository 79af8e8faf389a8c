/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

/*
 * operator: map. Each value that the expression gives for an item is an item: none, one or several. All of them take effect in one
 * commit, with the item that they are made of.
 */

#include "worker/builtin.h"
#include "worker/jq_value.h"
#include "worker/script/jq_stage.h"

static int map_check(struct weir_context *context)
{
	return jq_stage_check(context, "expr", weir_option_string(context, "expr"));
}

static int map_open(struct weir_context *context, void **ret_state)
{
	return jq_stage_new(context, "expr", weir_option_string(context, "expr"), ret_state);
}

/* All values, until there are more than could ever leave. Returns what jq_program_next() said last; fault: one is no item, and why. */
static int gather(struct jq_stage *stage, struct record_fault *fault)
{
	int r = 0, next = 0;
	jv value;

	results_clear(&stage->results);
	fault->why[0] = '\0';
	while (r == 0 && !results_are_too_many(&stage->results)) {
		next = jq_program_next(stage->program, &value);
		if (next != 0)
			break;
		r = jq_value_write(value, &stage->results.values, fault);
	}
	if (r == -ENOMEM)
		guard_out_of_memory(stage->guard);
	return next;
}

static int map_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct jq_stage *stage = data;
	struct record_fault fault;
	int r = jq_stage_begin(stage, context, item, true);

	if (r != 0)
		return r;
	r = jq_stage_end(stage, context, gather(stage, &fault));
	if (r != 0)
		return r;
	if (fault.why[0]) {
		weir_reject(context, "what it becomes is no item: %s", fault.why);
		return WEIR_REJECTED;
	}
	return results_emit(&stage->results, context, results_item_is_structured(&stage->results, item));
}

const struct weir_stage map_operator_callbacks = {
	.open = map_open,
	.process = map_process,
	.close = jq_stage_free,
	.check = map_check,
};
