/* SPDX-License-Identifier: Apache-2.0 */
/* What concerns more than one value at once, and what lies outside of the spec: programs and files. */
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/spec/reading.h"

const struct heritage_option *plan_option(const struct plan_stage *stage, const char *name)
{
	for (uint32_t i = 0; i < stage->n_options; i++)
		if (strcmp(stage->options[i].name, name) == 0)
			return &stage->options[i];
	return NULL;
}

static bool is_kind(const struct stage_reading *stage, enum weir_role role, const char *name)
{
	return stage->descriptor && !stage->description && stage->descriptor->role == role &&
	       strcmp(stage->descriptor->name, name) == 0;
}

static bool is_exec(const struct stage_reading *stage)
{
	return stage->descriptor && !stage->description && strcmp(stage->descriptor->name, "exec") == 0;
}

/* Where an option stands; the kind, when it is a default. */
static struct spec_position option_position(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option && (option->line || option->column) ? (struct spec_position){ option->line, option->column } :
							    stage->kind_position;
}

static void check_workers(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	struct spec_position position = value_position(&stage->values[STAGE_KEY_WORKERS], planned->position);

	if (planned->workers > 1 && is_kind(stage, WEIR_OPERATOR, "take"))
		reading_error(reading, position, NULL,
			      "take counts in one worker, not %u: each would let its own count pass", planned->workers);
	else if (planned->workers > 1 && is_kind(stage, WEIR_OPERATOR, "throttle"))
		reading_error(reading, position, NULL,
			      "throttle counts in one worker, not %u: each would let the whole rate pass",
			      planned->workers);
	else if (planned->workers > 1 && is_kind(stage, WEIR_OPERATOR, "sample"))
		reading_error(reading, position, NULL,
			      "sample counts in one worker, not %u: each would choose by numbers of its own",
			      planned->workers);
	else if (planned->workers > 1 && is_kind(stage, WEIR_OPERATOR, "merge"))
		reading_error(reading, position, NULL,
			      "merge has all inputs in one worker, not %u: each would merge its own share",
			      planned->workers);
	else if (planned->workers > 1 && stage->descriptor->role == WEIR_SOURCE)
		reading_error(reading, position, NULL,
			      "a source has one worker, not %u: start a second source stage instead", planned->workers);
	else if (planned->workers > 1 && is_kind(stage, WEIR_SINK, "file")) {
		const struct heritage_option *path = plan_option(planned, "path");

		if (path && !strstr(path->string, "{worker}"))
			reading_error(reading, option_position(planned, "path"), NULL,
				      "%u workers can't write one file: put {worker} into the path", planned->workers);
	}
}

/* A stage of several workers whose output keeps the order of its input. */
static bool is_ordered(const struct plan_stage *stage)
{
	return stage->order == PLAN_ORDER_FIFO && stage->workers > 1;
}

static void check_order(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	struct spec_position position = value_position(&stage->values[STAGE_KEY_ORDER], planned->position);
	const struct plan_stage *from;
	const struct heritage_option *block = plan_option(planned, "block");

	if (!is_ordered(planned) || stage->descriptor->role == WEIR_SOURCE)
		return;
	if (stage->descriptor->role == WEIR_SINK) {
		reading_error(
			reading, position, NULL,
			"order: fifo on a sink with %u workers keeps no order, for it has no output: use workers: 1",
			planned->workers);
		return;
	}
	if (is_exec(stage) && block && block->string && strcmp(block->string, "all") == 0)
		reading_error(reading, option_position(planned, "block"), NULL,
			      "block: all with order: fifo gives everything to one of %u workers: use workers: 1",
			      planned->workers);
	if (stage->inputs_wrong)
		return;
	if (stage->n_inputs > 1) {
		reading_error(
			reading, position, NULL,
			"order: fifo with several workers wants one input, not %u: merge them in a stage with one worker first",
			stage->n_inputs);
		return;
	}
	from = stage->n_inputs ? &reading->plan->stages[stage->inputs[0].from] : NULL;
	if (from && from->workers > 1 && !is_ordered(from))
		reading_error(reading, position, NULL,
			      "order: fifo has no order to keep: '%s' has %u workers and no 'order: fifo' itself",
			      from->name ? from->name : "?", from->workers);
}

