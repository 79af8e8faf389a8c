/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir dlq: reads the store by itself and asks no supervisor, so it works whether the pipeline runs or not. Reading takes a snapshot and
 * stops no worker; purging waits for its turn to write as a worker does, and says for whom. Only replay needs the pipeline: dlq_replay.c.
 *
 * What a verb works on is selected first, as ids, then each letter is looked at by its id: nobody can be shown, or lose, a letter
 * that he did not select, whatever workers write meanwhile.
 */
#include "broker/cli/dlq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/terminal.h"
#include "broker/cli/verbs.h"
#include "broker/control/state_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/store/letter_store.h"

enum { EXIT_NO_LETTER = 3 };
enum { VISIT_E_WRITE = 100 }; /* standard output is gone */

struct dlq {
	const char *verb, *name, *stage;
	bool by_cause, all, again, raw, json, detached;
	uint64_t timeout_ns, deadline_ns;
	enum dead_letter_cause cause;
	uint64_t *ids; /* asked for; then: selected */
	size_t n_ids;
	char *path;
	struct letter_store *store;
	struct dlq_row *rows; /* ls */
	size_t n_rows;
	bool any; /* something has been written */
};

/* ---- arguments ---- */

static int parse_id(const char *word, uint64_t *ret_id)
{
	char *end;

	errno = 0;
	*ret_id = strtoull(word, &end, 10);
	return *word >= '0' && *word <= '9' && !*end && !errno && *ret_id ? 0 : -1;
}

static int parse_timeout(struct dlq *dlq, const struct command_parser *parser)
{
	int64_t ns;

	if (quantity_duration(parser->value, &ns) != 0 || ns <= 0)
		return command_usage_error(parser->command, "--timeout takes a duration such as 10s or 500ms, not '%s'",
					   parser->value);
	dlq->timeout_ns = (uint64_t)ns;
	return 0;
}

static int parse_option(struct dlq *dlq, const struct command_parser *parser, int id)
{
	switch (id) {
	case OPTION_STAGE:
		dlq->stage = parser->value;
		return 0;
	case OPTION_CAUSE:
		dlq->by_cause = true;
		if (dead_letter_cause_from_name(parser->value, &dlq->cause))
			return 0;
		return command_usage_error(parser->command, "--cause is attempts, deadline or rejected, not '%s'",
					   parser->value);
	case OPTION_ALL:
		dlq->all = true;
		return 0;
	case OPTION_AGAIN:
		dlq->again = true;
		return 0;
	case OPTION_RAW:
		dlq->raw = true;
		return 0;
	case OPTION_NO_WAIT:
		dlq->detached = true;
		return 0;
	case OPTION_TIMEOUT:
		return parse_timeout(dlq, parser);
	default:
		must(id == OPTION_JSON);
		dlq->json = true;
		return 0;
	}
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static int check_words(const struct dlq *dlq, const struct command *command)
{
	static const char *const verbs[] = { "ls", "show", "export", "replay", "purge", NULL };
	bool replays = strcmp(dlq->verb, "replay") == 0, wants = replays || strcmp(dlq->verb, "purge") == 0;
	bool filters = dlq->stage || dlq->by_cause;

	if (!is_one_of(dlq->verb, verbs))
		return command_usage_error(command, "dlq does ls, show, export, replay or purge, not '%s'", dlq->verb);
	if (!pipeline_name_valid(dlq->name))
		return command_usage_error(command, "'%s' is not a pipeline's name", dlq->name);
	if (dlq->raw && strcmp(dlq->verb, "export") != 0)
		return command_usage_error(command, "--raw belongs to export");
	if (dlq->all && !wants)
		return command_usage_error(
			command, "--all belongs to replay and purge; the others take all letters by themselves");
	if ((dlq->detached || dlq->timeout_ns || dlq->again) && !replays)
		return command_usage_error(command, "--no-wait, --timeout and --again belong to replay");
	if (strcmp(dlq->verb, "show") == 0 && (dlq->n_ids != 1 || filters))
		return command_usage_error(command, "show takes one ID; 'weir dlq ls %s' lists them", dlq->name);
	if (dlq->n_ids && (filters || dlq->all))
		return command_usage_error(command, "IDs stand alone: no --stage, --cause or --all beside them");
	if (filters && dlq->all)
		return command_usage_error(command, "--all is every letter: no --stage or --cause beside it");
	if (wants && !dlq->n_ids && !filters && !dlq->all)
		return command_usage_error(command, "%s wants to be told what: IDs, --stage, --cause or --all",
					   dlq->verb);
	return -1;
}

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(struct dlq *dlq, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id, r;

	while ((id = command_next(&parser)) > 0) {
		r = parse_option(dlq, &parser, id);
		if (r)
			return r;
	}
	if (id < 0)
		return command_exit(id);
	dlq->verb = argv[parser.first];
	dlq->name = argv[parser.first + 1];
	dlq->ids = calloc((size_t)argc, sizeof(*dlq->ids));
	must(dlq->ids);
	for (int i = parser.first + 2; i < argc; i++)
		if (parse_id(argv[i], &dlq->ids[dlq->n_ids++]))
			return command_usage_error(parser.command,
						   "'%s' is no letter's ID; 'weir dlq ls %s' lists them", argv[i],
						   dlq->name);
	return check_words(dlq, parser.command);
}

/* ---- what is selected ---- */

static bool is_selected(const struct dlq *dlq, const struct dead_letter *letter)
{
	for (size_t i = 0; i < dlq->n_ids; i++)
		if (dlq->ids[i] == letter->id)
			return true;
	return !dlq->n_ids && (!dlq->stage || strcmp(dlq->stage, letter->stage) == 0) &&
	       (!dlq->by_cause || dlq->cause == letter->cause);
}

static char *copy_of(const char *string)
{
	char *copy = strdup(string);

	must(copy);
	return copy;
}

static int select_letter(void *data, const struct dead_letter *letter)
{
	struct dlq *dlq = data;

	if (!is_selected(dlq, letter))
		return 0;
	dlq->rows = reallocarray(dlq->rows, dlq->n_rows + 1, sizeof(*dlq->rows));
	must(dlq->rows);
	dlq->rows[dlq->n_rows++] = (struct dlq_row){
		.id = letter->id,
		.time_ns = letter->time_ns,
		.sequence = letter->sequence,
		.attempts = letter->attempts,
		.worker_index = letter->worker_index,
		.part = letter->part,
		.size_bytes = letter->size_bytes,
		.cause = letter->cause,
		.stage = copy_of(letter->stage),
		.input = copy_of(letter->input),
		.reason = copy_of(letter->reason),
	};
	return 0;
}

static int fail(const struct dlq *dlq, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	letter_store_explain(dlq->path, r, &why);
	if (r == LETTER_STORE_E_HELD)
		text_add(&why, "; the time is over, and nothing was given again");
	fprintf(stderr, "weir: %s\n", text_get(&why));
	return EXIT_TRY_AGAIN;
}

/* Whoever looks at a command that does nothing shall know why. */
static void say_holder(const struct letter_holder *holder)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;

	letter_holder_name(holder, &name);
	fprintf(stderr, "weir: %s has the turn to write into the dead letters; this waits for it\n", text_get(&name));
}

