/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "broker/cli/pipelines.h"
#include "broker/control/client.h"
#include "broker/control/requests.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"

#define ANSWER_WAIT_NS (2 * NS_PER_S)

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

int pipeline_try(const char *name, const char *verb, const char *argument, uint64_t timeout_ns, int *ret_status,
		 struct text *ret_body)
{
	_cleanup_(free) char *path = run_dir_path(name);

	*ret_status = 0;
	return path ? control_request(path, verb, argument, timeout_ns, ANSWER_WAIT_NS, ret_status, ret_body) : -ENOMEM;
}

int pipeline_ask(const char *name, const char *verb, const char *argument, uint64_t timeout_ns, struct text *ret_body)
{
	int status, r = pipeline_try(name, verb, argument, timeout_ns, &status, ret_body);

	return pipeline_explain(name, verb, r, status, text_get(ret_body));
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
		fprintf(stderr, "weir: pipeline '%s' did not answer within %d seconds; try again, or look at its log\n",
			name, (int)(ANSWER_WAIT_NS / NS_PER_S));
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
