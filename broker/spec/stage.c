/* SPDX-License-Identifier: Apache-2.0 */
/* One stage's map: the keys that every stage has, the kind, and the kind's own options, which stand in the same map. */
#include <stdio.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/probe.h"
#include "broker/spec/reading.h"
#include "common/stage/key_expression.h"
#include "common/stage/registry.h"

/* Built-in sources put aside a list of files, or one read's worth of a pipe; the key `spool` is for exec stages and plugins. */
#define SOURCE_SPOOL_BYTES (UINT64_C(4) << 20)
#define NOTE_SPOOL_BYTES UINT64_C(4096) /* operators but exec note what their worker has died of */

#define DEFERRED_IN_FLIGHT 1000 /* of a stage that says WEIR_STAGE_DEFERS */

static const int kind_keys[] = { STAGE_KEY_SOURCE, STAGE_KEY_SINK, STAGE_KEY_OPERATOR, STAGE_KEY_EXEC,
				 STAGE_KEY_PLUGIN };
#define N_KIND_KEYS (sizeof(kind_keys) / sizeof(kind_keys[0]))

/* For messages: "stage 'price'", or by its place when it has no name. */
static void describe_stage(const struct stage_reading *stage, uint32_t index, struct text *text)
{
	const struct yaml_pair *name = yaml_find(stage->map, "name");

	if (name && name->value->kind == YAML_SCALAR && name->value->value[0])
		text_printf(text, "stage '%s'", name->value->value);
	else
		text_printf(text, "stage number %u", index + 1);
}

/* A key that is nearly one of the kind keys: reported as unknown already or soon, so "no kind" would only repeat it. */
static bool has_misspelled_kind(const struct yaml_node *map)
{
	for (uint32_t i = 0; i < map->n; i++) {
		struct nearest nearest = NEAREST(map->pairs[i].key->value);

		if (key_find(&keys_stage, nearest.word) >= 0)
			continue;
		for (size_t j = 0; j < keys_stage.n; j++)
			nearest_offer(&nearest, keys_stage.keys[j].name);
		for (size_t j = 0; nearest.found && j < N_KIND_KEYS; j++)
			if (strcmp(nearest.found, keys_stage.keys[kind_keys[j]].name) == 0)
				return true;
	}
	return false;
}

/* Which of the kind keys says what the stage does; -1 if none or several do, which was reported. */
static int find_kind(struct reading *reading, const struct stage_reading *stage, const char *where)
{
	int found = -1;

	for (size_t i = 0; i < N_KIND_KEYS; i++) {
		const struct spec_value *value = &stage->values[kind_keys[i]],
					*first = found >= 0 ? &stage->values[found] : NULL;

		if (!value->key)
			continue;
		if (first) {
			const struct spec_value *second =
				first->key->position.line > value->key->position.line ||
						(first->key->position.line == value->key->position.line &&
						 first->key->position.column > value->key->position.column) ?
					first :
					value;

			reading_error(
				reading, second->key->position, NULL,
				"%s has '%s' beside '%s': a stage is only one of source, sink, operator, exec, plugin",
				where, second->key->value, (second == first ? value : first)->key->value);
			return -1;
		}
		found = kind_keys[i];
	}
	if (found < 0 && !has_misspelled_kind(stage->map))
		reading_error(reading, stage->map->position, NULL,
			      "%s does nothing: it needs one of source, sink, operator, exec, plugin", where);
	return found;
}

static void resolve_builtin(struct reading *reading, struct stage_reading *stage, enum weir_role role, const char *name)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	struct nearest nearest = NEAREST(name);
	enum weir_role other = 0;

	stage->descriptor = stage_descriptor_find(role, name);
	if (stage->descriptor)
		return;
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		if (stage_descriptors[i]->role == role)
			nearest_offer(&nearest, stage_descriptors[i]->name);
		else if (!other && strcmp(stage_descriptors[i]->name, name) == 0)
			other = stage_descriptors[i]->role;
	}
	if (!nearest_hint(&nearest, &hint) && other)
		text_printf(&hint, "'%s' is %s %s; 'weir stages' lists all kinds", name,
			    other == WEIR_OPERATOR ? "an" : "a", stage_role_name(other));
	else if (!nearest.found)
		text_add(&hint, "'weir stages' lists all kinds");
	reading_error(reading, stage->kind_node->position, text_get(&hint), "there is no %s '%s'",
		      stage_role_name(role), name);
}

