/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of items flows where, as far as it can be known without running anything:
 *
 *      read (decode: json) --structured--> take --structured--> write (encode: json)
 *      log  (no decode)    --text--------> exec --text--------> show                     a plugin may emit anything: unknown
 *
 * A stage that works on lines makes nonsense of structured items, and an encoder can't read lines: either is said before the run, also if
 * it comes from one of several inputs only.
 */
#include <string.h>
#include <weir/record.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"
#include "common/stage/host.h"
#include "common/stage/key_expression.h"
#include "common/stage/registry.h"

/* Of several inputs: or-ed, so that what comes in one of them is not hidden by the others. */
enum flow { FLOW_NONE = 0, FLOW_TEXT = 1, FLOW_STRUCTURED = 2, FLOW_UNKNOWN = 4 };

/* What each stage is given, and emits; by its number. */
struct flows {
	enum flow *in, *out;
};

/* The format that the stage says for `decode` or `encode`; NULL: none, or raw. */
static const char *format_of(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *format = plan_option(stage, name);

	return format && format->string && strcmp(format->string, "raw") != 0 ? format->string : NULL;
}

static bool is_builtin(const struct stage_reading *stage, const char *name)
{
	return stage->descriptor && !stage->description && strcmp(stage->descriptor->name, name) == 0;
}

/* Stages with a language in them may say what they make of what they are given. NULL: what it was. */
static const char *emits_of(const struct plan_stage *stage)
{
	const struct heritage_option *emits = plan_option(stage, "emits");

	return emits && emits->string && strcmp(emits->string, "same") != 0 ? emits->string : NULL;
}

static enum flow flow_said_by(const struct plan_stage *stage, enum flow in)
{
	const char *emits = emits_of(stage);

	if (!emits || in == FLOW_NONE)
		return in;
	return strcmp(emits, "text") == 0 ? FLOW_TEXT : FLOW_STRUCTURED;
}

static bool has_items(const struct plan_stage *stage, const char *kind)
{
	const struct heritage_option *items = plan_option(stage, "items");

	return items && items->string && strcmp(items->string, kind) == 0;
}

/* A program in frame mode answers in kind; given the bytes of structured items, it may make anything of them. */
static enum flow flow_out_of_frame(const struct plan_stage *stage, enum flow in)
{
	if (has_items(stage, "values"))
		return FLOW_STRUCTURED;
	if (stage->role == WEIR_SOURCE)
		return FLOW_TEXT;
	return has_items(stage, "bytes") && in != FLOW_TEXT && in != FLOW_NONE ? FLOW_UNKNOWN : in;
}

static enum flow flow_out_of(const struct reading *reading, uint32_t index, enum flow in)
{
	const struct stage_reading *stage = &reading->stages[index];

	if (!stage->descriptor)
		return FLOW_UNKNOWN;
	if (stage->values[STAGE_KEY_DECODE].key && !plan_option(&reading->plan->stages[index], "decode"))
		return FLOW_UNKNOWN; /* it was reported */
	if (stage->descriptor->role == WEIR_SOURCE && format_of(&reading->plan->stages[index], "decode"))
		return FLOW_STRUCTURED;
	if (stage->description) /* a plugin */
		return FLOW_UNKNOWN;
	if (plan_is_frame(&reading->plan->stages[index]))
		return flow_out_of_frame(&reading->plan->stages[index], in);
	if (stage->descriptor->role == WEIR_SOURCE || is_builtin(stage, "exec"))
		return FLOW_TEXT;
	if (is_builtin(stage, "parse"))
		return in == FLOW_NONE ? FLOW_NONE : FLOW_STRUCTURED;
	return flow_said_by(&reading->plan->stages[index], in);
}

/* What comes over one edge: an output such as `errors` hands on what its stage was given. */
static enum flow flow_over(const struct reading *reading, const struct flows *flows, const struct reading_input *input)
{
	bool errors = reading->plan->stages[input->from].has_errors;
	enum flow over = FLOW_NONE;

