/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleaners lie on a stack. A run takes them off one by one, without the lock, so a cleaner may add others, which come next.
 *
 *      run:   top --> d --> [inner] --> b --> a        an inner coordinator is a cleaner whose function is to run it
 *                              |
 *                              '--> y --> x            run by itself before, it is off its outer's stack
 *
 * A coordinator runs once: IDLE, RUNS, HAS_RUN. Who comes second, from another thread or out of a cleaner, finds it so and does nothing.
 * One lock for all of them: they meet only here, and hold it for some stores.
 */
#include "common/scope/coordinator.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
#include <weir/status.h>

#include "common/scope/guard.h"
#include "common/scope/scope_priv.h"

enum stage { IDLE, RUNS, HAS_RUN };

struct weir_coordinator {
	struct weir_cleaner as_cleaner; /* of its outer one */
	struct weir_coordinator *outer, *inner /* the latest */, *next /* of the same outer one */;
	struct weir_cleaner *top;
	enum stage stage;
	bool runtimes; /* the runtime's: stages can neither run nor free it */
	pid_t pid;
	struct weir_exit_report *report; /* of the run that its outer one has begun */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int run_inner(void *data, enum weir_cause cause);

/* With the lock. */
static int stack_push(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner)
{
	if (coordinator->stage == HAS_RUN)
		return WEIR_CLOSED;
	if (!cleaner->function || cleaner->owner)
		return -EINVAL;
	cleaner->owner = coordinator;
	cleaner->older = coordinator->top;
	coordinator->top = cleaner;
	return WEIR_OK;
}

/* With the lock. */
static int stack_remove(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner)
{
	struct weir_cleaner **at = &coordinator->top;

	while (*at && *at != cleaner)
		at = &(*at)->older;
	if (!*at)
		return WEIR_CLOSED;
	*at = cleaner->older;
	cleaner->older = NULL;
	cleaner->owner = NULL;
	return WEIR_OK;
}

/* The next to run. */
static struct weir_cleaner *stack_pop(struct weir_coordinator *coordinator)
{
	struct weir_cleaner *cleaner;