static void resolve_plugin(struct reading *reading, struct stage_reading *stage, struct plan_stage *planned,
			   const struct spec_value *value)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (probe_describe(value->option.string, &stage->description, &why) != 0) {
		reading_error(reading, value->node->position, NULL, "%s", text_get(&why));
		return;
	}
	planned->plugin = realpath(value->option.string, NULL);
	if (planned->plugin)
		stage->descriptor = &stage->description->stage;
	else
		reading_error(reading, value->node->position, NULL, "plugin '%s' has just disappeared",
			      value->option.string);
}

static void resolve_kind(struct reading *reading, struct stage_reading *stage, struct plan_stage *planned, int kind)
{
	const struct spec_value *value = &stage->values[kind];

	stage->kind_node = value->node;
	if (kind == STAGE_KEY_EXEC) /* known even if its command is wrong */
		stage->descriptor = stage_descriptor_find(WEIR_OPERATOR, "exec");
	else if (value->wrong)
		return;
	else if (kind == STAGE_KEY_PLUGIN)
		resolve_plugin(reading, stage, planned, value);
	else
		resolve_builtin(reading, stage,
				kind == STAGE_KEY_SOURCE   ? WEIR_SOURCE :
				kind == STAGE_KEY_OPERATOR ? WEIR_OPERATOR :
							     WEIR_SINK,
				value->option.string);
}

/* The option `command` of an exec operator is the value of its key `exec`. */
static bool is_exec_command(const struct stage_reading *stage, const struct weir_option *option)
{
	return stage->values[STAGE_KEY_EXEC].key && strcmp(option->name, "command") == 0;
}

static const struct weir_option *find_option(const struct stage_reading *stage, const char *name)
{
	for (size_t i = 0; stage->descriptor && i < stage->descriptor->n_options; i++)
		if (strcmp(stage->descriptor->options[i].name, name) == 0 &&
		    !is_exec_command(stage, &stage->descriptor->options[i]))
			return &stage->descriptor->options[i];
	return NULL;
}

/* A key that is missing because it is misspelled is reported as unknown. */
static bool is_misspelled(const struct stage_reading *stage, const char *name)
{
	for (uint32_t i = 0; i < stage->map->n; i++) {
		const char *key = stage->map->pairs[i].key->value;

		/* Of a stage whose kind is unknown only near misses of weir's own keys are reported. */
		if (key_find(&keys_stage, key) < 0 && !find_option(stage, key) && nearest_is(key, name))
			return stage->descriptor || key_find(&keys_stage, name) >= 0;
	}
	return false;
}

/* An option of some built-in kind: perhaps of the one that was meant. */
static bool is_any_option(const char *name)
{
	for (size_t i = 0; i < n_stage_descriptors; i++)
		for (size_t j = 0; j < stage_descriptors[i]->n_options; j++)
			if (strcmp(stage_descriptors[i]->options[j].name, name) == 0)
				return true;
	return false;
}

static void unknown_option(struct reading *reading, const struct stage_reading *stage, const struct yaml_node *key,
			   const char *where)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	const struct weir_stage *descriptor = stage->descriptor;
	struct nearest nearest = NEAREST(key->value);

	for (size_t i = 0; i < keys_stage.n; i++)
		nearest_offer(&nearest, keys_stage.keys[i].name);
	for (size_t i = 0; descriptor && i < descriptor->n_options; i++)
		if (!is_exec_command(stage, &descriptor->options[i]))
			nearest_offer(&nearest, descriptor->options[i].name);
	if (descriptor && stage->values[STAGE_KEY_EXEC].key && strcmp(key->value, "command") == 0)
		reading_error(reading, key->position, NULL,
			      "'command' beside 'exec' in %s: the program is the value of 'exec'", where);
	else if (descriptor)
		reading_error(reading, key->position, nearest_hint(&nearest, &hint), "unknown key '%s' in %s (%s %s)",
			      key->value, where, stage_role_name(descriptor->role), descriptor->name);
	else if (nearest.found && !is_any_option(key->value))
		reading_error(reading, key->position, nearest_hint(&nearest, &hint), "unknown key '%s' in %s",
			      key->value, where);
}

