/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An item that is text is a string to jq, as with `jq -R`; a structured one is its value. What jq can't hold exactly is refused where the
 * result would tell, and else becomes the nearest.
 */
#include "worker/script/jq_stage.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "worker/jq_value.h"

int jq_stage_check(struct weir_context *context, const char *option, const char *expression)
{
	struct jq_program *program;
	struct jq_fault fault;
	int r = jq_program_new(expression, &program, &fault);

	if (r == 0)
		jq_program_free(program);
	if (r != -EINVAL)
		return r;
	weir_complain(context, option, fault.line, "%s", fault.why);
	return WEIR_FAILED;
}

static int compile(struct jq_stage *stage, struct weir_context *context, const char *option, const char *expression)
{
	struct jq_fault fault;
	int r = jq_program_new(expression, &stage->program, &fault);

	if (r == -EINVAL) {
		weir_fail(context, "%s: %s", option, fault.why);
		return WEIR_FAILED;
	}
	if (r == 0)
		r = jq_program_guard(stage->program, context, (uint64_t)weir_option_integer(context, "memory"));
	return r;
}

int jq_stage_new(struct weir_context *context, const char *option, const char *expression, void **ret_state)
{
	struct jq_stage *stage = calloc(1, sizeof(*stage));
	int r;

	if (!stage)
		return error_origin(-ENOMEM);
	r = compile(stage, context, option, expression);
	if (r != 0) {
		jq_program_free(stage->program);
		free(stage);
		return r;
	}
	stage->guard = jq_program_guard_of(stage->program);
	results_init(&stage->results, context);
	*ret_state = stage;
	return 0;
}

void jq_stage_free(struct weir_context *context, void *state)
{
	struct jq_stage *stage = state;

	(void)context;
	jq_program_free(stage->program);
	results_deinit(&stage->results);
	free(stage);
}

static int read_text(const struct weir_item *item, jv *ret_value, struct record_fault *fault)
{
	size_t fine = 0;

	if (text_is_utf8(item->data, item->size_bytes) && item->size_bytes <= INT_MAX) {
		*ret_value = jv_string_sized(item->data, (int)item->size_bytes);
		return 0;
	}
	while (fine < item->size_bytes) {
		size_t n = text_utf8_length((const unsigned char *)item->data + fine, item->size_bytes - fine);

		if (!n)
			break;
		fine += n;
	}
	return record_fault(fault, "byte %zu: invalid UTF-8", fine + 1);
}

static int read_structured(const struct weir_item *item, bool exact, jv *ret_value, struct record_fault *fault)
{
	struct value_reader reader;
	int r;

	value_reader_init(&reader, item->data, item->size_bytes);
	r = jq_value_read(&reader, exact, ret_value, fault);
	if (r != 0 || reader.next == reader.end)
		return r;
	jv_free(*ret_value);
	return record_fault(fault, "byte %zu of the item: something behind its value: is what comes here decoded?",
			    (size_t)(reader.next - (const unsigned char *)item->data) + 1);
}

int jq_stage_begin(struct jq_stage *stage, struct weir_context *context, const struct weir_item *item, bool exact)
{
	struct record_fault fault;
	jv input;
	int r;

	if (guard_recalls(stage->guard, item, "the expression"))
		return WEIR_REJECTED;
	guard_begin(stage->guard, item);
	r = results_item_is_structured(&stage->results, item) ? read_structured(item, exact, &input, &fault) :
								read_text(item, &input, &fault);
	if (r == 0) {
		jq_program_start(stage->program, input);
		return 0;
	}
	(void)guard_end(stage->guard);
	weir_reject(context, "it is no value for jq: %s", fault.why);
	return WEIR_REJECTED;
}

int jq_stage_end(struct jq_stage *stage, struct weir_context *context, int r)
{
	enum guard_verdict verdict;

	if (r != JQ_E_END || guard_verdict(stage->guard) != GUARD_NONE)
		jq_program_drop(stage->program); /* whatever that takes is this item's, not the next one's */
	verdict = guard_end(stage->guard);
	if (verdict != GUARD_NONE)
		return guard_answer(stage->guard, verdict, "the expression");
	if (r != JQ_E_ERROR)
		return 0;
	weir_reject(context, "jq: %s", jq_program_error(stage->program));
	return WEIR_REJECTED;
}
