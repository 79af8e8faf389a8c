/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator that shows scopes, budgets and the exit: what it hears and when its cleaners run goes into the file `trace`, a line each.
 *
 *      1  a receive in a scope that another thread cancels        "scope: admission"
 *      2  a receive within a budget that runs out                 "expiry", "budget: expired"
 *      3  items pass, in a scope whose descriptor another thread polls, and writes to `trace`.fd what it hears
 *      4  the end, natural or by order                            "hook: user", "run: cancelled", "cleaner ...: user"
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#define PAUSE_NS UINT64_C(20000000)

struct scoped {
	const char *path;
	struct weir_scope *scope;
	struct weir_coordinator *inner;
	struct weir_cleaner outer_first, inner_first, inner_second, outer_last;
	struct cleaner_state {
		struct scoped *scoped;
		const char *name;
	} states[4];
};

static void say(const char *path, const char *suffix, const char *what, const char *cause)
{
	char file[4096], line[256];
	int length = snprintf(line, sizeof(line), "%s%s\n", what, cause), fd;

	snprintf(file, sizeof(file), "%s%s", path, suffix);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)length) != length)
		weir_log(WEIR_LOG_ERROR, "cannot write '%s': %s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* ---- cleaners ---- */

static int clean(void *data, enum weir_cause cause)
{
	const struct cleaner_state *state = data;
	char what[64];

	snprintf(what, sizeof(what), "cleaner %s: ", state->name);
	say(state->scoped->path, "", what, weir_cause_name(cause));
	return 0;
}

static int clean_and_crash(void *data, enum weir_cause cause)
{
	(void)clean(data, cause);
	raise(SIGSEGV);
	return 0;
}

static int add_cleaner(struct weir_coordinator *coordinator, struct scoped *scoped, struct weir_cleaner *cleaner,
		       int number, const char *name)
{
	scoped->states[number] = (struct cleaner_state){ scoped, name };
	*cleaner = (struct weir_cleaner){ .name = name, .function = clean, .data = &scoped->states[number] };
	return weir_coordinator_add(coordinator, cleaner);
}

static int add_cleaners(struct weir_context *context, struct scoped *scoped)
{
	struct weir_coordinator *own = weir_coordinator_of(context);
	int r = add_cleaner(own, scoped, &scoped->outer_first, 0, "outer 1");

	if (r == 0)
		r = weir_coordinator_new(own, &scoped->inner);
	if (r == 0)
		r = add_cleaner(scoped->inner, scoped, &scoped->inner_first, 1, "inner 1");
	if (r == 0)
		r = add_cleaner(own, scoped, &scoped->outer_last, 2, "outer 2");
	if (r == 0)
		r = add_cleaner(scoped->inner, scoped, &scoped->inner_second, 3, "inner 2");
	if (weir_option_boolean(context, "crash"))
		scoped->inner_second.function = clean_and_crash;
	return r;
}

/* ---- open and close ---- */

static int scoped_open(struct weir_context *context, void **ret_state)
{
	struct scoped *scoped = calloc(1, sizeof(*scoped));
	int r;

	if (!scoped)
		return -ENOMEM;
	scoped->path = weir_option_string(context, "trace");
	r = add_cleaners(context, scoped);
	if (r != 0) {
		weir_fail(context, "cannot add its cleaners");
		return WEIR_FAILED;
	}
	*ret_state = scoped;
	return 0;
}

static void scoped_close(struct weir_context *context, void *state)
{
	struct scoped *scoped = state;

	(void)context;
	say(scoped->path, "", "close", "");
	free(scoped);
}

/* ---- the parts ---- */

static void *cancel_later(void *data)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	nanosleep(&pause, NULL);
	weir_scope_cancel(data, WEIR_CAUSE_ADMISSION);
	return NULL;
}

static int part_scope(struct weir_context *context, struct scoped *scoped)
{
	struct weir_scope *scope;
	struct weir_item item;
	pthread_t thread;
	int r = weir_scope_new(weir_scope_of(context), NULL, &scope);

	if (r != 0)
		return r;
	if (pthread_create(&thread, NULL, cancel_later, scope) != 0)
		return -EAGAIN;
	r = weir_recv_in(context, 0, scope, NULL, &item);
	pthread_join(thread, NULL);
	if (r == WEIR_CANCELLED && !weir_cancelled(context)) {
		say(scoped->path, "", "scope: ", weir_cause_name(weir_scope_cause(scope)));
		r = WEIR_OK;
	}
	weir_scope_free(scope);
	return r;
}

static void expire(void *data)
{
	say(((struct scoped *)data)->path, "", "expiry", "");
}

static int part_budget(struct weir_context *context, struct scoped *scoped)
{
	struct weir_expiry expiry = { .function = expire, .data = scoped };
	struct weir_budget run = weir_budget_of(context), budget = weir_budget_within(&run, PAUSE_NS);
	struct weir_item item;
	int r;

	budget.expiry = &expiry;
	r = weir_recv_in(context, 0, NULL, &budget, &item);
	if (r != WEIR_EXPIRED)
		return r;
	say(scoped->path, "", "budget: ", weir_status_name(r));
	return WEIR_OK;
}

static void hear(void *data, enum weir_cause cause)
{
	say(((struct scoped *)data)->path, "", "hook: ", weir_cause_name(cause));
}

/* Sleeps until the scope is done; the kernel wakes it, whoever has cancelled. */
static void *poll_scope(void *data)
{
	struct scoped *scoped = data;
	struct pollfd one = { .fd = weir_scope_fd(scoped->scope), .events = POLLIN };

	while (poll(&one, 1, -1) < 0 && errno == EINTR)
		;
	say(scoped->path, ".fd",
	    weir_scope_done(scoped->scope) ? "done: " : "not done: ", weir_cause_name(weir_scope_cause(scoped->scope)));
	return NULL;
}

static int part_items(struct weir_context *context, struct scoped *scoped)
{
	struct weir_scope_hook hook = { .function = hear, .data = scoped };
	struct weir_item item;
	pthread_t thread;
	int r = weir_scope_new(weir_scope_of(context), NULL, &scoped->scope);

	if (r != 0)
		return r;
	if (pthread_create(&thread, NULL, poll_scope, scoped) != 0)
		return -EAGAIN;
	(void)weir_scope_hook(scoped->scope, &hook);
	while (r == WEIR_OK && (r = weir_recv_in(context, 0, scoped->scope, NULL, &item)) == WEIR_OK)
		r = weir_send_in(context, 0, item.data, item.size_bytes, scoped->scope, NULL);
	say(scoped->path, "", "run: ", weir_status_name(r));
	(void)weir_scope_unhook(scoped->scope, &hook); /* the stage's own end is no cancel to hear of */
	(void)weir_scope_cancel(scoped->scope,
				WEIR_CAUSE_UPSTREAM_LOST); /* the thread goes; no cause but the first counts */
	pthread_join(thread, NULL);
	weir_scope_free(scoped->scope);
	return r;
}

static int scoped_run(struct weir_context *context, void *state)
{
	int r = part_scope(context, state);

	if (r == 0)
		r = part_budget(context, state);
	if (r == 0)
		r = part_items(context, state);
	return r;
}

static const struct weir_option options[] = {
	{ .name = "trace",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary = "file that gets a line for each thing that happens",
	  .example = "trace" },
	{ .name = "crash",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "false",
	  .summary = "a cleaner crashes",
	  .example = "true" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "scoped",
	.summary = "says what it hears of scopes, budgets and the end",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = scoped_open,
	.run = scoped_run,
	.close = scoped_close,
};

WEIR_STAGE_EXPORT(stage)