void plan_add_option(struct plan_stage *planned, struct heritage_option *option)
{
	planned->options = spec_grow(planned->options, planned->n_options, sizeof(*planned->options));
	planned->options[planned->n_options++] = *option;
	*option = (struct heritage_option){ 0 };
}

static void read_option(struct reading *reading, struct stage_reading *stage, struct plan_stage *planned,
			const struct weir_option *option, const char *where)
{
	const struct yaml_pair *pair = yaml_find(stage->map, option->name);
	struct heritage_option value = { 0 };

	if (is_exec_command(stage, option)) {
		struct spec_value *exec = &stage->values[STAGE_KEY_EXEC];

		if (exec->option.name) {
			free(exec->option.name);
			exec->option.name = spec_strdup(option->name);
			plan_add_option(planned, &exec->option);
		}
	} else if (pair) {
		if (value_read(reading, option, pair->value, &value))
			plan_add_option(planned, &value);
	} else if (option->required && !is_misspelled(stage, option->name)) {
		reading_error(reading, stage->kind_node->position, NULL,
			      "key '%s' is missing in %s: %s %s needs it (%s)", option->name, where,
			      stage_role_name(stage->descriptor->role), stage->descriptor->name, option->summary);
	} else if (value_default(option, &value)) {
		plan_add_option(planned, &value);
	}
}

/* The bound of its spools travels to the stage as an option. */
static void add_spool(const struct stage_reading *stage, struct plan_stage *planned)
{
	struct heritage_option spool = { .type = HERITAGE_NUMBER, .number = (int64_t)planned->spool_bytes };
	const struct yaml_node *node = stage->values[STAGE_KEY_SPOOL].node;

	if (!planned->n_spools)
		return;
	spool.name = spec_strdup(keys_stage.keys[STAGE_KEY_SPOOL].name);
	spool.line = node ? node->position.line : 0;
	spool.column = node ? node->position.column : 0;
	plan_add_option(planned, &spool);
}

static void bound_spool(struct plan_stage *planned)
{
	if (planned->role == WEIR_SOURCE && planned->spool_bytes > SOURCE_SPOOL_BYTES)
		planned->spool_bytes = SOURCE_SPOOL_BYTES;
	else if (planned->role == WEIR_OPERATOR && strcmp(planned->kind, "exec") != 0)
		planned->spool_bytes = NOTE_SPOOL_BYTES;
}

static void add_number(struct plan_stage *planned, const char *name, uint64_t number)
{
	struct heritage_option option = { .name = spec_strdup(name),
					  .type = HERITAGE_NUMBER,
					  .number = (int64_t)number };

	plan_add_option(planned, &option);
}

/*
 * What a program works on is in no lane, so the stage itself keeps its deadline. In frame mode it is, and the worker need not die of it;
 * how often an item is tried, and how patient to be, concerns that mode without a deadline, too.
 */
static void add_deadline(const struct stage_reading *stage, struct plan_stage *planned)
{
	if (!stage->descriptor || stage->description || strcmp(stage->descriptor->name, "exec") != 0)
		return;
	if (planned->role == WEIR_SOURCE) {
		if (plan_is_frame(planned))
			add_number(planned, "grace", planned->grace_ns);
		return;
	}
	planned->keeps_deadline = plan_is_frame(planned);
	if (!planned->deadline_ns && !planned->keeps_deadline)
		return;
	if (planned->deadline_ns)
		add_number(planned, "deadline", planned->deadline_ns);
	add_number(planned, "grace", planned->grace_ns);
	add_number(planned, "attempts", planned->attempts);
}

/* A source puts no item aside: there in_flight is what its program may have given and not been told of. */
static void add_credit(const struct stage_reading *stage, struct plan_stage *planned)
{
	if (planned->role != WEIR_SOURCE || !plan_is_frame(planned))
		return;
	add_number(planned, "at_once",
		   stage->values[STAGE_KEY_IN_FLIGHT].key ? planned->in_flight : DEFERRED_IN_FLIGHT);
	planned->in_flight = 1;
	planned->keeps = plan_option(planned, "keep_position") && plan_option(planned, "keep_position")->number;
}

