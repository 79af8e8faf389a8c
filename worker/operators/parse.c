/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: parse. Text becomes a map of fields: the named groups of a regular expression, the pairs of logfmt, the columns of CSV.
 *
 *      item, or one member of it --format--> map of strings --types--> map --> in the place of the member, or the item itself
 *                                   |                         |
 *                                   '-- it is no such text ---'--> output `errors`, as it came; nobody reads that: refused
 *
 * What took too many steps, too much memory or too long is not known to be anything else: it is refused, always.
 */
#include "worker/operators/parse.h"

#include <stdlib.h>

#include "common/base/error.h"
#include "common/base/quantity.h"
#include "common/record/logfmt.h"
#include "common/record/member.h"
#include "common/record/value.h"
#include "worker/builtin.h"

/* A step's result, beside 0, and RECORD_E_BAD: it is no such text. */
#define ANSWERED 16 /* process() returns *answer */

/* ---- the text ---- */

static bool is_structured(const struct parse *parse, const struct weir_item *item)
{
	unsigned char first = item->size_bytes ? *(const unsigned char *)item->data : 0;

	if (parse->form != WEIR_FORM_UNKNOWN)
		return parse->form == WEIR_FORM_STRUCTURED;
	return (first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0);
}

/* What `decode: text` makes of a line. */
static int whole_text(const struct weir_item *item, struct part *ret, struct record_fault *fault)
{
	struct value_reader reader;
	struct value value;

	value_reader_init(&reader, item->data, item->size_bytes);
	if (value_next(&reader, &value) != 0 || value.type != VALUE_STRING || reader.next != reader.end)
		return record_fault(fault, "it is no text: say which of its members is, field: NAME");
	*ret = (struct part){ value.data, value.n };
	return 0;
}

static int find_text(const struct parse *parse, const struct weir_item *item, struct part *ret,
		     struct record_fault *fault)
{
	bool structured = is_structured(parse, item);

	*ret = (struct part){ item->data, item->size_bytes };
	if (structured && parse->member)
		return member_text(item->data, item->size_bytes, parse->member, &ret->data, &ret->size_bytes, fault);
	if (parse->member)
		return record_fault(fault, "it is text, and has no '%.60s': leave field out", parse->member);
	return structured ? whole_text(item, ret, fault) : 0;
}

/* ---- its fields ---- */

