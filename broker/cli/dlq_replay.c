/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir dlq replay. The store holds what is to be done, and the running pipeline does it; this only brings the two together:
 *
 *      ask the pipeline, per stage: which run, which slots, which neighbours       (nothing changes)
 *      mark the letters in the store, all at once                                  killed from here on: ask again, nothing is done twice
 *      tell the workers
 *      look at the store until the marks are gone                                  one that is gone was taken; one that is there, came back
 *      meanwhile, each second, ask again which slots are over                      their marks nobody reads: to a sibling, or not given
 *
 * A letter goes to the worker of the index that gave it up: with balance: key, to the one that has its key, as long as the stage has as
 * many workers as then. Where that worker is no more, and where there are fewer now, another one takes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/cli/dlq.h"
#include "broker/cli/dlq_replay_priv.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/store/letter_replay.h"

enum { EXIT_CAME_BACK = 1, LOOK_MS = 50 };
#define ASK_AGAIN_NS NS_PER_S

/* ---- asking ---- */

uint64_t dlq_number_of(struct fy_node *map, const char *key)
{
	return strtoull(json_string(map, key), NULL, 10);
}

/* The nth word of a list; NULL: there are fewer. */
static const char *word_of(struct fy_node *map, const char *key, int nth)
{
	struct fy_node *list = json_get(map, key);
	struct fy_node *node = list && fy_node_is_sequence(list) ? fy_node_sequence_get_by_index(list, nth) : NULL;

	return node ? fy_node_get_scalar0(node) : NULL;
}

/* Takes over body; what it said before is forgotten. */
static void hear(struct target *target, struct text *body)
{
	fy_document_destroy(target->answer);
	text_deinit(&target->body);
	target->body = *body;
	*body = (struct text)TEXT_NULL;
	target->answer = json_parse(text_get(&target->body));
	target->root = target->answer ? fy_document_root(target->answer) : NULL;
}

/* Returns 0 and the target, or the exit code after a line on stderr. */
static int ask(struct replaying *replaying, const char *stage, const struct target **ret_target)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct target *target;
	int r;

	for (size_t i = 0; i < replaying->n_targets; i++)
		if (strcmp(replaying->targets[i].stage, stage) == 0) {
			*ret_target = &replaying->targets[i];
			return 0;
		}
	r = pipeline_ask(replaying->request->name, "replay", stage, 0, &body);
	if (r != 0) {
		if (r == EXIT_NOT_RUNNING)
			fprintf(stderr,
				"weir: letters are given to a pipeline that runs: start it (weir run SPEC), then replay\n");
		else
			fprintf(stderr, "weir: this was about dead letters of stage '%s'; nothing was given again\n",
				stage);
		return r == EXIT_USAGE ? EXIT_TRY_AGAIN : r; /* it is the letter that names a stage of another time */
	}
	target = &replaying->targets[replaying->n_targets++];
	*target = (struct target){ .stage = strdup(stage), .body = TEXT_NULL };
	must(target->stage);
	hear(target, &body);
	if (replaying->supervisor_fd < 0)
		replaying->supervisor_fd = (int)syscall(SYS_pidfd_open, (pid_t)dlq_number_of(target->root, "pid"), 0);
	replaying->run = dlq_number_of(target->root, "run");
	*ret_target = target;
	return 0;
}

static bool reads_from(const struct target *target, const char *stage)
{
	const char *word;

	for (int i = 0; (word = word_of(target->root, "inputs", i)); i++)
		if (strcmp(word, stage) == 0)
			return true;
	return false;
}

void dlq_leave_out(struct replaying *replaying, uint64_t id, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "weir: dead letter %" PRIu64 " can not be given again: ", id);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	replaying->n_left_out++;
}

