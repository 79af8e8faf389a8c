/* SPDX-License-Identifier: Apache-2.0 */
/* What exec stages want: a program that is there, options that go with their mode, and surroundings that can be had. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/spec/program.h"
#include "broker/spec/reading.h"
#include "common/base/quantity.h"
#include "common/stage/exec_surroundings.h"

bool plan_is_frame(const struct plan_stage *stage)
{
	const struct heritage_option *mode = plan_option(stage, "mode");

	return !stage->plugin && stage->kind && strcmp(stage->kind, "exec") == 0 && mode && mode->string &&
	       strcmp(mode->string, "frame") == 0;
}

static struct spec_position position_of(const struct plan_stage *stage, const struct heritage_option *option)
{
	return option && (option->line || option->column) ? (struct spec_position){ option->line, option->column } :
							    stage->kind_position;
}

/* ---- modes ---- */

static void check_block(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *block = plan_option(planned, "block");
	int64_t bytes;

	if (!block || strcmp(block->string, "all") == 0 || plan_is_frame(planned))
		return;
	if (quantity_size(block->string, &bytes) != 0 || bytes <= 0)
		reading_error(reading, position_of(planned, block), NULL,
			      "block '%s' is wrong: expected a size such as 1MiB, or all", block->string);
	else if ((uint64_t)bytes > planned->spool_bytes)
		reading_error(reading, position_of(planned, block), NULL,
			      "block '%s' is larger than the spool that holds it: set spool too", block->string);
}

/* Which option means something in which modes; those that are not here do in all. */
static const struct {
	const char *option, *modes;
} of_modes[] = {
	{ "block", "block" },
	{ "block_wait", "block" },
	{ "join", "block" },
	{ "split", "block line output" },
	{ "resume", "output" },
	{ "keep_position", "frame" },
	{ "answer_within", "line frame" },
	{ "ready_within", "frame" },
	{ "items", "frame" },
	{ "baggage", "frame" },
};

static void check_modes(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *mode = plan_option(planned, "mode");

	for (size_t i = 0; mode && i < sizeof(of_modes) / sizeof(of_modes[0]); i++) {
		const struct heritage_option *option = plan_option(planned, of_modes[i].option);

		if (option && option->line && !strstr(of_modes[i].modes, mode->string))
			reading_warning(reading, ((struct spec_position){ option->line, option->column }), NULL,
					"%s has no effect in %s mode", option->name, mode->string);
	}
}

static void check_baggage(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *baggage = plan_option(planned, "baggage");

	for (uint32_t i = 1; baggage && i < baggage->n_list; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(baggage->list[i], baggage->list[j]) == 0) {
				reading_error(reading, position_of(planned, baggage), NULL, "baggage names '%s' twice",
					      baggage->list[i]);
				return;
			}
}

/* ---- the program and what it finds ---- */

static void check_program(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	const struct heritage_option *command = plan_option(planned, "command");
	const struct yaml_pair *pair = yaml_find(stage->map, stage->values[STAGE_KEY_EXEC].key ? "exec" : "command");
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	/* A string is the shell's business; only a list names a program here. */
	if (!command || !pair || pair->value->kind != YAML_LIST)
		return;
	if (program_check(command->list[0], &why) != 0)
		reading_error(reading, pair->value->items[0]->position, NULL, "%s", text_get(&why));
}

static void check_lists(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *limits = plan_option(planned, "limits"), *env = plan_option(planned, "env");
	struct exec_limit limit;

	for (uint32_t i = 0; limits && i < limits->n_list; i++) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;

		if (exec_limit_parse(limits->list[i], &limit, &why) != 0)
			reading_error(reading, position_of(planned, limits), NULL, "%s", text_get(&why));
	}
	if (limits && limits->n_list > EXEC_LIMITS_MAX)
		reading_error(reading, position_of(planned, limits), NULL, "limits: more than %u of them",
			      EXEC_LIMITS_MAX);
	for (uint32_t i = 0; env && i < env->n_list; i++) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;

		if (exec_environment_check(env->list[i], &why) != 0)
			reading_error(reading, position_of(planned, env), NULL, "%s", text_get(&why));
		else if (!strchr(env->list[i], '=') && !getenv(env->list[i]))
			reading_warning(reading, position_of(planned, env), NULL,
					"env: weir itself has no variable '%s' now, so the program gets none",
					env->list[i]);
	}
}

static void check_surroundings(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *cwd = plan_option(planned, "cwd"), *user = plan_option(planned, "user");
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct exec_user found;
	struct stat status;

	if (cwd && stat(cwd->string, &status) != 0)
		reading_error(reading, position_of(planned, cwd), NULL, "cwd '%s': %s", cwd->string, strerror(errno));
	else if (cwd && !S_ISDIR(status.st_mode))
		reading_error(reading, position_of(planned, cwd), NULL, "cwd '%s' is no folder", cwd->string);
	if (user && exec_user_find(user->string, &found, &why) != 0)
		reading_error(reading, position_of(planned, user), NULL, "%s", text_get(&why));
	check_lists(reading, planned);
}

/* A frame is one item: it has no line end at which it could be cut. */
static void check_source(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *too_long = plan_option(planned, "too_long");

	if (planned->role == WEIR_SOURCE && plan_is_frame(planned) && too_long && too_long->line &&
	    strcmp(too_long->string, "cut") == 0)
		reading_error(
			reading, position_of(planned, too_long), NULL,
			"too_long: cut is for lines; what a program sends in frame mode is taken whole, or not: reject or fail");
}

void reading_exec_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];

	check_block(reading, planned);
	check_modes(reading, planned);
	check_baggage(reading, planned);
	check_source(reading, planned);
	check_program(reading, stage, planned);
	check_surroundings(reading, planned);
}