	if (!errors || input->names & WEIR_OUTPUT_ITEMS)
		over |= flows->out[input->from];
	if (errors && input->names & WEIR_OUTPUT_ERRORS)
		over |= flows->in[input->from];
	return over;
}

static enum flow flow_into(const struct reading *reading, const struct flows *flows, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	enum flow in = stage->inputs_wrong ? FLOW_UNKNOWN : FLOW_NONE;

	for (uint32_t i = 0; i < stage->n_inputs; i++)
		in |= flow_over(reading, flows, &stage->inputs[i]);
	return in;
}

/* Loops settle, for a flow is only ever added to. */
static void find_flows(const struct reading *reading, struct flows *flows)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < reading->n_stages; i++) {
			enum flow in = flows->in[i] | flow_into(reading, flows, i);
			enum flow out = flows->out[i] | flow_out_of(reading, i, in);

			changed = changed || in != flows->in[i] || out != flows->out[i];
			flows->in[i] = in;
			flows->out[i] = out;
		}
	}
}

static struct spec_position place(const struct stage_reading *stage, const struct plan_stage *planned, int key)
{
	return value_position(&stage->values[key], planned->position);
}

static bool writes_header(const struct plan_stage *stage)
{
	const char *format = format_of(stage, "encode");
	const struct heritage_option *header = plan_option(stage, "encode.header");

	return format && !strcmp(format, "csv") && header && header->number;
}

static void check_role(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const char *name = planned->name ? planned->name : "?";

	if (plan_option(planned, "decode") && stage->descriptor->role != WEIR_SOURCE)
		reading_error(reading, place(stage, planned, STAGE_KEY_DECODE),
			      "write it to the source; what a sink writes is said by encode",
			      "decode is for sources, where items are made of text, and '%s' is none", name);
	if (plan_option(planned, "encode") && stage->descriptor->role != WEIR_SINK)
		reading_error(reading, place(stage, planned, STAGE_KEY_ENCODE),
			      "write it to the sink; what a source reads is said by decode",
			      "encode is for sinks, where items become text, and '%s' is none", name);
	if (writes_header(planned) && planned->in_flight > 1)
		reading_error(
			reading, place(stage, planned, STAGE_KEY_ENCODE), "encode: {format: csv, header: false, ...}",
			"in_flight: %u ends items in any order, and the header of CSV goes before the first that ends",
			planned->in_flight);
}

/* What a program gives as values is decoded, and no frame is a header. */
static void check_frame_source(struct reading *reading, const struct stage_reading *stage,
			       const struct plan_stage *planned)
{
	const char *decode = format_of(planned, "decode");

	if (!decode || planned->role != WEIR_SOURCE)
		return;
	if (has_items(planned, "values"))
		reading_error(reading, place(stage, planned, STAGE_KEY_DECODE), "leave one of them out",
			      "items: values says that the program gives values, and decode makes them of text");
	else if (planned->n_spools)
		reading_error(
			reading, place(stage, planned, STAGE_KEY_DECODE), "say the names: columns: [id, name]",
			"the first line of csv would be a header, and what a program gives in frame mode are items, each by itself");
}

/* Programs are told lines from lines. */
static void check_exec(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const char *decode = format_of(planned, "decode"), *encode = format_of(planned, "encode");

	if (!is_builtin(stage, "exec"))
		return;
	if (plan_is_frame(planned)) {
		check_frame_source(reading, stage, planned);
		return;
	}
	if (decode && stage->descriptor->role == WEIR_SOURCE && strcmp(decode, "msgpack") == 0)
		reading_error(reading, place(stage, planned, STAGE_KEY_DECODE), NULL,
			      "a program's output is cut at newlines, which msgpack does not have: let it write json");
	if (encode && stage->descriptor->role == WEIR_SINK && strcmp(encode, "msgpack") == 0)
		reading_error(reading, place(stage, planned, STAGE_KEY_ENCODE), NULL,
			      "a program is given lines, which msgpack does not have: use encode: json");
}