static void read_options(struct reading *reading, struct stage_reading *stage, struct plan_stage *planned,
			 const char *where)
{
	size_t n_errors = reading->diagnostics->n_errors;

	for (uint32_t i = 0; i < stage->map->n; i++) {
		const struct yaml_node *key = stage->map->pairs[i].key;

		if (!key->wrong && key_find(&keys_stage, key->value) < 0 && !find_option(stage, key->value))
			unknown_option(reading, stage, key, where);
	}
	for (size_t i = 0; stage->descriptor && i < stage->descriptor->n_options; i++)
		read_option(reading, stage, planned, &stage->descriptor->options[i], where);
	stage->options_wrong = reading->diagnostics->n_errors != n_errors;
}

static void read_dead_letter(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned)
{
	const struct yaml_node *node = stage->values[STAGE_KEY_DEAD_LETTER].node;
	struct spec_value values[KEYS_MAX] = { 0 };
	struct yaml_node nothing = { .kind = YAML_MAP };

	if (node && node->kind != YAML_MAP && !node->wrong)
		reading_error(reading, node->position, NULL, "dead_letter wants a map such as {attempts: 3}, found %s",
			      yaml_kind_name(node->kind));
	values_read(reading, &keys_dead_letter, node && node->kind == YAML_MAP ? node : &nothing, NULL, false, values);
	planned->attempts = (uint32_t)value_number(&values[DEAD_LETTER_KEY_ATTEMPTS], 1);
	if (values[DEAD_LETTER_KEY_PATH].option.string)
		planned->dead_letter_path = spec_strdup(values[DEAD_LETTER_KEY_PATH].option.string);
	values_deinit(values, keys_dead_letter.n);
}

static void read_admission(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned)
{
	const struct spec_value *values = stage->values, *capacity = &values[STAGE_KEY_CAPACITY];
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	planned->in_flight = (uint32_t)value_number(&values[STAGE_KEY_IN_FLIGHT], 1);
	planned->full = (enum heritage_full)value_number(&values[STAGE_KEY_FULL], HERITAGE_FULL_BLOCK);
	planned->degrade = value_number(&values[STAGE_KEY_ON_FAILURE], 0) == 1;
	planned->drop_branch = value_number(&values[STAGE_KEY_ON_FAILURE], 0) == 2;
	if (planned->balance == HERITAGE_BALANCE_KEY)
		must(key_expression_unwrap(values[STAGE_KEY_BALANCE].option.string, &planned->balance_key, &why) == 0);
	planned->rendezvous = capacity->option.name && capacity->option.number == 0;
	if (capacity->option.name && !planned->rendezvous)
		reading_error(reading, capacity->node->position, "how much fits is said in bytes: lane: 256KiB",
			      "capacity '%s' is no such thing: the only capacity is 0", capacity->node->value);
}

static void read_common(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned,
			const struct spec_value *top)
{
	const struct spec_value *values = stage->values;
	struct plan_stage restart = { 0 };

	if (values[STAGE_KEY_NAME].option.string)
		planned->name = spec_strdup(values[STAGE_KEY_NAME].option.string);
	planned->position = value_position(&values[STAGE_KEY_NAME], stage->map->position);
	reading_workers(reading, &values[STAGE_KEY_WORKERS], planned);
	planned->order = (enum plan_order)value_number(&values[STAGE_KEY_ORDER], PLAN_ORDER_NONE);
	planned->balance = (enum heritage_balance)value_number(&values[STAGE_KEY_BALANCE], HERITAGE_LEAST_LOADED);
	read_admission(reading, stage, planned);
	planned->batch = (uint32_t)value_number(&values[STAGE_KEY_BATCH], 1);
	planned->lane_bytes = (uint64_t)value_number(&values[STAGE_KEY_LANE], 65536);
	planned->spool_bytes = (uint64_t)value_number(&values[STAGE_KEY_SPOOL], INT64_MAX);
	planned->grace_ns = (uint64_t)value_number(&values[STAGE_KEY_GRACE], value_number(&top[TOP_KEY_GRACE], 0));
	planned->deadline_ns = (uint64_t)value_number(&values[STAGE_KEY_DEADLINE], 0);
	planned->admission_ns = (uint64_t)value_number(&values[STAGE_KEY_ADMISSION], 0);
	if (values[STAGE_KEY_EXPIRES].option.string)
		planned->expires = spec_strdup(values[STAGE_KEY_EXPIRES].option.string);
	if (planned->lane_bytes & (planned->lane_bytes - 1)) {
		unsigned long long up = 65536;

		while (up < planned->lane_bytes)
			up *= 2;
		reading_error(reading, value_position(&values[STAGE_KEY_LANE], planned->position), NULL,
			      "lane '%s' is no power of two: expected %llu%s or %llu%s",
			      values[STAGE_KEY_LANE].node->value, up > 1048576 ? up / 2097152 : up / 2048,
			      up > 1048576 ? "MiB" : "KiB", up >= 1048576 ? up / 1048576 : up / 1024,
			      up >= 1048576 ? "MiB" : "KiB");
		planned->lane_bytes = up;
	}
	reading_restart(reading, &values[STAGE_KEY_RESTART], &reading->restart, &restart);
	planned->restart_type = restart.restart_type;
	planned->restart_intensity = restart.restart_intensity;
	planned->restart_period_ns = restart.restart_period_ns;
	planned->backoff_min_ns = restart.backoff_min_ns;
	planned->backoff_max_ns = restart.backoff_max_ns;
}

