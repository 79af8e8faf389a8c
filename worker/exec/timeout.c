/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program works on is in the worker's spool, not in a lane, so here it is the worker that looks at the clock, and the program
 * alone that is ended: the worker and what else it has live on.
 *
 *      given            + deadline      + grace
 *        |--- works -------|--- SIGTERM ---|-- SIGKILL    then given again, at `attempts` a dead letter
 */
#include "worker/exec/timeout.h"

#include <poll.h>
#include <signal.h>
#include <weir/log.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "worker/exec/options.h"

#define GRACE_NS_FALLBACK (200 * NS_PER_MS)

void timeout_init(struct timeout *timeout, const struct weir_context *context)
{
	*timeout = (struct timeout){ .deadline_ns = exec_option_number(context, "deadline", 0),
				     .grace_ns = exec_option_number(context, "grace", GRACE_NS_FALLBACK),
				     .attempts = (uint32_t)exec_option_number(context, "attempts", 1) };
}

uint64_t timeout_end_ns(const struct timeout *timeout, uint64_t from_ns)
{
	return timeout->deadline_ns ? from_ns + timeout->deadline_ns : UINT64_MAX;
}

/* Returns 0, WEIR_CANCELLED, -errno. */
static int end(const struct timeout *timeout, struct weir_context *context, struct child *child)
{
	struct pollfd fd = { .fd = child->pidfd, .events = POLLIN };
	int r = 0;

	if (!child_runs(child))
		return 0;
	kill(-child->pid, SIGTERM);
	kill(-child->pid, SIGCONT);
	if (timeout->grace_ns)
		r = weir_wait(context, &fd, 1, clock_now_ns() + timeout->grace_ns);
	child_kill(child);
	return r == WEIR_EXPIRED ? 0 : r;
}

int timeout_overrun(struct timeout *timeout, struct weir_context *context, struct child *child, const char *title,
		    const char *what, uint64_t from_ns)
{
	char deadline[QUANTITY_TEXT_SIZE], took[QUANTITY_TEXT_SIZE];
	int r = end(timeout, context, child);

	if (r)
		return r;
	timeout->n_overruns++;
	weir_overran(context);
	weir_log(WEIR_LOG_WARNING,
		 "'%s' has overrun the deadline of %s on %s: it is dead %s after it got it; attempt %u of %u", title,
		 quantity_format_duration(timeout->deadline_ns, deadline), what,
		 quantity_format_duration(clock_now_ns() - from_ns, took), timeout->n_overruns, timeout->attempts);
	if (timeout->n_overruns < timeout->attempts)
		return 0;
	timeout->n_overruns = 0;
	return WEIR_EXPIRED;
}
