/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir reload: wants another spec for a pipeline that runs, and follows what becomes of it until that is over. A wish that
 * was superseded is followed by the newer one: everybody who asks is told what runs in the end.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/cli/command.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/reloading.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define PAUSE_MIN_NS (5 * NS_PER_MS)
#define PAUSE_MAX_NS (100 * NS_PER_MS)

struct wanted {
	const char *name;
	const char *spec; /* NULL: the one that runs */
	struct reload_terms terms;
	bool diff, wait, json;
};

/* What the pipeline says of the wish. */
struct state {
	uint64_t ticket, by, generation;
	bool over, switched;
	char *outcome, *spec, *text; /* owned */
};

static void state_deinit_cleanup(struct state *state)
{
	free(state->outcome);
	free(state->spec);
	free(state->text);
}

static bool read_term(const char *value, uint64_t min_ns, uint64_t *ret_ns)
{
	int64_t ns;

	if (quantity_duration(value, &ns) != 0 || ns < (int64_t)min_ns || ns > (int64_t)RELOAD_TERM_MAX_NS)
		return false;
	*ret_ns = (uint64_t)ns;
	return true;
}

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(struct wanted *wanted, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id;

	while ((id = command_next(&parser)) > 0) {
		switch (id) {
		case OPTION_DIFF:
			wanted->diff = true;
			break;
		case OPTION_NO_WAIT:
			wanted->wait = false;
			break;
		case OPTION_JSON:
			wanted->json = true;
			break;
		case OPTION_PROBATION:
			if (!read_term(parser.value, 0, &wanted->terms.probation_ns))
				return command_usage_error(
					parser.command,
					"--probation takes a duration such as 3s, an hour at most, not '%s'",
					parser.value);
			break;
		case OPTION_OPENING:
			if (!read_term(parser.value, 1, &wanted->terms.opening_ns))
				return command_usage_error(
					parser.command,
					"--opening takes a duration such as 30s, an hour at most, not '%s'",
					parser.value);
			break;
		default:
			unreachable_because("the table of verbs has no such option for reload");
		}
	}
	if (id < 0)
		return command_exit(id);
	wanted->name = argv[parser.first];
	wanted->spec = parser.first + 1 < argc ? argv[parser.first + 1] : NULL;
	if (!pipeline_name_valid(wanted->name))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", wanted->name);
	return -1;
}

/* The pipeline may have another working folder. */
static int format_wish(const struct wanted *wanted, struct text *argument)
{
	_cleanup_(free) char *path = wanted->spec ? realpath(wanted->spec, NULL) : NULL;

	if (wanted->spec && !path) {
		fprintf(stderr, "weir: %s can not be opened: %m\n", wanted->spec);
		return EXIT_SPEC_INVALID;
	}
	text_printf(argument, "%s %" PRIu64 ",%" PRIu64, wanted->diff ? "diff" : "run", wanted->terms.probation_ns,
		    wanted->terms.opening_ns);
	if (path)
		text_printf(argument, " %s", path);
	return 0;
}

static void read_state(const char *body, struct state *state)
{
	struct fy_document *document = json_parse(body);
	struct fy_node *root = document ? fy_document_root(document) : NULL;
	const char *word = json_string(root, "state");

	state->ticket = strtoull(json_string(root, "ticket"), NULL, 10);
	state->by = strtoull(json_string(root, "by"), NULL, 10);
	state->generation = strtoull(json_string(root, "generation"), NULL, 10);
	state->over = strcmp(word, "over") == 0;
	state->switched = strcmp(word, "probation") == 0;
	state->outcome = strdup(json_string(root, "outcome"));
	state->spec = strdup(json_string(root, "spec"));
	state->text = strdup(json_string(root, "text"));
	must(state->outcome && state->spec && state->text);
	fy_document_destroy(document);
}

static int ask_state(const struct wanted *wanted, uint64_t ticket, struct state *ret_state)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	char argument[32];
	int r;

	snprintf(argument, sizeof(argument), "%" PRIu64, ticket);
	r = pipeline_ask(wanted->name, "reload-state", argument, 0, &body);
	if (r == 0)
		read_state(text_get(&body), ret_state);
	return r;
}

