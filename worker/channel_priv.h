/* SPDX-License-Identifier: Apache-2.0 */
/* What recv and send (channel.c) and select (select.c) have in common. */
#pragma once

#include <errno.h>

#include "worker/channel.h"
#include "worker/input.h"
#include "worker/step.h"

enum {
	CHANNEL_NOTHING = 101, /* nothing now: neither an item nor an end */
	CHANNEL_ITEM = 102,    /* something for the stage */
	/* the call's scope is: WEIR_CANCELLED to the stage, and no more than that; WEIR_CANCELLED itself is the worker's end */
	CHANNEL_SCOPE_DONE = 103,
};

/* What a call is bound by, besides the worker's own end. */
struct until {
	uint64_t deadline_ns;             /* WEIR_NOW, WEIR_FOREVER, or when */
	struct weir_scope *scope;         /* NULL: none */
	const struct weir_budget *budget; /* whose deadline that is; NULL: nobody's */
};

/* The worker's own scope is looked at anyhow. */
static inline struct until until_of(const struct worker *worker, struct weir_scope *scope,
				    const struct weir_budget *budget)
{
	return (struct until){ budget ? budget->deadline_ns : WEIR_FOREVER, scope == worker->scope ? NULL : scope,
			       budget };
}

static inline bool until_is_cancelled(const struct until *until)
{
	return until->scope && weir_scope_done(until->scope);
}

/* What the stage is told. Calls the budget's expiry, or the hooks, if that is it. */
static inline int until_outcome(const struct until *until, int r)
{
	if (__builtin_expect(r == 0, 1))
		return 0;
	if (r == WEIR_EXPIRED && until->budget)
		(void)weir_budget_check(until->budget);
	if (r != CHANNEL_SCOPE_DONE)
		return r;
	(void)weir_scope_check(until->scope); /* its hooks have run before the stage hears of it */
	return WEIR_CANCELLED;
}

/* Before each call: 0, -EPERM outside of run(), or what ended the stage. */
static inline int channel_enter(const struct worker *worker)
{
	return __builtin_expect(worker->phase != PHASE_RUN || worker->step.over, 0) ?
		       (worker->step.over ? worker->step.over : -EPERM) :
		       0;
}

/* Every later call says the same. Returns r. */
int channel_over(struct worker *worker, int r);

/* True if nothing can be sent to this output, or any output, any more. */
bool channel_is_closed(const struct worker *worker, uint32_t output);

/*
 * The step at work ends, and whole batches take effect. Returns 0; WEIR_CLOSED: this source has to drain, everything is committed;
 * or what is over. Nearly always it costs the sums of the ledger and two loads of the board.
 */
int channel_step(struct worker *worker);

/* Between steps: the next item of an input comes in hand. Returns 0, WEIR_CLOSED, WEIR_PEER_LOST, CHANNEL_NOTHING, or what is over. */
int channel_take(struct worker *worker, uint32_t input);

/* True if channel_take() would not say CHANNEL_NOTHING. Changes nothing but need_bytes. */
bool channel_has(struct worker *worker, uint32_t input);

/*
 * Nothing is ready, and somebody will wait or try again: complete steps take effect. in_step: all but the one at work. Returns 0;
 * WEIR_CLOSED: nobody listens to this source any more; or what is over.
 */
int channel_pause(struct worker *worker, bool in_step);

/*
 * Waits for the cases, whose descriptors' revents are set on return; between steps for runs that are due, too. Returns 0: look
 * again; WEIR_WOULD_BLOCK, WEIR_EXPIRED, CHANNEL_SCOPE_DONE, WEIR_CANCELLED, negative errno.
 */
int channel_sleep(struct worker *worker, struct weir_case *cases, size_t n_cases, bool in_step,
		  const struct until *until);
