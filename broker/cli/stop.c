/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir drain, stop and cancel: give the order, then wait until the kernel says that the supervisor is gone (a pidfd, so that no
 * other process of the same number is waited for), at most a second longer than the pipeline itself has.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/cli/cancel.h"
#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/scope/cause.h"

#define STOP_DEFAULT_NS (5 * NS_PER_S)
#define PATIENCE_NS NS_PER_S
#define SLICE_MS 100

struct order {
	const struct command *command;
	const char *verb, *name, *cause;
	uint64_t timeout_ns; /* 0: the spec's drain */
	bool wait, json;
	char pipeline[PIPELINE_NAME_MAX + 1]; /* cancel PIPELINE/STAGE */
	const char *stage, *scope;            /* what of it to cancel; NULL: all */
	uint64_t for_ns;
};

/* Returns -1 to go on, else the exit code. */
static int parse_duration(const struct order *order, const char *option, const char *value, uint64_t *ret_ns)
{
	int64_t ns;

	if (quantity_duration(value, &ns) != 0 || ns <= 0)
		return command_usage_error(order->command, "--%s takes a duration such as 10s or 500ms, not '%s'",
					   option, value);
	*ret_ns = (uint64_t)ns;
	return -1;
}

static int parse_scope(struct order *order, const char *value)
{
	char *end;

	errno = 0;
	if (*value < '0' || *value > '9' || strtoull(value, &end, 10) == 0 || *end || errno)
		return command_usage_error(order->command,
					   "--scope takes a number from 1 to 18446744073709551615, not '%s'", value);
	order->scope = value;
	return -1;
}

/* NAME, or of cancel PIPELINE/STAGE. */
static int parse_name(struct order *order, const char *name)
{
	const char *slash = strcmp(order->verb, "cancel") == 0 ? strchr(name, '/') : NULL;

	order->name = name;
	if (slash && slash - name <= PIPELINE_NAME_MAX) {
		memcpy(order->pipeline, name, (size_t)(slash - name));
		order->name = order->pipeline;
		order->stage = slash + 1;
	}
	if (!pipeline_name_valid(order->name))
		return command_usage_error(order->command, "'%s' is not a pipeline's name", order->name);
	if (order->stage && !pipeline_name_valid(order->stage))
		return command_usage_error(order->command, "'%s' is not a stage's name", order->stage);
	if (order->stage && order->scope)
		return command_usage_error(
			order->command,
			"a stage, or a scope: a scope is cancelled in all stages; leave out '/%s' or --scope",
			order->stage);
	if (order->for_ns && !order->scope)
		return command_usage_error(order->command, "--for goes with --scope");
	return -1;
}

static int parse_cause(struct order *order, const char *value)
{
	if (cause_find(value) <= CAUSE_NONE) {
		_cleanup_(text_deinit) struct text names = TEXT_NULL;

		for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
			text_printf(&names, "%s%s", i > CAUSE_NONE + 1 ? ", " : "", cause_name((unsigned)i));
		return command_usage_error(order->command, "'%s' is not a cause; there are %s", value,
					   text_get(&names));
	}
	order->cause = value;
	return -1;
}

static int parse_arguments(struct order *order, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id, r;

	order->command = parser.command;
	while ((id = command_next(&parser)) > 0) {
		r = -1;
		if (id == OPTION_TIMEOUT)
			r = parse_duration(order, "timeout", parser.value, &order->timeout_ns);
		else if (id == OPTION_FOR)
			r = parse_duration(order, "for", parser.value, &order->for_ns);
		else if (id == OPTION_SCOPE)
			r = parse_scope(order, parser.value);
		else if (id == OPTION_CAUSE)
			r = parse_cause(order, parser.value);
		else if (id == OPTION_NO_WAIT)
			order->wait = false;
		else if (id == OPTION_JSON)
			order->json = true;
		else
			unreachable_because("the table of verbs has no such option for drain, stop and cancel");
		if (r >= 0)
			return r;
	}
	if (id < 0)
		return command_exit(id);
	return parse_name(order, argv[parser.first]);
}

/* The name is free: what is left of the process only writes its last words, which somebody may not read for long. */
static bool has_ended(const char *run_dir, pid_t pid)
{
	return run_dir_pid(run_dir) != pid;
}