/* What several workers make at once is sorted by nothing. */
static void check_merge(struct reading *reading, const struct stage_reading *stage)
{
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		const struct plan_stage *from = &reading->plan->stages[stage->inputs[i].from];

		if (from->workers > 1 && !is_ordered(from))
			reading_error(reading, stage->inputs[i].position, "give it order: fifo, or workers: 1",
				      "merge wants inputs that are sorted, and '%s' has %u workers and no order",
				      from->name, from->workers);
	}
}

/* Two options that say the same in two ways, of which one is needed. A wrong value is somebody else's error. */
static void check_one_of(struct reading *reading, const struct stage_reading *stage, const char *one, const char *other)
{
	const struct yaml_pair *has_one = yaml_find(stage->map, one), *has_other = yaml_find(stage->map, other);

	if (has_one && has_other)
		reading_error(reading, has_other->value->position, NULL,
			      "'%s' beside '%s': they say the same in two ways, drop one of them", other, one);
	else if (!has_one && !has_other)
		reading_error(reading, stage->kind_node->position, NULL, "%s needs '%s' or '%s'",
			      stage->descriptor->name, one, other);
}

static void check_sample(struct reading *reading, const struct stage_reading *stage)
{
	const struct yaml_pair *seed = yaml_find(stage->map, "seed");

	check_one_of(reading, stage, "every", "share");
	if (seed && yaml_find(stage->map, "every"))
		reading_warning(reading, seed->value->position, NULL,
				"seed has no effect beside every: nothing is left to the lot");
}

static void check_batch(struct reading *reading, const struct stage_reading *stage)
{
	if (!yaml_find(stage->map, "count") && !yaml_find(stage->map, "bytes") && !yaml_find(stage->map, "age"))
		reading_error(reading, stage->kind_node->position, NULL,
			      "batch needs 'count', 'bytes' or 'age': when a batch is full, or old enough");
}

/* It becomes part of what others say in `from`. */
static void check_default_name(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *name = plan_option(planned, "default");
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (name && !name_check(name->string, &why))
		reading_error(reading, option_position(planned, "default"), NULL, "default '%s' %s", name->string,
			      text_get(&why));
}

/* The shell does that; here nobody does. */
static const char *tilde_hint(const char *path)
{
	return path[0] == '~' ? "~ is not expanded: write the folder's name" : NULL;
}

static void check_source_paths(struct reading *reading, const struct stage_reading *stage,
			       const struct plan_stage *planned)
{
	const struct yaml_pair *pair = yaml_find(stage->map, "path");
	const struct heritage_option *follow = plan_option(planned, "follow"); /* then it may come */
	uint32_t n = !pair ? 0 : pair->value->kind == YAML_LIST ? pair->value->n : 1;

	for (uint32_t i = 0; i < n; i++) {
		const struct yaml_node *path = pair->value->kind == YAML_LIST ? pair->value->items[i] : pair->value;

		if (path->wrong || path->kind != YAML_SCALAR || yaml_is_nothing(path))
			continue;
		if (!path->value[0])
			reading_error(reading, path->position, NULL, "path is empty: expected a file");
		else if (strcmp(path->value, "-") == 0)
			reading_error(reading, path->position, "use source: stdin", "path '-' is no file");
		else if (!(follow && follow->number) && !strpbrk(path->value, "*?[") && access(path->value, F_OK) != 0)
			reading_warning(reading, path->position, tilde_hint(path->value), "there is no file '%s' now",
					path->value);
	}
}

static bool is_same_file(const char *pattern, const char *path)
{
	struct stat a, b;

	if (strcmp(pattern, path) == 0 || fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) == 0)
		return true;
	return stat(pattern, &a) == 0 && stat(path, &b) == 0 && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* A file that is read and written in one pipeline is cut before it was read, or never ends. */
