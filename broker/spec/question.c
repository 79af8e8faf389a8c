/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stage says of its own options: whether an expression compiles, for one. Only the code that will run it knows, and that is never
 * loaded here: weir-worker is asked in a child (asking.c), with the options as a worker would inherit them.
 *
 *      options --memfd--> weir-worker --check --lines--> OPTION \t LINE \t REASON     LINE: within the option's text; 0: all of it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "broker/spec/asking.h"
#include "broker/spec/memory.h"
#include "broker/spec/reading.h"
#include "common/base/cleanup.h"

static const char *line_of(const char *source, uint32_t line)
{
	for (uint32_t i = 1; source && i < line; i++) {
		source = strchr(source, '\n');
		source += source != NULL;
	}
	return source;
}

/* Of a block (`|`) the place is where its first line begins, with the indent before it; no other text begins with a blank. */
static struct spec_position position_within(const struct reading *reading, const struct heritage_option *option,
					    uint32_t line)
{
	const char *first = line_of(reading->diagnostics->source, option->line), *at;
	struct spec_position position = { option->line, option->column };

	if (!line || !option->line || option->column != 1 || !first || *first != ' ')
		return position;
	position.line += line - 1;
	for (at = line_of(first, line); at && *at == ' '; at++)
		position.column++;
	return position;
}

/* "routes.errors": of one pair of an option that is a map. Returns false: there is no such thing. */
static bool place_in_map(const struct stage_reading *stage, const char *name, struct spec_position *ret)
{
	_cleanup_(free) char *option = spec_strdup(name);
	char *dot = strchr(option, '.');
	const struct yaml_pair *pair;

	if (!dot)
		return false;
	*dot = '\0';
	pair = yaml_find(stage->map, option);
	pair = pair && pair->value->kind == YAML_MAP ? yaml_find(pair->value, dot + 1) : NULL;
	if (pair)
		*ret = pair->value->position;
	return pair;
}

/* Takes one line of the answer. Returns false: it makes no sense. */
static bool take_complaint(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned,
			   char *line)
{
	char *number = strchr(line, '\t'), *reason = number ? strchr(number + 1, '\t') : NULL;
	const struct heritage_option *option;
	struct spec_position position;

	if (!reason)
		return false;
	*number++ = '\0';
	*reason++ = '\0';
	option = plan_option(planned, line);
	position =
		option ? position_within(reading, option, (uint32_t)strtoul(number, NULL, 10)) : planned->kind_position;
	(void)place_in_map(stage, line, &position);
	if (!position.line && !position.column) /* a default */
		position = stage->kind_node->position;
	reading_error(reading, position, NULL, "%s: %s", line, reason);
	return true;
}

static bool take_answer(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned,
			const struct answer *answer)
{
	_cleanup_(free) char *lines = spec_strdup(text_get(&answer->output));
	bool sensible = !answer->given_up && WIFEXITED(answer->status) && WEXITSTATUS(answer->status) == 0;
	char *rest = lines;

	while (sensible && *rest) {
		char *line = rest;

		rest += strcspn(rest, "\n");
		if (*rest)
			*rest++ = '\0';
		sensible = take_complaint(reading, stage, planned, line);
	}
	return sensible;
}

static void explain(struct reading *reading, const struct stage_reading *stage, const struct answer *answer)
{
	const char *said = text_get(&answer->complaint), *kind = stage->descriptor->name;
	int length = (int)strcspn(said, "\n");

	if (answer->given_up)
		reading_error(reading, stage->kind_node->position, NULL, "%s, asked about its options, %s", kind,
			      answer->given_up);
	else if (WIFSIGNALED(answer->status))
		reading_error(reading, stage->kind_node->position, NULL,
			      "%s crashed when it was asked about its options (%s)", kind,
			      strsignal(WTERMSIG(answer->status)));
	else
		reading_error(reading, stage->kind_node->position, NULL, "%s can't be asked about its options: %.*s",
			      kind, length ? length : 30, length ? said : "weir-worker does not say why");
}

static int write_question(const struct plan_stage *planned, int *ret_fd)
{
	const struct heritage_question question = { .kind = planned->kind,
						    .plugin = planned->plugin,
						    .role = planned->role,
						    .options = planned->options,
						    .n_options = planned->n_options };

	return heritage_question_write(&question, ret_fd);
}

void reading_ask_stage(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];
	_cleanup_(answer_deinit) struct answer answer = ANSWER_NULL;
	_cleanup_(free) char *worker = NULL;
	_cleanup_(close) int question = -1;
	char *argv[] = { (char *)"weir-worker", (char *)"--check", NULL };
	int r;

	if (!(stage->descriptor->flags & WEIR_STAGE_CHECKS) || stage->options_wrong)
		return;
	r = write_question(planned, &question);
	worker = asking_worker_path();
	if (r == 0)
		r = asking(worker, argv, question, &answer);
	if (r < 0)
		reading_error(reading, stage->kind_node->position, NULL,
			      "%s can't be asked about its options: %s: %s (WEIR_WORKER names another weir-worker)",
			      stage->descriptor->name, worker, strerror(-r));
	else if (!take_answer(reading, stage, planned, &answer))
		explain(reading, stage, &answer);
}