static void check_spools(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	if (planned->n_spools > WEIR_SPOOLS_MAX)
		reading_error(reading, place(stage, planned, STAGE_KEY_DECODE), "say the names: columns: [id, name]",
			      "'%s' has no spool left in which the header could be remembered",
			      planned->name ? planned->name : "?");
}

/* Who has made the items so, for messages: a source, or a stage that says so itself; the first that there is. */
static const char *origin_of(const struct reading *reading, const struct flows *flows, uint32_t index, enum flow flow)
{
	for (uint32_t depth = 0; depth < reading->n_stages; depth++) {
		const struct stage_reading *stage = &reading->stages[index];
		bool found = false;

		if (emits_of(&reading->plan->stages[index]))
			break;
		for (uint32_t i = 0; i < stage->n_inputs && !found; i++) {
			found = flow_over(reading, flows, &stage->inputs[i]) & flow;
			if (found)
				index = stage->inputs[i].from;
		}
		if (!found)
			break;
	}
	return reading->plan->stages[index].name ? reading->plan->stages[index].name : "?";
}

static struct spec_position place_beside(const struct heritage_option *option)
{
	return (struct spec_position){ option->line, option->column };
}

/* What was not said follows from what comes. */
static void choose_items(const struct reading *reading, const struct flows *flows, uint32_t index)
{
	struct plan_stage *planned = &reading->plan->stages[index];
	struct heritage_option items = { .type = HERITAGE_STRING };

	if (!plan_is_frame(planned) || plan_option(planned, "items") || format_of(planned, "encode") ||
	    flow_into(reading, flows, index) != FLOW_STRUCTURED)
		return;
	items.name = spec_strdup("items");
	items.string = spec_strdup("values");
	plan_add_option(planned, &items);
}

/* What to do about one kind does not help if both come. */
static const char *advice_for(enum flow in, const char *advice)
{
	return in & FLOW_TEXT && in & FLOW_STRUCTURED ?
		       "items of both kinds come here: give each a stage of its own, or say decode at each source, or at none" :
		       advice;
}

/* Lines are all that these work on. */
static void check_reader(struct reading *reading, const struct flows *flows, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	enum flow in = flow_into(reading, flows, index);
	bool is_sink = stage->descriptor->role == WEIR_SINK;

	if (stage->descriptor->role == WEIR_SOURCE ||
	    (stage->values[STAGE_KEY_ENCODE].key && !plan_option(planned, "encode"))) /* which was reported */
		return;
	if (plan_is_frame(planned) && format_of(planned, "encode") && has_items(planned, "values")) {
		reading_error(reading, place_beside(plan_option(planned, "items")), "leave one of them out",
			      "items: values gives the program the items as they are, and encode makes text of them");
	} else if (plan_is_frame(planned) && !format_of(planned, "encode")) {
		if (in & FLOW_TEXT && has_items(planned, "values"))
			reading_error(
				reading, place_beside(plan_option(planned, "items")),
				advice_for(
					in,
					"say at the source what its records are, as in decode: json; or leave items out"),
				"items: values wants structured items, and what comes from '%s' is text",
				origin_of(reading, flows, index, FLOW_TEXT));
	} else if (is_sink && format_of(planned, "encode")) {
		if (in & FLOW_TEXT)
			reading_error(
				reading, place(stage, planned, STAGE_KEY_ENCODE),
				advice_for(
					in,
					"say at the source what its records are, as in decode: json; or leave encode out"),
				"encode wants structured items, and what comes from '%s' is text",
				origin_of(reading, flows, index, FLOW_TEXT));
	} else if (in & FLOW_STRUCTURED && !plan_option(planned, "encode") && !is_sink && is_builtin(stage, "exec")) {
		reading_error(reading, stage->kind_node->position,
			      advice_for(in, "leave decode out: the program is then given the text as it is"),
			      "a program reads lines, and what comes from '%s' is decoded",
			      origin_of(reading, flows, index, FLOW_STRUCTURED));
	} else if (in & FLOW_STRUCTURED && !plan_option(planned, "encode") && is_sink && !stage->description &&
		   !is_builtin(stage, "discard") && !is_builtin(stage, "table") && !is_builtin(stage, "sqlite") &&
		   !is_builtin(stage, "postgres")) {
		reading_error(reading, stage->kind_node->position,
			      advice_for(in, "say how they are written: encode: json"),
			      "'%s' writes lines, and what comes from '%s' is decoded",
			      planned->name ? planned->name : "?", origin_of(reading, flows, index, FLOW_STRUCTURED));
	}
}