/* Until it is over, or, if that is enough, switched. */
static int follow(const struct wanted *wanted, uint64_t ticket, struct state *ret_state)
{
	uint64_t pause_ns = PAUSE_MIN_NS;

	for (;;) {
		_cleanup_(state_deinit) struct state state = { 0 };
		const struct timespec pause = { .tv_sec = 0, .tv_nsec = (long)pause_ns };
		int r = ask_state(wanted, ticket, &state);

		if (r)
			return r;
		if (state.over && state.by) {
			ticket = state.by;
			continue;
		}
		if (state.over || (state.switched && !wanted->wait)) {
			*ret_state = state;
			state = (struct state){ 0 };
			return 0;
		}
		nanosleep(&pause, NULL);
		pause_ns = pause_ns * 2 < PAUSE_MAX_NS ? pause_ns * 2 : PAUSE_MAX_NS;
	}
}

static int exit_code_of(const struct state *state)
{
	static const struct {
		const char *outcome;
		int code;
	} codes[] = {
		{ "done", EXIT_DONE },
		{ "unchanged", EXIT_DONE },
		{ "difference", EXIT_DONE },
		{ "cut-short", EXIT_DONE },
		{ "invalid", EXIT_SPEC_INVALID },
		{ "difference-refused", EXIT_SPEC_INVALID },
		{ "rolled-back", EXIT_STILL_THERE },
		{ "late", EXIT_STILL_THERE },
		{ "not-begun", EXIT_STILL_THERE },
		{ "refused", EXIT_SPEC_INVALID },
	};

	if (!state->over) /* switched */
		return EXIT_DONE;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(state->outcome, codes[i].outcome) == 0)
			return codes[i].code;
	return EXIT_TRY_AGAIN;
}

static void report_json(const struct wanted *wanted, const struct state *state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	text_printf(&text, "{\"pipeline\":\"%s\",\"outcome\":\"%s\",\"generation\":%" PRIu64 ",\"spec\":", wanted->name,
		    state->over ? state->outcome : "switched", state->generation);
	text_add_json(&text, state->spec, strlen(state->spec));
	text_add(&text, ",\"text\":");
	text_add_json(&text, state->text, strlen(state->text));
	printf("%s}\n", text_get(&text));
}

static int report(const struct wanted *wanted, const struct state *state)
{
	int code = exit_code_of(state);

	if (wanted->json)
		report_json(wanted, state);
	else if (!state->over)
		printf("%s: switched; the new workers are being watched\n", wanted->name);
	else if (wanted->diff && code != EXIT_SPEC_INVALID)
		printf("%s", *state->text ? state->text : "nothing has changed\n");
	else if (wanted->diff)
		fputs(state->text, strcmp(state->outcome, "invalid") == 0 ? stderr : stdout);
	else if (code == EXIT_DONE)
		printf("%s: %s", wanted->name, state->text);
	else if (code == EXIT_SPEC_INVALID)
		fprintf(stderr, "%sweir: pipeline '%s' goes on with generation %" PRIu64 " of its spec, %s\n",
			state->text, wanted->name, state->generation, state->spec);
	else
		fprintf(stderr,
			"weir: reload of pipeline '%s': %s: %sit goes on with generation %" PRIu64 " of its spec, %s\n",
			wanted->name, state->outcome, state->text, state->generation, state->spec);
	return code;
}

int reload_command(int argc, char **argv)
{
	struct wanted wanted = { .terms = { .probation_ns = RELOAD_PROBATION_NS, .opening_ns = RELOAD_OPENING_NS },
				 .wait = true };
	_cleanup_(text_deinit) struct text argument = TEXT_NULL, body = TEXT_NULL;
	_cleanup_(state_deinit) struct state begun = { 0 }, state = { 0 };
	int r = parse_arguments(&wanted, argc, argv);

	if (r >= 0)
		return r;
	r = format_wish(&wanted, &argument);
	if (r == 0)
		r = pipeline_ask(wanted.name, "reload", text_get(&argument), 0, &body);
	if (r)
		return r;
	read_state(text_get(&body), &begun);
	r = follow(&wanted, begun.ticket, &state);
	return r ? r : report(&wanted, &state);
}