/* What a full lane has refused goes to the reader of that lane. Returns 0, with NULL if it is left out, or the exit code. */
static int find_target(struct replaying *replaying, const struct dlq_row *row, const struct target **ret_target)
{
	const char *from = row->input, *stage = row->stage;
	int r = 0;

	*ret_target = NULL;
	if (row->part >> 62 == DEAD_LETTER_AT_SOURCE) {
		dlq_leave_out(replaying, row->id,
			      "the source '%s' itself has refused it; mend what it reads, or export the letter",
			      row->stage);
		return 0;
	}
	if (row->part >> 62 == DEAD_LETTER_AT_FULL_LANE && !*from) {
		const struct target *producer;

		r = ask(replaying, stage, &producer);
		if (r != 0)
			return r;
		from = row->stage;
		stage = word_of(producer->root, "outputs", (int)(row->part >> 40 & 0x3fffff));
	}
	if (stage)
		r = ask(replaying, stage, ret_target);
	if (r == 0 && (!stage || !reads_from(*ret_target, from))) {
		*ret_target = NULL;
		dlq_leave_out(replaying, row->id,
			      "its way is not in the pipeline that runs now: '%s' does not read '%s'",
			      stage ? stage : row->stage, from);
	}
	return r;
}

/* ---- marking ---- */

bool dlq_choose_slot(const struct target *target, uint32_t index, uint32_t *ret_slot)
{
	struct fy_node *slots = json_get(target->root, "slots");
	int n = slots && fy_node_is_sequence(slots) ? fy_node_sequence_item_count(slots) : 0;

	for (int i = 0; i < n; i++) {
		struct fy_node *slot = fy_node_sequence_get_by_index(slots, (int)((index + (uint32_t)i) % (uint32_t)n));

		*ret_slot = (uint32_t)dlq_number_of(slot, "slot");
		if (strcmp(json_string(slot, "over"), "false") == 0)
			return true;
	}
	return false;
}

/* Whoever is over takes nothing more: its marks are free for others. */
static int release_over(const struct replaying *replaying, const struct target *target)
{
	struct fy_node *slots = json_get(target->root, "slots"), *slot;
	void *at = NULL;
	int r = 0;

	while (r == 0 && slots && (slot = fy_node_sequence_iterate(slots, &at)))
		if (strcmp(json_string(slot, "over"), "true") == 0)
			r = letter_store_give_up(replaying->request->store, replaying->run,
						 (uint32_t)dlq_number_of(slot, "slot"), dlq_number_of(slot, "taken"));
	return r;
}

