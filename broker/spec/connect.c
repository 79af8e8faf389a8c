/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From names to edges. A word in `from` that names no stage counts, if it is nearly one, as that one for the checks behind it, so
 * that one slip makes one message and not also "nobody reads from ...".
 */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/reading.h"

static int find_stage(const struct reading *reading, const char *name)
{
	for (uint32_t i = 0; i < reading->n_stages; i++)
		if (reading->plan->stages[i].name && strcmp(reading->plan->stages[i].name, name) == 0)
			return (int)i;
	return -1;
}

static const char *name_of(const struct reading *reading, uint32_t index)
{
	return reading->plan->stages[index].name ? reading->plan->stages[index].name : "?";
}

static bool is_role(const struct reading *reading, uint32_t index, enum weir_role role)
{
	return reading->stages[index].descriptor && reading->stages[index].descriptor->role == role;
}

static void check_names(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		int first = reading->plan->stages[i].name ? find_stage(reading, reading->plan->stages[i].name) : (int)i;

		/* Nobody can name it: that nobody reads from it is no news. */
		if (first != (int)i || !reading->plan->stages[i].name)
			reading->stages[i].consumed = true;
		if (first != (int)i)
			reading_error(reading, reading->plan->stages[i].position, NULL,
				      "there is a stage '%s' already, on line %u", reading->plan->stages[i].name,
				      reading->plan->stages[first].position.line);
	}
}

/* Of one stage several outputs may be read, over one edge. */
static bool join_names(struct reading_input *input, uint32_t credit, uint64_t names)
{
	if (!names || input->names & names || input->credit != credit)
		return false;
	input->names |= names;
	return true;
}

static void add_input(struct reading *reading, uint32_t to, uint32_t from, uint32_t credit, uint64_t names,
		      struct spec_position position)
{
	struct stage_reading *stage = &reading->stages[to];

	reading->stages[from].names_consumed |= names;
	if (from == to) {
		reading_error(reading, position, NULL, "stage '%s' reads from itself", name_of(reading, to));
		stage->inputs_wrong = true;
		return;
	}
	if (is_role(reading, from, WEIR_SINK)) {
		reading_error(reading, position, NULL, "'%s' is a sink: nothing can be read from it",
			      name_of(reading, from));
		stage->inputs_wrong = true;
		return;
	}
	for (uint32_t i = 0; i < stage->n_inputs; i++)
		if (stage->inputs[i].from == from) {
			if (join_names(&stage->inputs[i], credit, names))
				return;
			reading_error(reading, position, NULL, "stage '%s' reads from '%s' twice", name_of(reading, to),
				      name_of(reading, from));
			return;
		}
	stage->inputs = spec_grow(stage->inputs, stage->n_inputs, sizeof(*stage->inputs));
	stage->inputs[stage->n_inputs++] = (struct reading_input){ from, credit, names, position };
}

/* Of a stage with an output for what it can do nothing with, or with none that has a name. Returns false, with a message. */
static bool find_plain_output(struct reading *reading, uint32_t from, const char *output, struct spec_position position,
			      uint64_t *ret_names)
{
	const struct stage_reading *stage = &reading->stages[from];
	bool has_errors = reading->plan->stages[from].has_errors;
	const char *errors = reading->plan->stages[from].errors_name;

	if (has_errors)
		*ret_names = output ? WEIR_OUTPUT_ERRORS : WEIR_OUTPUT_ITEMS;
	if (!output || (has_errors && strcmp(output, errors) == 0))
		return true;
	if (has_errors)
		reading_error(reading, position, NULL, "'%s' has no output '%s': it has '%s' and '%s.%s'",
			      name_of(reading, from), output, name_of(reading, from), name_of(reading, from), errors);
	else if (stage->descriptor)
		reading_error(reading, position, NULL, "the output of '%s' has no name: write '%s'",
			      name_of(reading, from), name_of(reading, from));
	return false;
}

/* Whether the stage's outputs have names goes with whether one is given. Returns false, with a message. */
static bool find_output(struct reading *reading, uint32_t from, const char *output, struct spec_position position,
			uint64_t *ret_names)
{
	_cleanup_(text_deinit) struct text list = TEXT_NULL;
	bool has_names = reading->plan->stages[from].names_outputs, found = true;

	*ret_names = 0;
	if (has_names && output) {
		*ret_names = reading_output_named(reading, from, output, position);
	} else if (has_names) {
		reading_output_list(reading, from, &list);
		reading_error(reading, position, NULL, "the outputs of '%s' have names: say which, of %s",
			      name_of(reading, from), text_get(&list));
		reading->stages[from].names_consumed = reading_output_all(reading, from);
	} else {
		found = find_plain_output(reading, from, output, position, ret_names);
	}
	if (!found || !reading->plan->stages[from].has_errors || *ret_names & WEIR_OUTPUT_ITEMS)
		reading->stages[from].consumed = true;
	return has_names ? *ret_names : found;
}

