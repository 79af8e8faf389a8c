/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "broker/cli/busy.h"
#include "broker/cli/pipelines.h"
#include "broker/control/client.h"
#include "broker/control/requests.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

#define ANSWER_SOON_NS (2 * NS_PER_S)  /* on any machine that is not in trouble */
#define ANSWER_WAIT_NS (30 * NS_PER_S) /* of one that is */

bool pipeline_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length && length <= PIPELINE_NAME_MAX && *name != '_' && *name != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static void say_refused(const char *name, const char *verb, const char *body)
{
	_cleanup_(text_deinit) struct text error = TEXT_NULL;

	reply_error(body, &error);
	fprintf(stderr, "weir: pipeline '%s' refused '%s': %s\n", name, verb, text_get(&error));
}

static void say_no_stage(const char *name, const char *body)
{
	_cleanup_(text_deinit) struct text error = TEXT_NULL;

	reply_error(body, &error);
	fprintf(stderr, "weir: pipeline '%s': %s\n", name, text_get(&error));
}

int pipeline_try_while(const char *name, const char *verb, const char *argument, control_waiting_fn *waiting,
		       void *data, int *ret_status, struct text *ret_body)
{
	_cleanup_(free) char *path = run_dir_path(name);
	const struct control_question question = { .run_dir = path,
						   .verb = verb,
						   .argument = argument,
						   .wait_ns = ANSWER_SOON_NS,
						   .waiting = waiting,
						   .data = data };

	*ret_status = 0;
	return path ? control_ask(&question, ret_status, ret_body) : -ENOMEM;
}

int pipeline_try(const char *name, const char *verb, const char *argument, uint64_t timeout_ns, int *ret_status,
		 struct text *ret_body)
{
	_cleanup_(free) char *path = run_dir_path(name);

	*ret_status = 0;
	return path ? control_request(path, verb, argument, timeout_ns, ANSWER_SOON_NS, ret_status, ret_body) : -ENOMEM;
}

/* Who waits for an answer, and has said so or not. */
struct asking {
	const char *name, *run_dir;
	bool said;
};

/* Who is told why it takes so long waits with more patience, or ends it. Somebody stopped does not answer by waiting. */
static bool wait_on(void *data, uint64_t waited_ns)
{
	struct asking *asking = data;
	_cleanup_(text_deinit) struct text state = TEXT_NULL;
	pid_t pid;

	if (waited_ns < ANSWER_SOON_NS)
		return true;
	pid = run_dir_pid(asking->run_dir);
	if (busy_is_stopped(pid))
		return false;
	if (asking->said)
		return true;
	asking->said = true;
	busy_describe(pid, &state);
	fprintf(stderr,
		"weir: pipeline '%s' (process %d) has not answered for %d s: it %s; waiting up to %d s (^C gives up)\n",
		asking->name, (int)pid, (int)(ANSWER_SOON_NS / NS_PER_S), text_get(&state),
		(int)(ANSWER_WAIT_NS / NS_PER_S));
	return true;
}

int pipeline_ask(const char *name, const char *verb, const char *argument, uint64_t timeout_ns, struct text *ret_body)
{
	_cleanup_(free) char *path = run_dir_path(name);
	struct asking asking = { .name = name, .run_dir = path };
	const struct control_question question = { .run_dir = path,
						   .verb = verb,
						   .argument = argument,
						   .timeout_ns = timeout_ns,
						   .wait_ns = ANSWER_WAIT_NS,
						   .waiting = wait_on,
						   .data = &asking };
	int status = 0, r = control_ask(&question, &status, ret_body);

	return pipeline_explain(name, verb, r, status, text_get(ret_body));
}

/*
 * What may happen yet, though nobody hears of it: ZeroMQ's thread over there may have taken the order in, if it is not
 * stopped with the rest. Giving it twice does no harm.
 */
static bool is_order(const char *verb)
{
	return strcmp(verb, "drain") == 0 || strcmp(verb, "resume") == 0 || strcmp(verb, "stop") == 0 ||
	       strncmp(verb, "cancel", strlen("cancel")) == 0;
}

static void say_no_answer(const char *name, const char *verb)
{
	_cleanup_(free) char *path = run_dir_path(name);
	_cleanup_(text_deinit) struct text state = TEXT_NULL, order = TEXT_NULL;
	pid_t pid = run_dir_pid(path);

	busy_describe(pid, &state);
	if (is_order(verb))
		text_printf(&order, "; whether it has got the order to %s is not known: give it again then", verb);
	fprintf(stderr, "weir: pipeline '%s' (process %d) does not answer: it %s%s\n", name, (int)pid, text_get(&state),
		text_get(&order));
}

bool pipeline_explain_taken(const char *name, pid_t pid, struct text *why)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int status, r = pipeline_try(name, "status", NULL, 0, &status, &body);
	char left[QUANTITY_TEXT_SIZE];

	if (r == CONTROL_E_NOT_RUNNING)
		return false;
	if (r == CONTROL_E_NO_ANSWER && pid) {
		text_printf(why, "pipeline '%s' is still there and does not answer: process %d ", name, (int)pid);
		busy_describe(pid, why);
		return true;
	}
	if (r || status || view_read(text_get(&body), &copy) != 0)
		return true;
	text_printf(why, "pipeline '%s' is already %s (process %d", name, copy.view.phase, (int)copy.view.pid);
	if (copy.view.stop_deadline_ns > copy.view.now_ns)
		text_printf(why, ", for %s at most",
			    quantity_format_duration(copy.view.stop_deadline_ns - copy.view.now_ns, left));
	if (strcmp(copy.view.phase, "draining") == 0)
		text_printf(why, "); 'weir drain %s' waits for its end, 'weir cancel %s' ends it at once", name, name);
	else
		text_printf(why, "); see 'weir ps %s', end it with 'weir drain %s'", name, name);
	return true;
}

int pipeline_explain(const char *name, const char *verb, int r, int status, const char *body)
{
	if (r == 0 && status == 0)
		return 0;
	if (r == 0 && status == REQUEST_NO_STAGE) {
		say_no_stage(name, body);
		return EXIT_USAGE;
	}
	if (r == CONTROL_E_NOT_RUNNING) {
		fprintf(stderr, "weir: no pipeline '%s' is running; 'weir ps' lists those that are\n", name);
		return EXIT_NOT_RUNNING;
	}
	if (r == 0)
		say_refused(name, verb, body);
	else if (r == CONTROL_E_NO_ANSWER)
		say_no_answer(name, verb);
	else
		fprintf(stderr, "weir: can not ask pipeline '%s': %s\n", name, strerror(-r));
	return EXIT_TRY_AGAIN;
}

int pipeline_view(const char *name, struct view_copy *ret_copy, struct text *ret_body)
{
	int r = pipeline_ask(name, "status", NULL, 0, ret_body);

	if (r)
		return r;
	if (view_read(text_get(ret_body), ret_copy) != 0) {
		fprintf(stderr,
			"weir: pipeline '%s' answered something else than a status; is it of another version?\n", name);
		return EXIT_TRY_AGAIN;
	}
	return 0;
}
