/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_look.h"

#include <stdlib.h>
#include <string.h>

#include "broker/cli/busy.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/control/run_dir.h"
#include "common/base/clock.h"

enum { LOOK_E_ODD = 3 }; /* an answer that is none; beside CONTROL_E_* */

struct question {
	const char *name;
	control_waiting_fn *waiting;
	void *data;
};

/* Returns 0, CONTROL_E_*, LOOK_E_ODD, -errno. The body of a refusal is kept. */
static int ask(const struct question *question, const char *verb, const char *argument, struct text *body)
{
	int status, r = pipeline_try_while(question->name, verb, argument, question->waiting, question->data, &status,
					   body);

	return r ? r : status ? LOOK_E_ODD : 0;
}

/* What is not answered is not known; the rest is shown without it. */
static struct fy_document *ask_document(const struct question *question, const char *verb, const char *argument)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;

	return ask(question, verb, argument, &body) == 0 ? json_parse(text_get(&body)) : NULL;
}

static void explain(struct top_look *look, int r, const struct text *body)
{
	_cleanup_(free) char *path = run_dir_path(look->name);

	text_clear(&look->trouble);
	if (r == CONTROL_E_NOT_RUNNING) {
		look->ended = true;
		text_add(&look->trouble, "it has ended");
	} else if (r == CONTROL_E_NO_ANSWER) {
		text_add(&look->trouble, "no answer: it ");
		busy_describe(path ? run_dir_pid(path) : 0, &look->trouble);
	} else if (r == LOOK_E_ODD) {
		reply_error(text_get(body), &look->trouble);
	} else {
		text_printf(&look->trouble, "can not ask it: %s", strerror(-r));
	}
}

static void drop_answers(struct top_look *look)
{
	view_copy_deinit(&look->copy);
	fy_document_destroy(look->why);
	fy_document_destroy(look->dump);
}

int top_look_now(struct top_look *look, const char *dumped, control_waiting_fn *waiting, void *data)
{
	const struct question question = { look->name, waiting, data };
	struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct fy_document *why, *dump, *metrics;
	uint64_t now_ns;
	int r = ask(&question, "status", NULL, &body);

	if (r == 0 && view_read(text_get(&body), &copy) != 0)
		r = LOOK_E_ODD;
	if (r != 0) {
		explain(look, r, &body);
		return r;
	}
	now_ns = clock_now_ns();
	why = ask_document(&question, "why", NULL);
	metrics = ask_document(&question, "metrics", NULL);
	dump = dumped ? ask_document(&question, "dump", dumped) : NULL;
	/* Whoever waits may draw what is known meanwhile: it changes all at once. */
	drop_answers(look);
	look->copy = copy;
	look->why = why;
	look->dump = dump;
	look->known = true;
	text_clear(&look->trouble);
	top_rates_update(&look->rates, &look->copy.view, now_ns);
	top_latencies_update(&look->rates.latencies, metrics);
	return 0;
}

void top_look_deinit(struct top_look *look)
{
	drop_answers(look);
	top_rates_deinit(&look->rates);
	text_deinit(&look->trouble);
}

struct top_picture top_look_picture(const struct top_look *look, uint64_t interval_ns)
{
	return (struct top_picture){ .pipeline = look->name,
				     .view = look->known ? &look->copy.view : NULL,
				     .rates = &look->rates,
				     .why = look->why ? fy_document_root(look->why) : NULL,
				     .dump = look->dump ? fy_document_root(look->dump) : NULL,
				     .trouble = look->trouble.length ? text_get(&look->trouble) : NULL,
				     .interval_s = (double)interval_ns / (double)NS_PER_S };
}
