/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: filter. Items of which the expression says anything but false or null pass, as they are: their bytes are not made again, and
 * large ones are not even copied.
 *
 * No value at all (`select(.a)` of an item without an `a`) is as false. Several values are nobody's answer: the item is refused.
 */

#include "worker/builtin.h"
#include "worker/script/jq_stage.h"

static int filter_check(struct weir_context *context)
{
	return jq_stage_check(context, "expr", weir_option_string(context, "expr"));
}

static int filter_open(struct weir_context *context, void **ret_state)
{
	return jq_stage_new(context, "expr", weir_option_string(context, "expr"), ret_state);
}

/* Consumes it. */
static bool is_true(jv value)
{
	jv_kind kind = jv_get_kind(value);

	jv_free(value);
	return kind != JV_KIND_FALSE && kind != JV_KIND_NULL;
}

static int filter_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct jq_stage *stage = data;
	bool passes = false, again = false;
	int r = jq_stage_begin(stage, context, item, false), next;
	jv value;

	if (r != 0)
		return r;
	next = jq_program_next(stage->program, &value);
	if (next == 0) {
		passes = is_true(value);
		next = jq_program_next(stage->program, &value);
		again = next == 0;
		if (again)
			jv_free(value);
	}
	r = jq_stage_end(stage, context, next);
	if (r != 0)
		return r;
	if (again) {
		weir_reject(context, "the expression gives several values, and one is wanted: true or false");
		return WEIR_REJECTED;
	}
	return passes ? weir_forward(context, WEIR_ALL_OUTPUTS, item) : WEIR_OK;
}

const struct weir_stage filter_operator_callbacks = {
	.open = filter_open,
	.process = filter_process,
	.close = jq_stage_free,
	.check = filter_check,
};
