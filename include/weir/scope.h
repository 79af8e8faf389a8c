/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancel scopes: what can be cancelled as one.
 *
 *     weir_scope_of(context)            the worker's own: cancelled when the supervisor orders it, with the cause that it gave
 *        |-- request 1                  a stage's: weir_scope_new()
 *        |     |-- its first call       cancelled with request 1, at once and with its cause; never the other way
 *        |     '-- its second call
 *        '-- request 2
 *
 * The first cause counts and stays. Everything but weir_scope_of() may be called in any thread of the worker, and by several at a time.
 * In a signal handler: weir_scope_done(), and nothing else. In a child after fork(): weir_scope_done(), which hears the supervisor and of
 * the scopes themselves what held at the fork; the others refuse (-EPERM) or do nothing.
 *
 * Nothing here has a thread of its own. The supervisor's order to cancel is seen by every weir_scope_done() below the worker at once, and
 * makes every weir_scope_fd() readable, by the kernel. A deadline makes the descriptor readable, too; the scope is cancelled when
 * somebody looks at the clock: weir_scope_check(), and the calls of weir/channel.h that were given the scope, when they have to wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/atomic.h>
#include <weir/budget.h>
#include <weir/cause.h>
#include <weir/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;

/* What the inline test reads; the rest is the runtime's, and so is this. */
struct weir_scope {
	uint32_t cause;        /* enum weir_cause; 0: neither it nor a scope above it has been cancelled */
	uint32_t seen;         /* of the word `news`: it has been looked at */
	const uint32_t *order; /* below a worker: what the supervisor wants of it; else a word that stays 0 */
	const uint32_t *news;  /* below an item's scope: how often one has been cancelled; else a word that stays 0 */
};
/* Of the inline test: looks its id up. Wait-free; fine in a signal handler. */
bool weir_scope_look(const struct weir_scope *scope);
#define WEIR_SCOPE_ORDER_CANCEL 4u

/* The worker's own scope. Owned by the runtime: a stage can neither cancel nor free it. Never NULL. */
struct weir_scope *weir_scope_of(struct weir_context *context);

/*
 * A new scope, below `parent`, or by itself (NULL). With a budget (NULL: none) it also ends at that deadline, or at the nearest one above
 * it. Below a scope that is cancelled already it is born cancelled, with that cause. Returns 0 and the scope, owned by the caller
 * (weir_scope_free()); -ENOMEM; -EPERM in a child after fork().
 */
int weir_scope_new(struct weir_scope *parent, const struct weir_budget *budget, struct weir_scope **ret_scope);

/*
 * Frees it and all scopes below it; so free children first or not at all. Closes their descriptors. Hooks that are due run first; the
 * others never will. Waits for one that another thread is running. Nobody may use any of them meanwhile. Not for the worker's own
 * (nothing happens), and not from a hook of a scope that it frees. NULL is fine. Returns NULL.
 */
struct weir_scope *weir_scope_free(struct weir_scope *scope);

/* True once it is cancelled: a load of its own word and, below a worker, two of the board's. Reads no clock. Wait-free. */
static inline bool weir_scope_done(const struct weir_scope *scope)
{
	return weir_load_acquire(&scope->cause) != 0 ||                      /* [P1] mate: scope_mark */
	       weir_load_acquire(scope->order) >= WEIR_SCOPE_ORDER_CANCEL || /* [B1] mate: order_everybody */
	       (weir_load_acquire(scope->news) != scope->seen &&             /* [B6] mate: scope_table_add */
		weir_scope_look(scope));
}

/*
 * The same, and looks at the clock, if there is a deadline: when it has passed, the highest scope whose it was is cancelled.
 * Runs the hooks that are due. Returns WEIR_OK or WEIR_CANCELLED.
 */
int weir_scope_check(struct weir_scope *scope);

/*
 * Cancels it and all scopes below it, then runs their hooks, in this thread, except one that another is running already. Returns WEIR_OK;
 * WEIR_CANCELLED: it was cancelled before, and its cause stays; -EINVAL: no cause; -EPERM: the worker's own, or a child
 * after fork().
 */