static void check_sink_path(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *path = plan_option(planned, "path");

	if (!path)
		return;
	if (tilde_hint(path->string))
		reading_warning(reading, option_position(planned, "path"), tilde_hint(path->string),
				"path '%s' begins with '~'", path->string);
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		const struct plan_stage *source = &reading->plan->stages[i];
		const struct heritage_option *read =
			is_kind(&reading->stages[i], WEIR_SOURCE, "file") ? plan_option(source, "path") : NULL;

		for (uint32_t j = 0; read && j < read->n_list; j++)
			if (is_same_file(read->list[j], path->string)) {
				reading_error(reading, option_position(planned, "path"), "write another file",
					      "stage '%s' reads '%s'", source->name ? source->name : "?", path->string);
				return;
			}
	}
}

/* Things that only one stage of a pipeline can have for itself. */
static void check_sharing(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	const struct heritage_option *path = is_kind(stage, WEIR_SINK, "file") ? plan_option(planned, "path") : NULL;

	for (uint32_t i = 0; i < index; i++) {
		const struct stage_reading *other = &reading->stages[i];
		const struct plan_stage *other_planned = &reading->plan->stages[i];
		const struct heritage_option *other_path;

		if (is_kind(stage, WEIR_SOURCE, "stdin") && is_kind(other, WEIR_SOURCE, "stdin")) {
			reading_error(reading, stage->kind_node->position, NULL,
				      "stage '%s' reads standard input already: it can be read once",
				      other_planned->name ? other_planned->name : "?");
			return;
		}
		other_path = path && is_kind(other, WEIR_SINK, "file") ? plan_option(other_planned, "path") : NULL;
		if (other_path && strcmp(path->string, other_path->string) == 0) {
			reading_error(reading, option_position(planned, "path"), NULL, "stage '%s' writes '%s' already",
				      other_planned->name ? other_planned->name : "?", path->string);
			return;
		}
	}
}

void reading_rules(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		const struct stage_reading *stage = &reading->stages[i];
		const struct plan_stage *planned = &reading->plan->stages[i];

		if (!stage->descriptor)
			continue;
		check_workers(reading, stage, planned);
		check_order(reading, stage, planned);
		reading_admission_rules(reading, i);
		reading_deadline_rules(reading, i);
		reading_state_rules(reading, i);
		reading_mark_rules(reading, i);
		reading_credential_rules(reading, i);
		reading_file_rules(reading, i);
		reading_socket_rules(reading, i);
		reading_table_rules(reading, i);
		reading_privilege_rules(reading, i);
		check_sharing(reading, i);
		if (is_kind(stage, WEIR_SOURCE, "stdin") && strcmp(reading->plan->spec_path, "-") == 0)
			reading_warning(
				reading, stage->kind_node->position, "keep the spec in a file: weir run SPEC < DATA",
				"the spec itself comes from standard input: this source will find nothing there");
		if (is_kind(stage, WEIR_OPERATOR, "throttle"))
			check_one_of(reading, stage, "rate", "every");
		if (is_kind(stage, WEIR_OPERATOR, "sample"))
			check_sample(reading, stage);
		if (is_kind(stage, WEIR_OPERATOR, "batch"))
			check_batch(reading, stage);
		if (planned->names_outputs)
			check_default_name(reading, planned);
		if (is_kind(stage, WEIR_OPERATOR, "merge"))
			check_merge(reading, stage);
		if (is_kind(stage, WEIR_OPERATOR, "lua"))
			check_one_of(reading, stage, "script", "file");
		if (is_exec(stage)) {
			reading_exec_rules(reading, i);
		} else if (is_kind(stage, WEIR_SOURCE, "file")) {
			check_source_paths(reading, stage, planned);
		} else if (is_kind(stage, WEIR_SINK, "file")) {
			check_sink_path(reading, planned);
		}
	}
	reading_record_rules(reading);
	for (uint32_t i = 0; i < reading->n_stages; i++)
		if (reading->stages[i].descriptor)
			reading_ask_stage(reading, i);
}