/* "stage", or "stage.output", which is cut at the dot. Returns the stage, or -1; *ret_output points into the word; NULL: none. */
static int find_word(const struct reading *reading, char *word, const char **ret_output)
{
	char *dot = strchr(word, '.');

	*ret_output = dot ? dot + 1 : NULL;
	if (dot)
		*dot = '\0';
	return find_stage(reading, word);
}

static void connect_word(struct reading *reading, uint32_t to, const struct yaml_node *word, uint32_t credit)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	_cleanup_(free) char *stage = spec_strdup(word->value);
	const char *output;
	int from = find_word(reading, stage, &output);
	struct nearest nearest = NEAREST(stage);
	uint64_t names;

	if (from >= 0) {
		if (find_output(reading, (uint32_t)from, output, word->position, &names))
			add_input(reading, to, (uint32_t)from, credit, names, word->position);
		else
			reading->stages[to].inputs_wrong = true;
		return;
	}
	for (uint32_t i = 0; i < reading->n_stages; i++)
		if (i != to && reading->plan->stages[i].name && !is_role(reading, i, WEIR_SINK))
			nearest_offer(&nearest, reading->plan->stages[i].name);
	reading_error(reading, word->position, nearest_hint(&nearest, &hint), "there is no stage '%s' to read from",
		      word->value);
	reading->stages[to].inputs_wrong = true;
	if (nearest.found) {
		from = find_stage(reading, nearest.found);
		reading->stages[from].consumed = true;
		reading->stages[from].names_consumed = reading_output_all(reading, (uint32_t)from);
	}
}

/* {stage: NAME, credit: N}. A credit that was reported as wrong is one all the same, or the cycle would be reported too. */
static void connect_feedback(struct reading *reading, uint32_t to, const struct yaml_node *map)
{
	struct spec_value values[KEYS_MAX] = { 0 };
	const struct yaml_node *name;

	values_read(reading, &keys_feedback, map, "a feedback edge", false, values);
	name = values[FEEDBACK_KEY_STAGE].wrong ? NULL : values[FEEDBACK_KEY_STAGE].node;
	if (name)
		connect_word(reading, to, name, (uint32_t)value_number(&values[FEEDBACK_KEY_CREDIT], 1));
	else
		reading->stages[to].inputs_wrong = true;
	values_deinit(values, keys_feedback.n);
}

/* No `from`: the stage before it in the file. */
static void connect_default(struct reading *reading, uint32_t to)
{
	const struct plan_stage *stage = &reading->plan->stages[to];

	if (to == 0) {
		reading_error(reading, stage->position, NULL,
			      "stage '%s' is the first and no source: it has nothing to read from",
			      name_of(reading, to));
		reading->stages[to].inputs_wrong = true;
	} else if (is_role(reading, to - 1, WEIR_SINK)) {
		reading_error(reading, stage->position, NULL,
			      "stage '%s' needs a 'from': the stage before it, '%s', is a sink", name_of(reading, to),
			      name_of(reading, to - 1));
		reading->stages[to].inputs_wrong = true;
	} else {
		uint64_t names;

		if (find_output(reading, to - 1, NULL, stage->position, &names))
			add_input(reading, to, to - 1, 0, names, stage->position);
		else
			reading->stages[to].inputs_wrong = true;
	}
}

/* Its inputs can't be told: whatever it may have meant is not called unread. */
static void guess_inputs(struct reading *reading, uint32_t to)
{
	const struct yaml_node *from = reading->stages[to].values[STAGE_KEY_FROM].node;

	reading->stages[to].inputs_wrong = true;
	if (to > 0) {
		reading->stages[to - 1].consumed = true;
		reading->stages[to - 1].names_consumed = reading_output_all(reading, to - 1);
	}
	for (uint32_t i = 0; from && from->kind == YAML_LIST && i < from->n; i++) {
		const struct yaml_node *item = from->items[i];
		const struct yaml_pair *pair = yaml_find(item, "stage");
		const struct yaml_node *word = pair ? pair->value : item;
		_cleanup_(free) char *stage = word->kind == YAML_SCALAR ? spec_strdup(word->value) : NULL;
		const char *output;
		int named = stage ? find_word(reading, stage, &output) : -1;

		if (named < 0)
			continue;
		reading->stages[named].consumed = true;
		reading->stages[named].names_consumed = reading_output_all(reading, (uint32_t)named);
	}
}