/* Every id that was asked for must be there: otherwise nothing is done. Returns 0 or the exit code. */
static int check_ids(const struct dlq *dlq)
{
	for (size_t i = 0; i < dlq->n_ids; i++) {
		size_t j = 0;

		while (j < dlq->n_rows && dlq->rows[j].id != dlq->ids[i])
			j++;
		if (j < dlq->n_rows)
			continue;
		fprintf(stderr, "weir: pipeline '%s' has no dead letter %" PRIu64 "; 'weir dlq ls %s' lists them\n",
			dlq->name, dlq->ids[i], dlq->name);
		return EXIT_NO_LETTER;
	}
	return 0;
}

/* ---- verbs ---- */

static int list_text(struct dlq *dlq)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct terminal terminal;

	if (!dlq->n_rows) {
		printf("no dead letters\n");
		return EXIT_DONE;
	}
	terminal_detect(STDOUT_FILENO, &terminal);
	dlq_format_rows(dlq->rows, dlq->n_rows, isatty(STDOUT_FILENO) ? terminal.columns : 0, terminal.color, &text);
	fputs(text_get(&text), stdout);
	return EXIT_DONE;
}

static int write_text(const struct text *text)
{
	return fwrite(text_get(text), 1, text->length, stdout) == text->length ? 0 : VISIT_E_WRITE;
}

/* An element of the array that ls --json writes. */
static int write_element(void *data, const struct dead_letter *letter)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct dlq *dlq = data;

	text_add(&text, dlq->any ? ",\n" : "");
	dead_letter_format_json(letter, LETTER_WITHOUT_PAYLOAD, &text);
	dlq->any = true;
	return write_text(&text);
}

static int write_shown(void *data, const struct dead_letter *letter)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)data;
	dlq_format_letter(letter, &text);
	return write_text(&text);
}

static int write_line(void *data, const struct dead_letter *letter)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)data;
	dead_letter_format_json(letter, LETTER_WITH_PAYLOAD, &text);
	text_add_char(&text, '\n');
	return write_text(&text);
}

