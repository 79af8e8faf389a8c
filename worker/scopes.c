/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where scopes and the exit meet the worker.
 *
 *      supervisor:  slot.cause, slot.order on the board; cancel_fd; doorbell
 *                      |                                    |
 *      any thread:  weir_scope_done()     poll(weir_scope_fd())      main thread: its next look at the board, asleep or not
 *                                                                       -> acknowledges, runs the hooks
 *
 *      the end:     last callback -> last commit -> hooks that are due -> cleaners -> close() -> goodbye
 *
 * The root's word is the slot's own order on the board, which says CANCEL whenever the order for all does.
 */
#include "worker/scopes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/must.h"
#include "common/memory/scope_table.h"
#include "common/scope/coordinator.h"
#include "common/scope/scope.h"
#include "worker/attempt.h"
#include "worker/expiry.h"
#include "worker/wait.h"

static_assert(WEIR_SCOPE_ORDER_CANCEL == BOARD_CANCEL, "the inline test reads the board");

static uint32_t find_cancelled(const void *board, uint64_t id)
{
	return scope_table_find(board, id);
}

int scopes_open(struct worker *worker)
{
	const struct board_slot *slot = &worker->board->slots[worker->heritage.slot];
	const struct scope_order order = { .word = (const uint32_t *)&slot->order,
					   .cause = (const uint32_t *)&slot->cause,
					   .fd = worker->heritage.cancel_fd,
					   .news = (const uint32_t *)&worker->board->scopes_epoch,
					   .news_fd = worker->heritage.scopes_fd,
					   .find = find_cancelled,
					   .data = worker->board };
	int r = worker->scope ? 0 : weir_scope_root_new(&order, &worker->scope);

	if (r == 0 && !worker->coordinator)
		r = weir_coordinator_root_new(&worker->coordinator);
	return r;
}

void scopes_close(struct worker *worker)
{
	worker->coordinator = weir_coordinator_root_free(worker->coordinator);
	worker->scope = weir_scope_root_free(worker->scope);
}

void scopes_ordered(struct worker *worker)
{
	if (worker->scope)
		(void)weir_scope_check(worker->scope);
}

/* Everything is logged; the worst becomes the reason, unless the stage has one of its own. */
static void say_faults(struct worker *worker, const struct weir_exit_report *report, int *status)
{
	char what[sizeof(worker->reason)];

	if (report->signal)
		snprintf(what, sizeof(what), "its cleaner '%s' crashed by SIG%s", report->name,
			 sigabbrev_np(report->signal));
	else
		snprintf(what, sizeof(what), "its cleaner '%s' failed: %s", report->name,
			 report->status < 0 ? strerror(-report->status) : weir_status_name(report->status));
	weir_log(WEIR_LOG_ERROR, "%s; cleaners: %u run, %u failed, %u crashed; what they hold may be left over", what,
		 report->n_run, report->n_failed, report->n_crashed);
	if (!report->n_crashed || *status == WEIR_FAILED)
		return;
	snprintf(worker->reason, sizeof(worker->reason),
		 "a cleaner crashed at the end of the stage (first fault: %.200s); mend the cleaner", what);
	*status = WEIR_FAILED;
}

bool scopes_conclude(struct worker *worker, int *status)
{
	struct weir_exit_report report;

	if (!worker->scope)
		return true;
	if (worker_cancelled(worker))
		(void)wait_check_order(worker);
	if (weir_coordinator_root_run(worker->coordinator, weir_scope_cause(worker->scope), &report) != WEIR_FAILED)
		return true;
	say_faults(worker, &report, status);
	return report.n_crashed == 0;
}

struct weir_scope *scopes_scope(struct weir_context *context)
{
	return worker_of(context)->scope;
}

struct weir_scope *scopes_scope_of_item(struct weir_context *context)
{
	struct worker *worker = worker_of(context);

	if (!worker->baggage.scope)
		return worker->scope;
	if (!worker->item_scope && weir_scope_item_new(worker->scope, worker->baggage.scope, &worker->item_scope) != 0)
		return worker->scope; /* no memory: it hears of its end with the worker's, and between items */
	return worker->item_scope;
}

struct weir_coordinator *scopes_coordinator(struct weir_context *context)
{
	return worker_of(context)->coordinator;
}

struct weir_budget scopes_budget(const struct weir_context *context)
{
	uint64_t deadline_ns = load_relaxed(&worker_of(context)->board->run_deadline_ns);
	struct weir_budget run = weir_budget_at(NULL, deadline_ns ? deadline_ns : WEIR_FOREVER);

	run = weir_budget_at(&run, expiry_of_hand_ns(worker_of(context)));
	run.cause = WEIR_CAUSE_RUN_DEADLINE;
	return weir_budget_at(&run, attempt_deadline_ns(worker_of(context)));
}

/* When the order is known, so is the time: it was stored before [B1]. Everybody's order, or this slot's alone, whichever comes first. */
static void explain(struct worker *worker, struct weir_exit *ret_exit)
{
	uint64_t all_ns = load_relaxed(&worker->board->term_deadline_ns),
		 own_ns = load_relaxed(&worker->board->slots[worker->heritage.slot].term_deadline_ns);
	const struct weir_budget all = weir_budget_at(NULL, all_ns ? all_ns : WEIR_FOREVER);
	const struct weir_budget left = weir_budget_at(&all, own_ns ? own_ns : WEIR_FOREVER);

	ret_exit->cause = worker_cancelled(worker) ? weir_scope_cause(worker->scope) : WEIR_CAUSE_NONE;
	ret_exit->deadline_ns = left.deadline_ns;
	ret_exit->remaining_ns = weir_budget_remaining_ns(&left);
}

int scopes_exit_point(struct weir_context *context, struct weir_exit *ret_exit)
{
	struct worker *worker = worker_of(context);
	uint32_t order = board_order_of(worker->board, worker->heritage.slot);

	if (order >= BOARD_DRAIN)
		(void)wait_check_order(worker);
	else if (ret_exit)
		*ret_exit = (struct weir_exit){ WEIR_CAUSE_NONE, WEIR_FOREVER, UINT64_MAX };
	if (order >= BOARD_DRAIN && ret_exit)
		explain(worker, ret_exit);
	if (order >= BOARD_CANCEL)
		return WEIR_CANCELLED;
	if (order < BOARD_DRAIN || worker->stage.role != WEIR_SOURCE)
		return WEIR_OK;
	worker->parted = true; /* its stage is told that this is the end */
	return WEIR_CLOSED;
}
