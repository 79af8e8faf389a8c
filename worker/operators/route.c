/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: route. An item goes, as it is, to the output of the first predicate that is true of it, and to `default` if none is.
 *
 *      {errors: E, slow: S}, default: rest   ->   one program:  if is("errors"; E) then 0 elif is("slow"; S) then 1 else 2 end
 *
 * One program, for each costs a compilation of jq's own library. Each predicate has compiled by itself before, so none reaches over its
 * parentheses; what fails in it says its name.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "worker/builtin.h"
#include "worker/script/jq_stage.h"

/* What one catches may come from behind it (libjq 1.6), so what has its name already stays as it is. */
#define PREDICATE                                                                                                \
	"def is($name; f): try ([limit(2; f)] | if length > 1 then error(\"the predicate gives several values, " \
	"and one is wanted: true or false\") else .[0] end) catch error(if type == \"string\" then "             \
	"(if startswith(\"output '\") then . else \"output '\" + $name + \"': \" + . end) else \"output '\" + "  \
	"$name + \"': \" + tojson + \" (not a string)\" end); "

/* The i-th name, and its predicate; a NULL is behind them. */
static const char *const *route_at(const struct weir_context *context, uint32_t i)
{
	return weir_option_list(context, "routes") + (size_t)2 * i;
}

/* The output of items that fit none: `default` may be one of the others, too. */
static uint32_t default_of(const struct weir_context *context)
{
	const char *name = weir_option_string(context, "default");
	uint32_t i = 0;

	while (route_at(context, i)[0] && strcmp(route_at(context, i)[0], name) != 0)
		i++;
	return i;
}

static void write_program(const struct weir_context *context, struct text *text)
{
	text_add(text, PREDICATE);
	for (uint32_t i = 0; route_at(context, i)[0]; i++)
		text_printf(text, "%s is(\"%s\"; %s\n) then %u ", i ? "elif" : "if", route_at(context, i)[0],
			    route_at(context, i)[1], i);
	text_printf(text, "else %u end", default_of(context));
}

static int route_check(struct weir_context *context)
{
	_cleanup_(text_deinit) struct text program = TEXT_NULL;
	char option[128];
	int r = 0;

	for (uint32_t i = 0; route_at(context, i)[0]; i++) {
		int one;

		snprintf(option, sizeof(option), "routes.%s", route_at(context, i)[0]);
		one = jq_stage_check(context, option, route_at(context, i)[1]);
		r = r ? r : one;
	}
	if (r != 0)
		return r;
	write_program(context, &program); /* one that only defines something is none */
	return jq_stage_check(context, "routes", text_get(&program));
}

static int route_open(struct weir_context *context, void **ret_state)
{
	_cleanup_(text_deinit) struct text program = TEXT_NULL;

	write_program(context, &program);
	return jq_stage_new(context, "routes", text_get(&program), ret_state);
}

static int send_to(struct weir_context *context, const struct weir_item *item, uint32_t name)
{
	uint32_t n = weir_outputs(context);
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		if (weir_output_names(context, i) >> name & 1)
			r = weir_forward(context, i, item);
	return r;
}

static int route_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct jq_stage *stage = data;
	int r = jq_stage_begin(stage, context, item, false), next;
	uint32_t name = 0;
	jv value;

	if (r != 0)
		return r;
	next = jq_program_next(stage->program, &value);
	if (next == 0) {
		name = (uint32_t)jv_number_value(value);
		jv_free(value);
		next = jq_program_next(stage->program, &value); /* its end, for it gives one */
	}
	r = jq_stage_end(stage, context, next);
	return r == 0 ? send_to(context, item, name) : r;
}

const struct weir_stage route_operator_callbacks = {
	.open = route_open,
	.process = route_process,
	.close = jq_stage_free,
	.check = route_check,
};