int weir_scope_cancel(struct weir_scope *scope, enum weir_cause cause);

/* Why it was cancelled; WEIR_CAUSE_NONE: it was not. Reads no clock and runs no hooks. */
enum weir_cause weir_scope_cause(struct weir_scope *scope);

/* Its deadline, or the nearest one above it, as a budget to hand on. WEIR_FOREVER: none. */
struct weir_budget weir_scope_budget(const struct weir_scope *scope);

/*
 * A descriptor for poll(2), epoll(7) and weir_wait(): readable from the moment when the scope is cancelled, or its deadline has passed,
 * for ever. Nothing is to be read from it. Made on the first demand; owned by the scope. Returns it or -errno (EMFILE, ENFILE, ENOMEM,
 * EPERM).
 */
int weir_scope_fd(struct weir_scope *scope);

/*
 * What is called when a scope is cancelled: once, with the cause. The caller's memory, which stays where it is until the hook has
 * returned or was removed, or the scope is freed. It may cancel, make and look at scopes, and add hooks; it may not make calls
 * that take a weir_context, nor wait for a thread that cancels a scope of the same tree.
 */
struct weir_scope_hook {
	void (*function)(void *data, enum weir_cause cause);
	void *data;
	struct weir_scope_hook *next, **link; /* from here on: the runtime's */
	struct weir_scope *scope;
	const void *runner;
	uint32_t state;
};

/*
 * Adds one. Of one cancel the hooks run last in first out: a scope's latest first, scopes below it before it. If the scope is cancelled
 * already, it runs at once, in this thread. Returns WEIR_OK: it will run; WEIR_CANCELLED: it has; -EPERM after fork().
 */
int weir_scope_hook(struct weir_scope *scope, struct weir_scope_hook *hook);

/*
 * Removes one; waits while another thread runs it. Returns WEIR_OK: it has not run and will not; WEIR_CANCELLED: it has run, or this is
 * called from it. After that its memory may go.
 */
int weir_scope_unhook(struct weir_scope *scope, struct weir_scope_hook *hook);

/*
 * ---- scopes of items: one request among millions ----
 *
 * An item may belong to a scope that has a number: a source, or whoever knows, gives it one, and what is emitted for it inherits that, from
 * process to process. Whoever knows the number can cancel it: `weir cancel PIPELINE --scope ID`, a program by the control socket, a
 * stage. From then on no such item is started anywhere; it is counted as cancelled, with the cause, and skipped. The stage that has one
 * in hand sees it in weir_scope_of_item(). The number is the user's to choose and to keep from being used twice.
 */

/* The number of the scope that the item in hand belongs to, and that what is emitted now inherits; 0: none. */
uint64_t weir_scope_id(const struct weir_context *context);

/*
 * What is emitted from here on belongs to this scope, or (0) to none; as with all baggage (weir/baggage.h), until the callback or the
 * item ends. Returns 0 or -EPERM: not from a callback that may emit.
 */
int weir_scope_enter(struct weir_context *context, uint64_t id);

/*
 * Asks the supervisor to cancel it, for everybody; does not wait. Asking again is fine. Returns 0: it will hear of it (how that ended
 * stands in the log: the table of cancelled scopes may be full); -EINVAL: the number is 0, or that is no cause; -EAGAIN: its queue
 * is full, try later; or another negative errno.
 */
int weir_scope_cancel_id(struct weir_context *context, uint64_t id, enum weir_cause cause);

/*
 * The scope of the item in hand, below the worker's own; of an item without one the worker's own. Owned by the runtime: it can be neither
 * cancelled nor freed here, and ends with the item, as all scopes below it must. Once it is done process() and weir_complete()
 * may say WEIR_CANCELLED: the item is dropped, with what was emitted for it, and counted with the cause. Its descriptor may become readable
 * for another item's sake, too: weir_scope_check() tells, and makes it quiet again.
 */
struct weir_scope *weir_scope_of_item(struct weir_context *context);

#ifdef __cplusplus
}
#endif