	pthread_mutex_lock(&lock);
	cleaner = coordinator->top;
	if (cleaner)
		(void)stack_remove(coordinator, cleaner);
	else
		coordinator->stage = HAS_RUN;
	pthread_mutex_unlock(&lock);
	return cleaner;
}

/* ---- new and free ---- */

API int weir_coordinator_root_new(struct weir_coordinator **ret_coordinator)
{
	int r = weir_coordinator_new(NULL, ret_coordinator);

	if (r == 0)
		(*ret_coordinator)->runtimes = true;
	return r;
}

API int weir_coordinator_new(struct weir_coordinator *outer, struct weir_coordinator **ret_coordinator)
{
	struct weir_coordinator *coordinator = calloc(1, sizeof(*coordinator));
	int r = WEIR_OK;

	if (!coordinator)
		return -ENOMEM;
	coordinator->as_cleaner = (struct weir_cleaner){ "a coordinator", run_inner, coordinator, NULL, NULL };
	coordinator->outer = outer;
	coordinator->pid = getpid();
	if (outer) {
		pthread_mutex_lock(&lock);
		r = stack_push(outer, &coordinator->as_cleaner);
		if (r == WEIR_OK) {
			coordinator->next = outer->inner;
			outer->inner = coordinator;
		}
		pthread_mutex_unlock(&lock);
	}
	if (r == WEIR_OK)
		*ret_coordinator = coordinator;
	else
		free(coordinator);
	return r;
}

/* With the lock: it has no inner ones any more. */
static void coordinator_end(struct weir_coordinator *coordinator)
{
	struct weir_coordinator *outer = coordinator->outer;

	while (coordinator->top)
		(void)stack_remove(coordinator, coordinator->top);
	if (outer) {
		struct weir_coordinator **at = &outer->inner;

		while (*at != coordinator)
			at = &(*at)->next;
		*at = coordinator->next;
		(void)stack_remove(outer, &coordinator->as_cleaner);
	}
	free(coordinator);
}

API struct weir_coordinator *weir_coordinator_root_free(struct weir_coordinator *coordinator)
{
	struct weir_coordinator *at = coordinator;
	bool last = !coordinator;

	pthread_mutex_lock(&lock);
	while (!last) {
		struct weir_coordinator *outer = at->outer;

		if (at->inner) {
			at = at->inner;
			continue;
		}
		last = at == coordinator;
		coordinator_end(at);
		at = outer;
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

API struct weir_coordinator *weir_coordinator_free(struct weir_coordinator *coordinator)
{
	return coordinator && !coordinator->runtimes ? weir_coordinator_root_free(coordinator) : NULL;
}

/* ---- cleaners ---- */

API int weir_coordinator_add(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner)
{
	int r;

	pthread_mutex_lock(&lock);
	r = stack_push(coordinator, cleaner);
	pthread_mutex_unlock(&lock);
	return r;
}

API int weir_coordinator_remove(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner)
{
	int r;

	pthread_mutex_lock(&lock);
	r = stack_remove(coordinator, cleaner);
	pthread_mutex_unlock(&lock);
	return r;
}

/* ---- running ---- */

/* A call of a cleaner, for guard_call(). Its memory may be gone when it has returned. */
struct call {
	const char *name;
	int (*function)(void *data, enum weir_cause cause);
	void *data;
	enum weir_cause cause;
};

static int call_cleaner(void *data)
{
	const struct call *call = data;

	return call->function(call->data, call->cause);
}

static void cleaner_run(const struct call *call, bool guarded, struct weir_exit_report *report)
{
	int status = 0, crashed_by = 0;

	if (guarded)
		crashed_by = guard_call(call_cleaner, (void *)(uintptr_t)call, &status);
	else
		status = call->function(call->data, call->cause);
	report->n_run++;
	report->n_failed += !crashed_by && status != 0;
	report->n_crashed += crashed_by != 0;
	if ((crashed_by || status != 0) && !report->name) {
		report->name = call->name ? call->name : "(without a name)";
		report->status = status;
		report->signal = crashed_by;
	}
}

static void coordinator_empty(struct weir_coordinator *coordinator, enum weir_cause cause, bool guarded,
			      struct weir_exit_report *report)
{
	struct weir_cleaner *cleaner;

	while ((cleaner = stack_pop(coordinator))) {
		const struct call call = { cleaner->name, cleaner->function, cleaner->data, cause };

		if (call.function == run_inner) {
			((struct weir_coordinator *)call.data)->report = report;
			(void)run_inner(call.data, cause);
		} else {
			cleaner_run(&call, guarded, report);
		}
	}
}

static bool coordinator_begin(struct weir_coordinator *coordinator)
{
	bool begins;

	pthread_mutex_lock(&lock);
	begins = coordinator->stage == IDLE;
	if (begins) {
		coordinator->stage = RUNS;
		if (coordinator->outer)
			(void)stack_remove(coordinator->outer, &coordinator->as_cleaner);
	}
	pthread_mutex_unlock(&lock);
	return begins;
}

static int run_into(struct weir_coordinator *coordinator, enum weir_cause cause, struct weir_exit_report *report)
{
	struct guard_stack *guard = NULL;
	bool guarded;

	if (coordinator->pid != getpid())
		return -EPERM;
	if (!coordinator_begin(coordinator))
		return WEIR_CLOSED;
	guarded = guard_begin(&guard) == 0; /* without memory for that, better unguarded than not at all */
	coordinator_empty(coordinator, cause, guarded, report);
	if (guarded)
		guard_end(guard);
	return report->name ? WEIR_FAILED : WEIR_OK;
}

static int run_inner(void *data, enum weir_cause cause)
{
	struct weir_coordinator *inner = data;

	return run_into(inner, cause, inner->report);
}

API int weir_coordinator_root_run(struct weir_coordinator *coordinator, enum weir_cause cause,
				  struct weir_exit_report *ret_report)
{
	struct weir_exit_report report = { 0 };
	int r = run_into(coordinator, cause, &report);

	if (ret_report)
		*ret_report = report;
	return r;
}

API int weir_coordinator_run(struct weir_coordinator *coordinator, enum weir_cause cause,
			     struct weir_exit_report *ret_report)
{
	return coordinator->runtimes ? -EPERM : weir_coordinator_root_run(coordinator, cause, ret_report);
}