/* Text has no members. */
static void check_member(struct reading *reading, const struct flows *flows, uint32_t index)
{
	const struct plan_stage *planned = &reading->plan->stages[index];
	const struct heritage_option *field =
		is_builtin(&reading->stages[index], "parse") ? plan_option(planned, "field") : NULL;
	enum flow in = flow_into(reading, flows, index);

	if (field && in & FLOW_TEXT)
		reading_error(reading, place_beside(field),
			      advice_for(in, "leave field out: the text is the whole item"),
			      "field names a member of structured items, and what comes from '%s' is text",
			      origin_of(reading, flows, index, FLOW_TEXT));
}

/* A key that is looked for in the bytes of msgpack is found, and means nothing. */
static void check_key(struct reading *reading, const struct flows *flows, uint32_t index)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	struct key_expression expression = KEY_EXPRESSION_NULL;

	if (!planned->balance_key || flow_into(reading, flows, index) != FLOW_STRUCTURED ||
	    key_expression_parse(planned->balance_key, &expression, &why) != 0)
		return;
	if (expression.kind == KEY_KIND_FIELD || expression.kind == KEY_KIND_BYTES)
		reading_warning(
			reading, place(stage, planned, STAGE_KEY_BALANCE), "use a path, as in key(.id)",
			"key(%s) looks at the bytes of items that are decoded, which are not those of their text",
			planned->balance_key);
	key_expression_deinit(&expression);
}

static enum weir_form form_of(enum flow flow)
{
	if (flow == FLOW_TEXT)
		return WEIR_FORM_TEXT;
	return flow == FLOW_STRUCTURED ? WEIR_FORM_STRUCTURED : WEIR_FORM_UNKNOWN;
}

/* The stage is told: weir_form(). A sink whose items are encoded is given text. */
static void tell_form(struct reading *reading, const struct flows *flows, uint32_t index)
{
	const struct plan_stage *planned = &reading->plan->stages[index];
	enum flow in = format_of(planned, "encode") ? FLOW_TEXT : flow_into(reading, flows, index);
	struct heritage_option form = { .type = HERITAGE_NUMBER, .number = form_of(in) };

	if (reading->stages[index].descriptor->role == WEIR_SOURCE)
		return;
	form.name = spec_strdup(HOST_OPTION_FORM);
	plan_add_option(&reading->plan->stages[index], &form);
}

void reading_record_rules(struct reading *reading)
{
	_cleanup_(free) enum flow *in = spec_alloc(reading->n_stages, sizeof(*in));
	_cleanup_(free) enum flow *out = spec_alloc(reading->n_stages, sizeof(*out));
	struct flows flows = { in, out };

	find_flows(reading, &flows);
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		const struct stage_reading *stage = &reading->stages[i];
		const struct plan_stage *planned = &reading->plan->stages[i];

		if (!stage->descriptor)
			continue;
		check_role(reading, stage, planned);
		check_exec(reading, stage, planned);
		check_spools(reading, stage, planned);
		check_reader(reading, &flows, i);
		check_member(reading, &flows, i);
		check_key(reading, &flows, i);
		tell_form(reading, &flows, i);
		choose_items(reading, &flows, i);
	}
}
