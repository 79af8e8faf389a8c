/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir why --stack: asks the supervisor to ask, then looks at its status until every worker has said where it is. An answer counts if it is
 * younger than the question and of the generation that sits there now.
 */
#include "broker/cli/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"

#define PATIENCE_NS NS_PER_S
#define LOOK_NS (10 * NS_PER_MS)
#define EXIT_NO_ANSWER 1

static struct fy_node *find_stage(struct fy_document *document, const char *name)
{
	struct fy_node *stages = document ? json_get(fy_document_root(document), "stages") : NULL, *stage;
	void *at = NULL;

	while (stages && (stage = fy_node_sequence_iterate(stages, &at)))
		if (strcmp(json_string(stage, "name"), name) == 0)
			return stage;
	return NULL;
}

/* What it has said since asked_ns; NULL: nothing. */
static struct fy_node *answer_of(struct fy_node *worker, uint64_t asked_ns)
{
	struct fy_node *backtrace = json_get(worker, "backtrace");
	double age_s = strtod(json_string(backtrace, "seconds"), NULL);

	if (!*json_string(backtrace, "seconds") ||
	    strcmp(json_string(backtrace, "generation"), json_string(worker, "generation")) != 0)
		return NULL;
	return age_s <= (double)(clock_now_ns() - asked_ns) / (double)NS_PER_S ? backtrace : NULL;
}

static bool is_there(struct fy_node *worker)
{
	return strtol(json_string(worker, "pid"), NULL, 10) > 0;
}

static bool all_have_answered(struct fy_node *stage, uint64_t asked_ns)
{
	struct fy_node *workers = json_get(stage, "workers"), *worker;
	void *at = NULL;

	while (workers && (worker = fy_node_sequence_iterate(workers, &at)))
		if (is_there(worker) && !answer_of(worker, asked_ns))
			return false;
	return true;
}

static void print_frames(struct fy_node *answer, bool json)
{
	struct fy_node *frames = json_get(answer, "frames"), *frame;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const char *before = json ? "" : "  ";
	void *at = NULL;

	while (frames && (frame = fy_node_sequence_iterate(frames, &at))) {
		const char *words = fy_node_get_scalar0(frame);

		text_add(&text, before);
		if (json)
			text_add_json(&text, words ? words : "", words ? strlen(words) : 0);
		else
			text_printf(&text, "%s\n", words ? words : "");
		before = json ? "," : "  ";
	}
	printf(json ? "[%s]" : "%s", text_get(&text));
}

static void print_worker(struct fy_node *stage, struct fy_node *worker, struct fy_node *answer)
{
	const char *about = json_string(answer, "about"), *state = json_string(worker, "state");

	printf("%s#%s", json_string(stage, "name"), json_string(worker, "index"));
	if (!is_there(worker)) {
		printf(": nobody sits there now (%s)\n", state);
		return;
	}
	printf(" (pid %s), %s%s%s%s", json_string(worker, "pid"), state, *about ? " (" : "", about, *about ? ")" : "");
	if (!answer) {
		printf(": no answer; its stage has blocked SIGQUIT, or it is stopped, or lies in a call that can not be interrupted\n");
		return;
	}
	printf(":\n");
	print_frames(answer, false);
}

static void print_worker_json(struct fy_node *worker, struct fy_node *answer, bool first)
{
	printf("%s{\"index\":%s,\"pid\":%s,\"frames\":", first ? "" : ",", json_string(worker, "index"),
	       is_there(worker) ? json_string(worker, "pid") : "null");
	if (answer)
		print_frames(answer, true);
	else
		printf("null");
	printf("}");
}

static int print_stage(const char *pipeline, struct fy_node *stage, uint64_t asked_ns, bool json)
{
	struct fy_node *workers = json_get(stage, "workers"), *worker;
	bool first = true, silent = false;
	void *at = NULL;

	if (json)
		printf("{\"pipeline\":\"%s\",\"stage\":\"%s\",\"workers\":[", pipeline, json_string(stage, "name"));
	for (; workers && (worker = fy_node_sequence_iterate(workers, &at)); first = false) {
		struct fy_node *answer = answer_of(worker, asked_ns);

		silent = silent || (is_there(worker) && !answer);
		if (json)
			print_worker_json(worker, answer, first);
		else
			print_worker(stage, worker, answer);
	}
	printf(json ? "]}\n" : "");
	return silent ? EXIT_NO_ANSWER : EXIT_DONE;
}

int stack_show(const char *pipeline, const char *stage, bool json)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	uint64_t asked_ns = clock_now_ns();
	int r = pipeline_ask(pipeline, "stack", stage, 0, &body);

	while (r == 0) {
		struct fy_document *document;
		struct fy_node *found;

		text_clear(&body);
		r = pipeline_ask(pipeline, "status", NULL, 0, &body);
		if (r != 0)
			break;
		document = json_parse(text_get(&body));
		found = find_stage(document, stage);
		if (!found || clock_now_ns() >= asked_ns + PATIENCE_NS || all_have_answered(found, asked_ns)) {
			r = found ? print_stage(pipeline, found, asked_ns, json) : EXIT_TRY_AGAIN;
			fy_document_destroy(document);
			if (!found)
				fprintf(stderr,
					"weir: pipeline '%s' answered something else; is it of another version?\n",
					pipeline);
			return r;
		}
		fy_document_destroy(document);
		nanosleep(&pause, NULL);
	}
	return r;
}