static int fail(const struct replaying *replaying, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	letter_store_explain(replaying->request->path, r, &why);
	if (r == LETTER_STORE_E_HELD)
		text_add(&why, "; the time is over, and nothing was given again");
	fprintf(stderr, "weir: %s\n", text_get(&why));
	return EXIT_TRY_AGAIN;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Of a run that was killed together with its worker. Returns 0, or what the store says. */
static int look_for_doubts(struct replaying *replaying)
{
	if (replaying->doubtful || replaying->request->again)
		return 0;
	return letter_store_doubtful(replaying->request->store, replaying->run, &replaying->doubtful,
				     &replaying->n_doubtful);
}

static bool is_doubtful(struct replaying *replaying, const struct dlq_row *row)
{
	if (!replaying->n_doubtful ||
	    !bsearch(&row->id, replaying->doubtful, replaying->n_doubtful, sizeof(*replaying->doubtful), by_number))
		return false;
	dlq_leave_out(
		replaying, row->id,
		"its stage was about to take it when worker and supervisor were killed, so it may have arrived; look there, then purge "
		"it, or give it again all the same (--again)");
	return true;
}

/* Finds out where everything goes. Returns 0 or the exit code; nothing has changed. */
static int plan_marks(struct replaying *replaying)
{
	const struct dlq_replay *request = replaying->request;
	int r = 0;

	for (size_t i = 0; i < request->n_rows && r == 0; i++) {
		const struct dlq_row *row = &request->rows[i];
		struct letter_mark mark = { .id = row->id };
		const struct target *target;

		r = find_target(replaying, row, &target);
		if (r == 0 && look_for_doubts(replaying) != 0)
			r = EXIT_TRY_AGAIN;
		if (r != 0 || !target || is_doubtful(replaying, row))
			continue;
		if (!dlq_choose_slot(target, row->worker_index, &mark.slot)) {
			dlq_leave_out(replaying, row->id, "no worker of stage '%s' is left; start the pipeline again",
				      target->stage);
			continue;
		}
		mark.run = replaying->run;
		mark.again = request->again;
		replaying->marks[replaying->n_marks++] = mark;
	}
	return r;
}

int dlq_put_marks(const struct replaying *replaying, const struct letter_mark *marks, size_t n)
{
	size_t n_marked = 0;
	int r = 0;

	for (size_t i = 0; i < replaying->n_targets && r == 0; i++)
		r = release_over(replaying, &replaying->targets[i]);
	return r == 0 && n ? letter_store_mark(replaying->request->store, marks, n, &n_marked) : r;
}

int dlq_tell(struct replaying *replaying, bool says)
{
	const char *name = replaying->request->name;
	int code = 0;

	for (size_t i = 0; i < replaying->n_targets && code == 0; i++) {
		_cleanup_(text_deinit) struct text body = TEXT_NULL;
		int status, r = pipeline_try(name, "replay", replaying->targets[i].stage, 0, &status, &body);

		if (r == 0 && status == 0)
			hear(&replaying->targets[i], &body);
		else
			code = says ? pipeline_explain(name, "replay", r, status, text_get(&body)) : EXIT_TRY_AGAIN;
	}
	return code;
}

/* ---- waiting ---- */

int letter_mark_by_id(const void *a, const void *b)
{
	const struct letter_mark *left = a, *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

static bool pipeline_ended(const struct replaying *replaying, int timeout_ms)
{
	struct pollfd pollfd = { .fd = replaying->supervisor_fd, .events = POLLIN };

	return replaying->supervisor_fd < 0 || poll(&pollfd, 1, timeout_ms) > 0;
}

/* How many of those that were marked have a mark still. Returns 0, or what the store says. */
static int count_waiting(const struct replaying *replaying, size_t *ret_n)
{
	_cleanup_(free) struct letter_mark *marks = NULL;
	size_t n;
	int r = letter_store_marks(replaying->request->store, replaying->run, LETTER_MARK_ANY_SLOT, 0, &marks, &n);

	*ret_n = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		*ret_n += bsearch(&marks[i], replaying->marks, replaying->n_marks, sizeof(*marks), letter_mark_by_id) !=
			  NULL;
	return r;
}

/* Until nothing waits, the pipeline has ended, or the time is over. Returns 0, or what the store says. */
static int wait_for_marks(struct replaying *replaying, size_t *ret_n_waiting)
{
	uint64_t end_ns = replaying->request->deadline_ns, ask_ns = clock_now_ns() + ASK_AGAIN_NS;
	int r;

	for (;;) {
		bool ended = pipeline_ended(replaying, 0);

		r = count_waiting(replaying, ret_n_waiting);
		if (r != 0 || !*ret_n_waiting || ended || (end_ns && clock_now_ns() >= end_ns))
			return r;
		if (clock_now_ns() >= ask_ns) {
			r = dlq_tell(replaying, false) == 0 ? dlq_give_on(replaying) : 0;
			if (r != 0)
				return r == LETTER_STORE_E_HELD ? 0 : r; /* its time is over */
			ask_ns = clock_now_ns() + ASK_AGAIN_NS;
		}
		(void)pipeline_ended(replaying, LOOK_MS);
	}
}

struct fates {
	size_t n_taken, n_returned, n_left;
	uint64_t time_ns; /* of the row that is looked at */
};

static int look_at_letter(void *data, const struct dead_letter *letter)
{
	struct fates *fates = data;

	if (letter->time_ns != fates->time_ns)
		fates->n_returned++;
	else
		fates->n_left++;
	return 0;
}

static int look_at_fates(const struct replaying *replaying, struct fates *fates)
{
	const struct dlq_replay *request = replaying->request;
	int r = 0;

	for (size_t i = 0; i < request->n_rows && r == 0; i++) {
		const struct letter_mark key = { .id = request->rows[i].id };

		if (!bsearch(&key, replaying->marks, replaying->n_marks, sizeof(key), letter_mark_by_id))
			continue;
		fates->time_ns = request->rows[i].time_ns;
		r = letter_store_get(request->store, key.id, look_at_letter, fates);
		fates->n_taken += r == LETTER_STORE_E_NONE;
		r = r == LETTER_STORE_E_NONE ? 0 : r;
	}
	return r;
}

static int say_fates(const struct replaying *replaying, const struct fates *fates)
{
	size_t n_left = fates->n_left + replaying->n_left_out;

	if (replaying->request->json)
		printf("{\"letters\":%zu,\"taken\":%zu,\"returned\":%zu,\"left\":%zu}\n", replaying->request->n_rows,
		       fates->n_taken, fates->n_returned, n_left);
	else
		printf("%s: of %zu letter%s %zu %s taken, %zu came back, %zu %s not given\n", replaying->request->name,
		       replaying->request->n_rows, replaying->request->n_rows == 1 ? "" : "s", fates->n_taken,
		       fates->n_taken == 1 ? "was" : "were", fates->n_returned, n_left, n_left == 1 ? "was" : "were");
	if (fates->n_left && pipeline_ended(replaying, 0))
		fprintf(stderr, "weir: pipeline '%s' has ended meanwhile; what it has not taken stays in the store\n",
			replaying->request->name);
	return fates->n_returned || n_left ? EXIT_CAME_BACK : EXIT_DONE;
}

static int wait_and_say(struct replaying *replaying)
{
	struct fates fates = { 0 };
	size_t n_waiting = 0;
	int r = wait_for_marks(replaying, &n_waiting);

	if (r == 0)
		r = look_at_fates(replaying, &fates);
	return r ? fail(replaying, r) : say_fates(replaying, &fates);
}

static int say_told(const struct replaying *replaying)
{
	if (replaying->request->json)
		printf("{\"letters\":%zu,\"marked\":%zu}\n", replaying->request->n_rows, replaying->n_marks);
	else
		printf("%s: %zu letter%s to be given again; 'weir dlq ls %s' lists those that are not taken yet\n",
		       replaying->request->name, replaying->n_marks, replaying->n_marks == 1 ? "" : "s",
		       replaying->request->name);
	return replaying->n_left_out ? EXIT_CAME_BACK : EXIT_DONE;
}

/* The answer is younger than the marks: whoever is over by it reads none of them. Returns 0 or the exit code. */
static int mark_and_tell(struct replaying *replaying)
{
	int r = dlq_put_marks(replaying, replaying->marks, replaying->n_marks), told;

	if (r != 0)
		return fail(replaying, r);
	told = dlq_tell(replaying, true);
	if (told == 0)
		r = dlq_give_on(replaying);
	if (r != 0 && r != LETTER_STORE_E_HELD)
		return fail(replaying, r);
	return replaying->request->waits ? 0 : told; /* a pipeline that drains is waited for */
}

static int carry_out(struct replaying *replaying)
{
	int r = plan_marks(replaying);

	if (r != 0)
		return r;
	if (replaying->n_left_out && replaying->request->by_id) {
		fprintf(stderr, "weir: nothing was given again\n");
		return EXIT_CAME_BACK;
	}
	if (replaying->n_marks) {
		qsort(replaying->marks, replaying->n_marks, sizeof(*replaying->marks), letter_mark_by_id);
		r = mark_and_tell(replaying);
	}
	if (r != 0)
		return r;
	return replaying->request->waits ? wait_and_say(replaying) : say_told(replaying);
}

int dlq_replay(const struct dlq_replay *request)
{
	struct replaying replaying = { .request = request, .supervisor_fd = -1 };
	int r;

	if (!request->n_rows) {
		puts(request->json ? "{\"letters\":0,\"taken\":0,\"returned\":0,\"left\":0}" : "no dead letters");
		return EXIT_DONE;
	}
	replaying.targets = calloc(2 * request->n_rows, sizeof(*replaying.targets));
	replaying.marks = calloc(request->n_rows, sizeof(*replaying.marks));
	must(replaying.targets && replaying.marks);
	r = carry_out(&replaying);
	for (size_t i = 0; i < replaying.n_targets; i++) {
		fy_document_destroy(replaying.targets[i].answer);
		text_deinit(&replaying.targets[i].body);
		free(replaying.targets[i].stage);
	}
	free(replaying.targets);
	free(replaying.marks);
	free(replaying.doubtful);
	fd_close(replaying.supervisor_fd);
	return r;
}