static void connect_stage(struct reading *reading, uint32_t to)
{
	struct stage_reading *stage = &reading->stages[to];
	const struct spec_value *from = &stage->values[STAGE_KEY_FROM];

	if (is_role(reading, to, WEIR_SOURCE)) {
		if (from->key)
			reading_error(reading, from->key->position, NULL,
				      "stage '%s' is a source: it reads from no other stage", name_of(reading, to));
	} else if (from->wrong) {
		guess_inputs(reading, to);
	} else if (!from->node) {
		if (stage->descriptor) {
			connect_default(reading, to);
		} else { /* its role is not known: it may read from the one before it */
			guess_inputs(reading, to);
		}
	} else if (from->node->kind == YAML_SCALAR) {
		connect_word(reading, to, from->node, 0);
	} else {
		for (uint32_t i = 0; i < from->node->n; i++)
			if (from->node->items[i]->kind == YAML_MAP)
				connect_feedback(reading, to, from->node->items[i]);
			else
				connect_word(reading, to, from->node->items[i], 0);
	}
	if (stage->n_inputs > INPUTS_MAX)
		reading_error(reading, from->key->position, NULL, "stage '%s' reads from %u stages; at most %u",
			      name_of(reading, to), stage->n_inputs, INPUTS_MAX);
}

static void check_outputs(struct reading *reading)
{
	uint32_t *n_outputs = spec_alloc(reading->n_stages, sizeof(*n_outputs));

	for (uint32_t to = 0; to < reading->n_stages; to++)
		for (uint32_t i = 0; i < reading->stages[to].n_inputs; i++)
			if (++n_outputs[reading->stages[to].inputs[i].from] == INPUTS_MAX + 1)
				reading_error(reading, reading->stages[to].inputs[i].position, NULL,
					      "more than %u stages read from '%s'", INPUTS_MAX,
					      name_of(reading, reading->stages[to].inputs[i].from));
	for (uint32_t i = 0; i < reading->n_stages; i++)
		if (reading->stages[i].descriptor && !is_role(reading, i, WEIR_SINK) && !reading->stages[i].consumed)
			reading_error(reading, reading->plan->stages[i].position, NULL,
				      "nobody reads from stage '%s': add a sink (discard, if its output is not wanted)",
				      name_of(reading, i));
	reading_check_names_consumed(reading);
	free(n_outputs);
}

/* Against the stream: each stage is on the path, done, or not seen yet. The path is kept by hand: 4,096 stages deep is possible. */
struct walk {
	unsigned char *state;        /* 0: not seen, 1: on the path, 2: done */
	uint32_t *path, *next_input; /* stages on the path; the input that each looks at next */
	uint32_t depth;
};

static void report_cycle(struct reading *reading, const struct walk *walk, uint32_t from, struct spec_position position)
{
	_cleanup_(text_deinit) struct text cycle = TEXT_NULL, hint = TEXT_NULL;
	uint32_t start = walk->depth, last = from, back = from, back_to = walk->path[walk->depth - 1];

	while (walk->path[start - 1] != from)
		start--;
	/* The path runs against the stream, so it is printed backwards. */
	text_add(&cycle, name_of(reading, from));
	for (uint32_t i = walk->depth; i >= start; i--) {
		text_printf(&cycle, " -> %s", name_of(reading, walk->path[i - 1]));
		if (last > walk->path[i - 1]) { /* against the order of the file: this edge leads back */
			back = last;
			back_to = walk->path[i - 1];
		}
		last = walk->path[i - 1];
	}
	text_printf(&hint,
		    "if '%s' is meant to lead back to '%s', write {stage: %s, credit: 64} for it there, in 'from'",
		    name_of(reading, back), name_of(reading, back_to), name_of(reading, back));
	reading_error(reading, position, text_get(&hint), "undeclared cycle: %s", text_get(&cycle));
}

static void walk_from(struct reading *reading, struct walk *walk, uint32_t root)
{
	walk->depth = 1;
	walk->path[0] = root;
	walk->state[root] = 1;
	walk->next_input[root] = 0;
	while (walk->depth) {
		uint32_t at = walk->path[walk->depth - 1];
		const struct stage_reading *stage = &reading->stages[at];
		uint32_t from;

		if (walk->next_input[at] >= stage->n_inputs) {
			walk->state[at] = 2;
			walk->depth--;
			continue;
		}
		if (stage->inputs[walk->next_input[at]].credit) {
			walk->next_input[at]++;
			continue;
		}
		from = stage->inputs[walk->next_input[at]++].from;
		if (walk->state[from] == 1) {
			report_cycle(reading, walk, from, stage->inputs[walk->next_input[at] - 1].position);
		} else if (walk->state[from] == 0) {
			walk->state[from] = 1;
			walk->next_input[from] = 0;
			walk->path[walk->depth++] = from;
		}
	}
}

static void check_cycles(struct reading *reading)
{
	struct walk walk = { spec_alloc(reading->n_stages, 1), spec_alloc(reading->n_stages, sizeof(uint32_t)),
			     spec_alloc(reading->n_stages, sizeof(uint32_t)), 0 };

	for (uint32_t i = 0; i < reading->n_stages; i++)
		if (!walk.state[i])
			walk_from(reading, &walk, i);
	free(walk.state);
	free(walk.path);
	free(walk.next_input);
}

void reading_connect(struct reading *reading)
{
	check_names(reading);
	for (uint32_t i = 0; i < reading->n_stages; i++)
		connect_stage(reading, i);
	check_outputs(reading);
	check_cycles(reading);
	reading_feedback(reading);
}
