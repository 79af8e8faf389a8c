/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks on cancel.
 *
 *      hook()            cancel                 whoever comes first       returned
 *   FREE --> WAITS ----------------> DUE -----------------------> RUNS ------------> HAS_RUN
 *              | unhook, free         | unhook, free                | unhook, free: wait
 *              v                      v                             v
 *             FREE                   FREE                          HAS_RUN
 *
 * A hook runs without the lock, so it may do what it likes with scopes. What one cancel makes due goes before what was due
 * already, scope by scope from the oldest, so that it comes out youngest first: see scope_walk().
 */
#include <errno.h>
#include <weir/status.h>

#include "common/scope/scope_priv.h"

/* Its address is the thread's name. */
static __thread char here;

static void list_remove(struct weir_scope_hook *hook)
{
	*hook->link = hook->next;
	if (hook->next)
		hook->next->link = hook->link;
	hook->next = NULL;
	hook->link = NULL;
}

static void list_add(struct weir_scope_hook **list, struct weir_scope_hook *hook)
{
	hook->next = *list;
	hook->link = list;
	if (hook->next)
		hook->next->link = &hook->next;
	*list = hook;
}

void scope_hooks_due(struct scope *scope)
{
	struct weir_scope_hook **due = &scope->tree->due, *first = scope->hooks, *last = first;

	if (!first)
		return;
	for (last->state = HOOK_DUE; last->next; last->state = HOOK_DUE)
		last = last->next;
	last->next = *due;
	if (*due)
		(*due)->link = &last->next;
	*due = first;
	first->link = due;
	scope->hooks = NULL;
}

/* With the lock, which it gives up meanwhile. */
static void hook_run(struct scope_tree *tree, struct weir_scope_hook *hook)
{
	enum weir_cause cause = (enum weir_cause)hook->scope->cause;

	hook->state = HOOK_RUNS;
	hook->runner = &here;
	list_add(&tree->running, hook);
	pthread_mutex_unlock(&tree->lock);
	hook->function(hook->data, cause);
	pthread_mutex_lock(&tree->lock);
	list_remove(hook);
	hook->scope = NULL;
	hook->runner = NULL;
	hook->state = HOOK_HAS_RUN; /* its memory may go from here on, as soon as the lock is free */
	pthread_cond_broadcast(&tree->hook_has_run);
}

void scope_hooks_run(struct scope_tree *tree)
{
	pthread_mutex_lock(&tree->lock);
	while (tree->due) {
		struct weir_scope_hook *hook = tree->due;

		list_remove(hook);
		hook_run(tree, hook);
	}
	pthread_mutex_unlock(&tree->lock);
}

API int weir_scope_hook(struct weir_scope *weir_scope, struct weir_scope_hook *hook)
{
	struct scope *scope = scope_of(weir_scope);
	struct scope_tree *tree = scope->tree;
	int r = WEIR_OK;

	if (!scope_is_ours(scope))
		return -EPERM;
	pthread_mutex_lock(&tree->lock);
	scope_look_up(tree);
	hook->scope = weir_scope;
	hook->next = NULL;
	hook->link = NULL;
	if (weir_scope->cause) {
		hook_run(tree, hook);
		r = WEIR_CANCELLED;
	} else {
		hook->state = HOOK_WAITS;
		list_add(&scope->hooks, hook);
	}
	pthread_mutex_unlock(&tree->lock);
	return r;
}

static bool runs_elsewhere(const struct weir_scope_hook *hook)
{
	return hook->state == HOOK_RUNS && hook->runner != &here;
}

API int weir_scope_unhook(struct weir_scope *weir_scope, struct weir_scope_hook *hook)
{
	struct scope *scope = scope_of(weir_scope);
	struct scope_tree *tree = scope->tree;
	int r = WEIR_CANCELLED;

	if (!scope_is_ours(scope))
		return -EPERM;
	pthread_mutex_lock(&tree->lock);
	while (runs_elsewhere(hook))
		pthread_cond_wait(&tree->hook_has_run, &tree->lock);
	if (hook->state == HOOK_WAITS || hook->state == HOOK_DUE) {
		list_remove(hook);
		hook->scope = NULL;
		hook->state = HOOK_FREE;
		r = WEIR_OK;
	} else if (hook->state == HOOK_FREE) {
		r = WEIR_OK;
	}
	pthread_mutex_unlock(&tree->lock);
	return r;
}

static void forget_list(struct weir_scope_hook *hook, const struct scope *scope)
{
	while (hook) {
		struct weir_scope_hook *next = hook->next;

		if (hook->scope == &scope->weir) {
			list_remove(hook);
			hook->scope = NULL;
			hook->state = HOOK_FREE;
		}
		hook = next;
	}
}

static bool runs_for_it(const struct scope *scope)
{
	const struct weir_scope_hook *hook = scope->tree->running;

	while (hook && (hook->scope != &scope->weir || !runs_elsewhere(hook)))
		hook = hook->next;
	return hook != NULL;
}

void scope_hooks_forget(struct scope *scope)
{
	forget_list(scope->hooks, scope);
	forget_list(scope->tree->due, scope);
	while (runs_for_it(scope))
		pthread_cond_wait(&scope->tree->hook_has_run, &scope->tree->lock);
}