static int answer_size(struct weir_context *context)
{
	weir_reject(context, "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	return WEIR_REJECTED;
}

/* A match that came to no end. */
static int answer_match(struct parse *parse, struct weir_context *context, int r)
{
	char bound[QUANTITY_TEXT_SIZE];

	switch (r) {
	case REGEX_E_DEADLINE:
		return guard_answer(parse->guard, GUARD_DEADLINE, "the pattern");
	case REGEX_E_CANCELLED:
		return WEIR_CANCELLED;
	case REGEX_E_SIZE:
		return answer_size(context);
	case REGEX_E_STEPS:
		weir_reject(context, "the pattern took more than steps: %lld allows: it goes back too often",
			    (long long)weir_option_integer(context, "steps"));
		return WEIR_REJECTED;
	case REGEX_E_MEMORY:
		weir_reject(context, "the pattern took more memory than memory: %s allows",
			    quantity_format_size((uint64_t)weir_option_integer(context, "memory"), bound));
		return WEIR_REJECTED;
	case REGEX_E_INSIDE:
		weir_reject(context, "the pattern can't be matched: %s", regex_program_complaint(parse->regex));
		return WEIR_REJECTED;
	default:
		return r;
	}
}

static int read_groups(struct parse *parse, struct weir_context *context, const struct weir_item *item,
		       struct part text, struct part *ret, struct record_fault *fault, int *answer)
{
	int r;

	if (guard_recalls(parse->guard, item, "the pattern")) {
		*answer = WEIR_REJECTED;
		return ANSWERED;
	}
	msgpack_sbuffer_clear(&parse->groups);
	guard_begin(parse->guard, item);
	r = regex_program_match(parse->regex, context, parse->guard, text.data, text.size_bytes, &parse->groups);
	(void)guard_end(parse->guard);
	*ret = (struct part){ parse->groups.data, parse->groups.size };
	if (r == 0)
		return 0;
	if (r == REGEX_E_NO_MATCH || r == REGEX_E_TEXT)
		return record_fault(fault, r == REGEX_E_TEXT ? "it is no UTF-8" : "it does not match");
	*answer = answer_match(parse, context, r);
	return ANSWERED;
}

static int read_record(struct parse *parse, struct part text, struct part *ret, struct record_fault *fault)
{
	bool is_csv = parse->format == PARSE_CSV;
	size_t bound =
		is_csv ? csv_decode_bound(&parse->columns, text.size_bytes) : logfmt_decode_bound(text.size_bytes);
	int r;

	ret->data = record_scratch_get(&parse->fields, bound);
	r = is_csv ? csv_decode(&parse->columns, parse->separator, text.data, text.size_bytes, parse->fields.data,
				&ret->size_bytes, fault) :
		     logfmt_decode(&parse->names, text.data, text.size_bytes, parse->fields.data, &ret->size_bytes,
				   fault);
	return r == RECORD_E_EMPTY ? record_fault(fault, "it is blank") : r;
}

/* ---- what it becomes ---- */

static int give_types(struct parse *parse, struct part *fields, struct record_fault *fault)
{
	struct part given = *fields;

	if (!parse->typed.n)
		return 0;
	fields->data = record_scratch_get(&parse->typed_fields, typed_bound(&parse->typed, given.size_bytes));
	return typed_write(&parse->typed, given.data, given.size_bytes, parse->typed_fields.data, &fields->size_bytes,
			   fault);
}

static int take_place(struct parse *parse, const struct weir_item *item, struct part *fields,
		      struct record_fault *fault)
{
	struct part given = *fields;

	if (!parse->member)
		return 0;
	fields->data = record_scratch_get(&parse->joined, member_bound(item->size_bytes, given.size_bytes));
	return member_replace(&parse->names, item->data, item->size_bytes, parse->member, given.data, given.size_bytes,
			      parse->joined.data, &fields->size_bytes, fault);
}

static int make(struct parse *parse, struct weir_context *context, const struct weir_item *item, struct part *ret,
		struct record_fault *fault, int *answer)
{
	struct part text;
	int r = find_text(parse, item, &text, fault);

	if (r == 0)
		r = parse->format == PARSE_REGEX ? read_groups(parse, context, item, text, ret, fault, answer) :
						   read_record(parse, text, ret, fault);
	if (r == 0)
		r = give_types(parse, ret, fault);
	if (r == 0)
		r = take_place(parse, item, ret, fault);
	return r;
}

/* ---- where it goes ---- */

static int send(struct parse *parse, struct weir_context *context, const struct part *made)
{
	uint32_t n = weir_outputs(context);
	int r = 0;

	if (!parse->errors_are_read)
		return weir_emit(context, WEIR_ALL_OUTPUTS, made->data, made->size_bytes);
	for (uint32_t i = 0; i < n && r == 0; i++)
		if (weir_output_names(context, i) & WEIR_OUTPUT_ITEMS)
			r = weir_emit(context, i, made->data, made->size_bytes);
	return r;
}

static int pass_on(struct parse *parse, struct weir_context *context, const struct weir_item *item,
		   const struct record_fault *fault)
{
	uint32_t n = weir_outputs(context);
	int r = 0;

	if (!parse->errors_are_read) {
		weir_reject(context, "%s", fault->why);
		return WEIR_REJECTED;
	}
	for (uint32_t i = 0; i < n && r == 0; i++)
		if (weir_output_names(context, i) & WEIR_OUTPUT_ERRORS)
			r = weir_forward(context, i, item);
	return r;
}

static int parse_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct parse *parse = data;
	struct record_fault fault;
	struct part made;
	int answer = 0, r = make(parse, context, item, &made, &fault, &answer);

	if (r == ANSWERED)
		return answer;
	r = r == 0 ? send(parse, context, &made) : pass_on(parse, context, item, &fault);
	return r == WEIR_TOO_LARGE ? answer_size(context) : r;
}

/* ---- its life ---- */

static int parse_check(struct weir_context *context)
{
	struct parse parse;
	int r = parse_options_read(context, 0, &parse);

	parse_deinit(&parse);
	return r;
}

static int parse_open(struct weir_context *context, void **ret_state)
{
	const struct guard_settings watched = { .memory_bytes = 0 };
	struct parse *parse = calloc(1, sizeof(*parse));
	int r;

	if (!parse)
		return error_origin(-ENOMEM);
	r = parse_options_read(context, weir_item_size_max(context), parse);
	parse->form = weir_form(context);
	for (uint32_t i = 0; i < weir_outputs(context); i++)
		parse->errors_are_read = parse->errors_are_read || weir_output_names(context, i) & WEIR_OUTPUT_ERRORS;
	if (r == 0 && parse->format == PARSE_REGEX)
		r = guard_open(context, &watched, &parse->guard);
	if (r == 0) {
		*ret_state = parse;
		return 0;
	}
	parse_deinit(parse);
	free(parse);
	return r;
}

static void parse_close(struct weir_context *context, void *data)
{
	(void)context;
	parse_deinit(data);
	free(data);
}

const struct weir_stage parse_operator_callbacks = {
	.open = parse_open,
	.process = parse_process,
	.close = parse_close,
	.check = parse_check,
};
