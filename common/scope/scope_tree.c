/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes come and go: one tree for each root, with one lock. Only what weir_scope_done() reads is read without it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/scope/scope.h"
#include "common/scope/scope_priv.h"

/* What scopes look at that are below no worker. */
static const uint32_t no_order;

bool scope_is_ours(const struct scope *scope)
{
	return scope->tree->pid == getpid();
}

static struct scope *scope_alloc(struct scope_tree *tree, struct scope *parent, const struct weir_budget *budget)
{
	struct scope *scope = calloc(1, sizeof(*scope));

	if (!scope)
		return NULL;
	scope->weir.order = tree->order.word ? tree->order.word : &no_order;
	scope->weir.news = parent ? parent->weir.news : &no_order;
	scope->weir.seen = parent && parent->id ? parent->weir.seen : 0;
	scope->id = parent ? parent->id : 0;
	scope->tree = tree;
	scope->parent = parent;
	scope->budget = weir_budget_at(parent ? &parent->budget : NULL, budget ? budget->deadline_ns : WEIR_FOREVER);
	if (budget && budget->cause == WEIR_CAUSE_RUN_DEADLINE &&
	    (!parent || budget->deadline_ns < parent->budget.deadline_ns))
		scope->budget.cause = budget->cause;
	scope->budget.expiry = budget ? budget->expiry : NULL;
	scope->event_fd = scope->timer_fd = scope->fd = -1;
	return scope;
}

static int tree_new(const struct scope_order *order, const struct weir_budget *budget, struct weir_scope **ret_scope)
{
	struct scope_tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -ENOMEM;
	pthread_mutex_init(&tree->lock, NULL);
	pthread_cond_init(&tree->hook_has_run, NULL);
	tree->pid = getpid();
	tree->order = order ? *order : (struct scope_order){ .fd = -1, .news_fd = -1 };
	tree->root = scope_alloc(tree, NULL, budget);
	if (!tree->root) {
		free(tree);
		return -ENOMEM;
	}
	*ret_scope = &tree->root->weir;
	return 0;
}

API int weir_scope_root_new(const struct scope_order *order, struct weir_scope **ret_scope)
{
	return tree_new(order, NULL, ret_scope);
}

/* With the lock: the youngest child. */
static void scope_link(struct scope *scope)
{
	struct scope *parent = scope->parent;

	scope->older = parent->youngest;
	*(parent->youngest ? &parent->youngest->younger : &parent->oldest) = scope;
	parent->youngest = scope;
}

static void scope_unlink(struct scope *scope)
{
	struct scope *parent = scope->parent;

	*(scope->older ? &scope->older->younger : &parent->oldest) = scope->younger;
	*(scope->younger ? &scope->younger->older : &parent->youngest) = scope->older;
}

API int weir_scope_new(struct weir_scope *weir_parent, const struct weir_budget *budget, struct weir_scope **ret_scope)
{
	struct scope *parent = scope_of(weir_parent), *scope;
	struct scope_tree *tree;

	if (!parent)
		return tree_new(NULL, budget, ret_scope);
	tree = parent->tree;
	if (!scope_is_ours(parent))
		return -EPERM;
	scope = scope_alloc(tree, parent, budget);
	if (!scope)
		return -ENOMEM;
	pthread_mutex_lock(&tree->lock);
	scope_look_up(tree);
	scope_link(scope);
	if (parent->weir.cause)
		scope_mark(scope, (enum weir_cause)parent->weir.cause);
	pthread_mutex_unlock(&tree->lock);
	*ret_scope = &scope->weir;
	return 0;
}

/* What was cancelled before it is found here, what comes later by its test. */
API int weir_scope_item_new(struct weir_scope *root, uint64_t id, struct weir_scope **ret_scope)
{
	struct scope_tree *tree = scope_of(root)->tree;
	struct scope *scope = scope_alloc(tree, scope_of(root), NULL);
	uint32_t cause;

	if (!scope)
		return -ENOMEM;
	scope->id = id;
	scope->is_item = true;
	scope->weir.news = tree->order.news;
	scope->weir.seen = scope_news(tree);
	pthread_mutex_lock(&tree->lock);
	scope_look_up(tree);
	cause = tree->order.find(tree->order.data, id); /* with the lock: whoever looks later finds it linked */
	scope_link(scope);
	if (tree->root->weir.cause || cause)
		scope_mark(scope,
			   tree->root->weir.cause ? (enum weir_cause)tree->root->weir.cause : (enum weir_cause)cause);
	pthread_mutex_unlock(&tree->lock);
	*ret_scope = &scope->weir;
	return 0;
}

static void tree_free(struct scope_tree *tree)
{
	pthread_cond_destroy(&tree->hook_has_run);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}

/* With the lock: from the leaves up. */
static void scope_free_below(struct scope *top)
{
	struct scope *scope = top;

	for (;;) {
		struct scope *parent = scope->parent;
		bool last = scope == top;

		if (scope->oldest) {
			scope = scope->oldest;
			continue;
		}
		if (parent)
			scope_unlink(scope);
		scope_fd_close(scope);
		free(scope);
		if (last)
			return;
		scope = parent;
	}
}

static struct weir_scope *scope_release(struct scope *scope, bool with_hooks)
{
	struct scope_tree *tree = scope->tree;
	bool whole = scope == tree->root;

	pthread_mutex_lock(&tree->lock);
	for (struct scope *at = with_hooks ? scope : NULL; at; at = scope_walk(scope, at, false))
		scope_hooks_forget(at);
	scope_free_below(scope);
	pthread_mutex_unlock(&tree->lock);
	if (whole)
		tree_free(tree);
	return NULL;
}

API struct weir_scope *weir_scope_root_free(struct weir_scope *scope)
{
	return scope ? scope_release(scope_of(scope), false) :
		       NULL; /* a stage that is closed has taken its hooks with it */
}

API struct weir_scope *weir_scope_free(struct weir_scope *weir_scope)
{
	struct scope *scope = scope_of(weir_scope);

	if (!scope || scope->is_item || (scope == scope->tree->root && scope->tree->order.word) ||
	    !scope_is_ours(scope))
		return NULL;
	if (weir_scope_done(weir_scope))
		(void)weir_scope_check(weir_scope);
	return scope_release(scope, true);
}

API struct weir_scope *weir_scope_item_free(struct weir_scope *weir_scope)
{
	if (!weir_scope || !scope_is_ours(scope_of(weir_scope)))
		return NULL;
	if (weir_scope_done(weir_scope))
		(void)weir_scope_check(weir_scope);
	return scope_release(scope_of(weir_scope), true);
}