/* Returns true once the process is gone, or has ended its run and is a second late in going. */
static bool wait_gone(const struct order *order, pid_t pid, int pidfd, uint64_t deadline_ns)
{
	_cleanup_(free) char *run_dir = run_dir_path(order->name);
	struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
	bool ended = false;

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		int r = poll(&pollfd, 1, deadline_poll_ms(deadline_ns, now_ns, SLICE_MS));

		if (r > 0)
			return true;
		if (r < 0 && errno != EINTR)
			return ended;
		if (!ended && has_ended(run_dir, pid)) {
			ended = true;
			deadline_ns = deadline_earlier(deadline_ns, now_ns + PATIENCE_NS);
		}
		if (now_ns >= deadline_ns)
			return ended;
	}
}

/* What the pipeline itself has left, by its own word; then what the order said. */
static uint64_t time_left_ns(const struct order *order)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int status;

	if (pipeline_try(order->name, "status", NULL, 0, &status, &body) == 0 && status == 0 &&
	    view_read(text_get(&body), &copy) == 0 && copy.view.stop_deadline_ns > copy.view.now_ns)
		return copy.view.stop_deadline_ns - copy.view.now_ns;
	return order->timeout_ns;
}

static const char *past_tense(const char *verb)
{
	return strcmp(verb, "drain") == 0 ? "drained" : strcmp(verb, "stop") == 0 ? "stopped" : "cancelled";
}

static int report(const struct order *order, bool waited, bool gone, uint64_t passed_ns)
{
	char duration[QUANTITY_TEXT_SIZE];

	quantity_format_duration(passed_ns, duration);
	if (order->json)
		printf("{\"pipeline\":\"%s\",\"order\":\"%s\",\"ended\":%s,\"seconds\":%.3f}\n", order->name,
		       order->verb, gone ? "true" : "false", (double)passed_ns / (double)NS_PER_S);
	else if (!waited)
		printf("%s: has the order to %s\n", order->name, order->verb);
	else if (gone)
		printf("%s: %s in %s\n", order->name, past_tense(order->verb), duration);
	else
		fprintf(stderr,
			"weir: pipeline '%s' is still there after %s; 'weir ps %s' shows what it waits for, 'weir cancel %s' ends it at once\n",
			order->name, duration, order->name, order->name);
	return !waited || gone ? EXIT_DONE : EXIT_STILL_THERE;
}

/* A process that held the lock before and after its number was turned into a descriptor is the one behind that. */
static int watch_holder(const char *run_dir, pid_t *ret_pid)
{
	int pidfd = -1;

	do {
		fd_close(pidfd);
		*ret_pid = run_dir_pid(run_dir);
		pidfd = *ret_pid > 0 ? (int)syscall(SYS_pidfd_open, *ret_pid, 0) : -1;
	} while (run_dir_pid(run_dir) != *ret_pid);
	return pidfd;
}

/* The order comes before all questions: one that is not answered soon is there all the same when the pipeline goes on. */
static int give(const struct order *order)
{
	_cleanup_(free) char *run_dir = run_dir_path(order->name);
	_cleanup_(text_deinit) struct text reply = TEXT_NULL;
	pid_t pid;
	_cleanup_(close) int pidfd = watch_holder(run_dir, &pid);
	uint64_t begun_ns = clock_now_ns();
	bool gone;
	int r = pipeline_ask(order->name, order->verb, order->cause, order->timeout_ns, &reply);

	if (r)
		return r;
	if (!order->wait)
		return report(order, false, false, clock_now_ns() - begun_ns);
	/* No such process: it ended when it had answered. */
	gone = pidfd < 0 || wait_gone(order, pid, pidfd, clock_now_ns() + time_left_ns(order) + PATIENCE_NS);
	return report(order, true, gone, clock_now_ns() - begun_ns);
}

static int give_part(const struct order *order)
{
	const struct cancel_part part = {
		.pipeline = order->name,
		.stage = order->stage,
		.scope = order->scope,
		.cause = order->cause,
		.for_ns = order->for_ns,
		.timeout_ns = order->timeout_ns,
		.wait = order->wait,
		.json = order->json,
	};

	return cancel_part(&part);
}

int stop_command(int argc, char **argv)
{
	struct order order = { .verb = argv[0], .wait = true };
	int r;

	if (strcmp(argv[0], "drain") != 0)
		order.timeout_ns = STOP_DEFAULT_NS;
	if (strcmp(argv[0], "cancel") == 0)
		order.cause = cause_name(CAUSE_USER);
	r = parse_arguments(&order, argc, argv);
	if (r >= 0)
		return r;
	return order.stage || order.scope ? give_part(&order) : give(&order);
}
