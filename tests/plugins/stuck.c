/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes items on until it gets stuck on item `at` of those that this worker gets, or on the one with the number `on`, whoever gets it.
 * `spin` never returns; `deaf` neither, and hears no signal that can be shut out; `sleep` lies in a system call; `heed` does nothing but
 * look whether its scope is done; `budget` waits within its budget and rejects the item; `defer` puts items aside and watches nothing
 * (with `on`: the others come back after `pause`); `slow` takes `pause` over each item.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

static void sleep_ns(int64_t ns)
{
	struct timespec pause = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (nanosleep(&pause, &pause) < 0)
		;
}

#define DEFERRED_MAX 4096

struct stuck {
	uint64_t n;
	uint64_t tokens[DEFERRED_MAX];
	uint32_t n_tokens;
};

static int stuck_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = calloc(1, sizeof(struct stuck));
	return *ret_state ? 0 : WEIR_FAILED;
}

static int emit(struct weir_context *context, const struct weir_item *item)
{
	return weir_outputs(context) ? weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes) : WEIR_OK;
}

static bool is_it(struct weir_context *context, struct stuck *stuck, const struct weir_item *item)
{
	stuck->n++;
	if (weir_option_given(context, "on"))
		return item->sequence == (uint64_t)weir_option_integer(context, "on");
	return stuck->n >= (uint64_t)weir_option_integer(context, "at");
}

static int heed(struct weir_context *context)
{
	struct weir_scope *scope = weir_scope_of(context);

	while (!weir_scope_done(scope))
		;
	weir_log(WEIR_LOG_NOTICE, "heeded: %s", weir_cause_name(weir_scope_cause(scope)));
	return WEIR_CANCELLED;
}

static int within_budget(struct weir_context *context)
{
	struct weir_budget budget = weir_budget_of(context);
	int r = weir_wait(context, NULL, 0, budget.deadline_ns);

	if (r != WEIR_EXPIRED)
		return r;
	weir_reject(context, "it took longer than it may: %s", weir_cause_name(budget.cause));
	return WEIR_REJECTED;
}

static int get_stuck(struct weir_context *context, const char *how)
{
	sigset_t all;

	if (strcmp(how, "heed") == 0)
		return heed(context);
	if (strcmp(how, "budget") == 0)
		return within_budget(context);
	if (strcmp(how, "deaf") == 0) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
	}
	if (strcmp(how, "spin") == 0 || strcmp(how, "deaf") == 0)
		for (volatile unsigned round = 0;; round++)
			;
	for (;;)
		pause();
}

/* With `on` the others come back by themselves. */
static int defer(struct weir_context *context, struct stuck *stuck, bool is_stuck)
{
	uint64_t token = weir_defer(context);

	if (!token)
		return WEIR_FAILED;
	if (!is_stuck && stuck->n_tokens < DEFERRED_MAX) {
		stuck->tokens[stuck->n_tokens++] = token;
		weir_watch(context, -1, 0, weir_now_ns(context) + (uint64_t)weir_option_integer(context, "pause"));
	}
	return WEIR_PENDING;
}

static int stuck_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *how = weir_option_string(context, "how");
	struct stuck *stuck = state;
	bool is_stuck = is_it(context, stuck, item);

	if (strcmp(how, "slow") == 0)
		sleep_ns(weir_option_integer(context, "pause"));
	else if (strcmp(how, "defer") == 0 && (is_stuck || weir_option_given(context, "on")))
		return defer(context, stuck, is_stuck);
	else if (is_stuck)
		return get_stuck(context, how);
	return emit(context, item);
}

static int stuck_produce(struct weir_context *context, void *state)
{
	struct stuck *stuck = state;
	int r = 0;

	while (r == 0 && stuck->n_tokens) {
		const struct weir_item *item;
		uint64_t token = stuck->tokens[--stuck->n_tokens];

		r = weir_resume(context, token, &item);
		if (r == 0)
			r = emit(context, item);
		if (r == 0)
			r = weir_complete(context, token, WEIR_OK);
	}
	return r;
}

static void stuck_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

static const struct weir_option options[] = {
	{ .name = "how",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "spin|deaf|sleep|heed|budget|defer|slow",
	  .fallback = "spin",
	  .summary = "in which way" },
	{ .name = "at",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1",
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "on which item, of those that this worker gets" },
	{ .name = "on",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 0,
	  .maximum = INT64_MAX,
	  .summary = "on which item, by its number" },
	{ .name = "pause", .type = WEIR_TYPE_DURATION, .fallback = "1s", .summary = "slow, defer: for each item" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "stuck",
	.summary = "gets stuck",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = stuck_open,
	.process = stuck_process,
	.produce = stuck_produce,
	.close = stuck_close,
};

WEIR_STAGE_EXPORT(stage)