static int write_payload(void *data, const struct dead_letter *letter)
{
	const struct dlq *dlq = data;

	if (fwrite(letter->data, 1, letter->size_bytes, stdout) != letter->size_bytes)
		return VISIT_E_WRITE;
	return dlq->n_rows > 1 && putchar('\n') == EOF ? VISIT_E_WRITE : 0;
}

/* One that was purged meanwhile is left out. */
static int write_each(struct dlq *dlq, letter_visit *visit)
{
	int r = 0;

	for (size_t i = 0; i < dlq->n_rows && r == 0; i++) {
		r = letter_store_get(dlq->store, dlq->rows[i].id, visit, dlq);
		if (r == LETTER_STORE_E_NONE)
			r = 0;
	}
	if (r == 0 && fflush(stdout))
		r = VISIT_E_WRITE;
	if (r == 0)
		return EXIT_DONE;
	if (r != VISIT_E_WRITE)
		return fail(dlq, r);
	fprintf(stderr, "weir: can not write to standard output: %s\n", strerror(errno));
	return EXIT_TRY_AGAIN;
}

static int list_json(struct dlq *dlq)
{
	int r;

	putchar('[');
	r = write_each(dlq, write_element);
	printf("]\n");
	return r;
}

static int purge(struct dlq *dlq)
{
	_cleanup_(free) uint64_t *ids = calloc(dlq->n_rows + 1, sizeof(*ids));
	size_t removed = 0;
	int r;

	must(ids);
	for (size_t i = 0; i < dlq->n_rows; i++)
		ids[i] = dlq->rows[i].id;
	r = dlq->n_rows ? letter_store_remove(dlq->store, ids, dlq->n_rows, &removed) : 0;
	if (r)
		return fail(dlq, r);
	if (dlq->json)
		printf("{\"purged\":%zu}\n", removed);
	else
		printf("%s: %zu letter%s purged\n", dlq->name, removed, removed == 1 ? "" : "s");
	return EXIT_DONE;
}

static int replay(const struct dlq *dlq)
{
	return dlq_replay(&(struct dlq_replay){
		.name = dlq->name,
		.path = dlq->path,
		.store = dlq->store,
		.rows = dlq->rows,
		.n_rows = dlq->n_rows,
		.by_id = dlq->n_ids,
		.again = dlq->again,
		.waits = !dlq->detached,
		.json = dlq->json,
		.deadline_ns = dlq->deadline_ns,
	});
}

static int act(struct dlq *dlq)
{
	if (strcmp(dlq->verb, "ls") == 0)
		return dlq->json ? list_json(dlq) : list_text(dlq);
	if (strcmp(dlq->verb, "show") == 0)
		return write_each(dlq, dlq->json ? write_line : write_shown);
	if (strcmp(dlq->verb, "export") == 0)
		return write_each(dlq, dlq->raw ? write_payload : write_line);
	return strcmp(dlq->verb, "replay") == 0 ? replay(dlq) : purge(dlq);
}

static int open_and_act(struct dlq *dlq)
{
	bool writes = strcmp(dlq->verb, "purge") == 0 || strcmp(dlq->verb, "replay") == 0;
	int r, damaged;

	dlq->deadline_ns = dlq->timeout_ns ? clock_now_ns() + dlq->timeout_ns : 0;
	letter_store_bound(dlq->deadline_ns, say_holder);
	dlq->path = state_dir_dead_letters(dlq->name);
	r = letter_store_open(dlq->path, writes ? LETTER_STORE_TEND : LETTER_STORE_READ, 0, &dlq->store);
	if (r && r != LETTER_STORE_E_NONE)
		return fail(dlq, r);
	r = dlq->store ? letter_store_each(dlq->store, select_letter, dlq) : 0;
	damaged = r == LETTER_STORE_E_DAMAGED ? fail(dlq, r) : 0; /* said; what can be read is served */
	if (r && !damaged)
		return fail(dlq, r);
	r = check_ids(dlq);
	if (r)
		return r;
	r = act(dlq);
	return r ? r : damaged;
}

int dlq_command(int argc, char **argv)
{
	struct dlq dlq = { 0 };
	int r = parse_arguments(&dlq, argc, argv);

	if (r < 0)
		r = open_and_act(&dlq);
	for (size_t i = 0; i < dlq.n_rows; i++) {
		free(dlq.rows[i].stage);
		free(dlq.rows[i].input);
		free(dlq.rows[i].reason);
	}
	letter_store_close(dlq.store);
	free(dlq.rows);
	free(dlq.ids);
	free(dlq.path);
	return r;
}
