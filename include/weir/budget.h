/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timeout budget: an absolute deadline that is handed down.
 *
 *     run     |=========================================================| 30 s       weir_budget_of(context)
 *     item    |====================|  within 500 ms                                  weir_budget_within(&run, ...)
 *     call    |======|  within 100 ms                                                weir_budget_within(&item, ...)
 *     call                       |=#  within 100 ms: what is left of the item        a child never extends its parent's
 *
 * A value, without memory of its own: copy it, pass it on, forget it. Nothing here has a thread or a timer. What is to happen when a
 * budget has run out happens where somebody looks, and sees it: weir_budget_check(), weir_scope_check() of a scope that has it, and the
 * calls of weir/channel.h that were given it, or such a scope, when they have to wait.
 *
 * All times are CLOCK_MONOTONIC in nanoseconds. Any thread; none may wait. weir_budget_none() and weir_budget_at() may be called in
 * signal handlers, weir_budget_expired() and weir_budget_remaining_ns() too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/cause.h>
#include <weir/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_NOW UINT64_C(0)
#define WEIR_FOREVER UINT64_MAX

struct weir_context;

/* What is called once a budget is seen to have run out; by whoever looks first, before that call returns. The stage's memory. */
struct weir_expiry {
	void (*function)(void *data); /* no calls that take a weir_context */
	void *data;
	uint32_t called; /* the runtime's: 0 at first; set it to 0 to use this again */
};

struct weir_budget {
	uint64_t deadline_ns;  /* absolute; WEIR_FOREVER: none; WEIR_NOW: it has passed */
	enum weir_cause cause; /* what a scope that has it is cancelled with: ITEM_DEADLINE, or RUN_DEADLINE */
	struct weir_expiry
		*expiry; /* NULL: none. Of this budget alone: children do not inherit it. Lives as long as it */
};

/* No limit at all. */
static inline struct weir_budget weir_budget_none(void)
{
	struct weir_budget budget = { WEIR_FOREVER, WEIR_CAUSE_ITEM_DEADLINE, NULL };

	return budget;
}

/* Until deadline_ns, or the parent's deadline (NULL: it has none) if that is earlier; then with the parent's cause. */
static inline struct weir_budget weir_budget_at(const struct weir_budget *parent, uint64_t deadline_ns)
{
	struct weir_budget budget = weir_budget_none();

	if (parent && parent->deadline_ns <= deadline_ns) {
		budget.deadline_ns = parent->deadline_ns;
		budget.cause = parent->cause;
	} else {
		budget.deadline_ns = deadline_ns;
	}
	return budget;
}

/* From now on for duration_ns, as above. Reads the clock. A duration past the end of time is WEIR_FOREVER. */
struct weir_budget weir_budget_within(const struct weir_budget *parent, uint64_t duration_ns);

/*
 * The tightest that holds now: the deadline of the pipeline; with an item in hand also the end of that item's run (expires, or its
 * own), and of this
 * attempt at it (the stage's deadline, cause ITEM_DEADLINE), which is counted from when it is asked for first, or seen by the supervisor:
 * so ask early. In flush(): the first end of a run among the items that the stage was given since the last commit, for who gathers them.
 * Worker process, the thread that was called back. Reads the clock if the stage has a deadline.
 */
struct weir_budget weir_budget_of(const struct weir_context *context);

/*
 * The run of what is emitted from here on ends at deadline_ns, unless it ends before anyway: by what it inherits, or the spec's
 * `expires`. No
 * stage begins it after that. It goes on to all that is made of it, as baggage does (weir/baggage.h says what inherits, and how long a
 * change lasts), and is 24 bytes of it. WEIR_NOW: it has ended; WEIR_FOREVER: nothing changes. Returns 0; -EPERM: not from a
 * callback that may
 * emit.
 */
int weir_expire_at(struct weir_context *context, uint64_t deadline_ns);

/* What is left, in ns: 0 when it is over, UINT64_MAX if there is no limit. Reads the clock, if there is one. */
uint64_t weir_budget_remaining_ns(const struct weir_budget *budget);

/* True once the deadline has passed. Reads the clock, if there is a limit. */
bool weir_budget_expired(const struct weir_budget *budget);

/* The same, and calls its expiry, the first time. Returns WEIR_OK or WEIR_EXPIRED. */
int weir_budget_check(const struct weir_budget *budget);

#ifdef __cplusplus
}
#endif