void reading_stage(struct reading *reading, uint32_t index, const struct spec_value *top)
{
	struct stage_reading *stage = &reading->stages[index];
	struct plan_stage *planned = &reading->plan->stages[index];
	_cleanup_(text_deinit) struct text where = TEXT_NULL;
	int kind;

	planned->workers = planned->workers_min = 1;
	planned->in_flight = 1;
	planned->position = stage->map->position;
	if (stage->map->wrong)
		return;
	if (stage->map->kind != YAML_MAP) {
		reading_error(reading, stage->map->position, NULL,
			      "a stage is a map such as {name: show, sink: stdout}, found %s",
			      yaml_kind_name(stage->map->kind));
		return;
	}
	describe_stage(stage, index, &where);
	values_read(reading, &keys_stage, stage->map, text_get(&where), true, stage->values);
	read_common(reading, stage, planned, top);
	read_dead_letter(reading, stage, planned);
	kind = find_kind(reading, stage, text_get(&where));
	if (kind >= 0)
		resolve_kind(reading, stage, planned, kind);
	if (stage->descriptor) {
		planned->role = stage->descriptor->role;
		planned->kind = spec_strdup(stage->descriptor->name);
		planned->kind_position = stage->kind_node->position;
		planned->cursor_size_bytes = stage->descriptor->cursor_size_bytes;
		planned->n_spools = stage->descriptor->n_spools;
		if (reading_keeps_state(stage))
			planned->state_bytes = (uint64_t)value_number(&stage->values[STAGE_KEY_STATE], INT64_MAX);
		planned->forwards = planned->role == WEIR_OPERATOR && stage->descriptor->flags & WEIR_STAGE_FORWARDS;
		planned->names_outputs = stage->descriptor->flags & WEIR_STAGE_NAMES_OUTPUTS;
		planned->has_errors = stage->descriptor->flags & WEIR_STAGE_ERRORS_OUTPUT;
		if (planned->has_errors)
			planned->errors_name =
				spec_strdup(stage->descriptor->outputs ? stage->descriptor->outputs : "errors");
		if (stage->descriptor->flags & WEIR_STAGE_DEFERS && !stage->values[STAGE_KEY_IN_FLIGHT].key)
			planned->in_flight = DEFERRED_IN_FLIGHT;
		if (planned->names_outputs && stage->descriptor->outputs)
			reading_outputs(planned, stage->descriptor->outputs);
		if (!stage->description)
			bound_spool(planned);
	}
	reading_canary(reading, stage, planned);
	if (!stage->values[STAGE_KEY_NAME].key && !is_misspelled(stage, "name"))
		reading_error(reading, stage->map->position, NULL, "key 'name' is missing in %s: expected a name",
			      text_get(&where));
	read_options(reading, stage, planned, text_get(&where));
	if (plan_is_frame(planned))
		planned->n_spools = 0; /* what it has stays in its lanes */
	add_credit(stage, planned);
	reading_records(reading, stage, planned);
	reading_sandbox(reading, stage, planned, top);
	add_spool(stage, planned);
	add_deadline(stage, planned);
	reading_resources(reading, stage, planned);
}
