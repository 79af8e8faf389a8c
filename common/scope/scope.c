/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelling. There are two ways for a scope to be done, and a test looks at both:
 *
 *      weir_scope_cancel(), deadline                     the supervisor (another process)
 *        | lock, walk down, one store for each scope        | one store for each worker
 *        v                                                  v
 *      scope.cause   own word                            board word, shared by all scopes below this worker
 *                \                                        /
 *                 '---------- weir_scope_done() ---------'
 *
 * So nobody has to pass the supervisor's order on before it is seen. What an order does besides (the words, hooks, descriptors in
 * use by sleepers) is made up for by whoever comes first with the lock in hand: scope_look_up(). It comes before anything else is
 * decided, so an order that stands on the board beats a cancel that comes later, and the cause that the first of them finds is kept. It
 * cannot be missing: the supervisor stores it before the order [B1].
 *
 * Deadlines are looked at by weir_scope_check() alone. A child's is never later than its parent's, so of a chain the scopes
 * whose time is over are the lower end, and the highest of them is the one to cancel.
 */
#include "common/scope/scope.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/atomic.h"
#include "common/base/clock.h"
#include "common/scope/cause.h"
#include "common/scope/scope_priv.h"

#define CAUSE(id_, name_, summary_) \
	static_assert((int)WEIR_CAUSE_##id_ == (int)CAUSE_##id_, "weir/cause.h and cause.def differ");
#include "common/scope/cause.def"
#undef CAUSE
static_assert((int)WEIR_CAUSE_CONFIG + 1 == (int)CAUSE_COUNT, "a cause is missing in weir/cause.h");

API const char *weir_cause_name(enum weir_cause cause)
{
	return cause_name(cause);
}

struct scope *scope_walk(const struct scope *top, const struct scope *scope, bool skip)
{
	if (scope->oldest && !skip)
		return scope->oldest;
	while (scope != top && !scope->younger)
		scope = scope->parent;
	return scope == top ? NULL : scope->younger;
}

void scope_mark(struct scope *scope, enum weir_cause cause)
{
	struct scope *at = scope;

	while (at) {
		bool was_done = at->weir.cause != 0;

		if (!was_done) {
			store_release((atomic_u32 *)&at->weir.cause, (uint32_t)cause); /* [P1] mate: weir_scope_done */
			scope_hooks_due(at);
			scope_fd_tell(at);
		}
		at = scope_walk(scope, at, was_done);
	}
}

static enum cause cause_of_item(const struct scope *scope)
{
	uint32_t cause = scope->tree->order.find(scope->tree->order.data, scope->id);

	return cause < CAUSE_COUNT ? (enum cause)cause : CAUSE_USER;
}

API bool weir_scope_look(const struct weir_scope *weir_scope)
{
	struct scope *scope = scope_of(weir_scope);
	uint32_t news = scope_news(scope->tree);

	if (cause_of_item(scope) != CAUSE_NONE)
		return true;
	store_relaxed((atomic_u32 *)&scope->weir.seen, news); /* several may: at worst they look once more */
	return false;
}

uint32_t scope_news(const struct scope_tree *tree)
{
	return load_acquire((const atomic_u32 *)tree->order.news); /* [B6] mate: scope_table_add */
}

bool scope_has_news(const struct scope_tree *tree)
{
	return tree->order.news && scope_news(tree) != load_relaxed((const atomic_u32 *)&tree->news_seen);
}

/* First the descriptor is made quiet: what comes after that makes it readable again. */
static void scope_look_up_items(struct scope_tree *tree)
{
	uint32_t news;
	uint64_t n;
	ssize_t r;

	if (!scope_has_news(tree))
		return;
	r = tree->order.news_fd >= 0 ? read(tree->order.news_fd, &n, sizeof(n)) : 0;
	(void)r; /* another look may have been quicker */
	news = scope_news(tree);
	for (struct scope *at = tree->root; at; at = scope_walk(tree->root, at, false))
		if (at->is_item && !at->weir.cause && cause_of_item(at) != CAUSE_NONE)
			scope_mark(at, (enum weir_cause)cause_of_item(at));
	store_relaxed((atomic_u32 *)&tree->news_seen, news);
}

void scope_look_up(struct scope_tree *tree)
{
	uint32_t cause;

	if (!tree->order.word || tree->root->weir.cause)
		return;
	if (!weir_scope_done(&tree->root->weir)) {
		scope_look_up_items(tree);
		return;
	}
	cause = load_relaxed((const atomic_u32 *)tree->order.cause);
	scope_mark(tree->root, cause > CAUSE_NONE && cause < CAUSE_COUNT ? (enum weir_cause)cause : WEIR_CAUSE_USER);
}

API enum weir_cause weir_scope_cause(struct weir_scope *weir_scope)
{
	struct scope *scope = scope_of(weir_scope);
	enum weir_cause cause;

	if (!scope_is_ours(scope))
		return (enum weir_cause)weir_scope->cause;
	pthread_mutex_lock(&scope->tree->lock);
	scope_look_up(scope->tree);
	cause = (enum weir_cause)weir_scope->cause;
	pthread_mutex_unlock(&scope->tree->lock);
	return cause;
}

API int weir_scope_cancel(struct weir_scope *weir_scope, enum weir_cause cause)
{
	struct scope *scope = scope_of(weir_scope);
	int r = WEIR_OK;

	if (cause <= WEIR_CAUSE_NONE || (int)cause >= (int)CAUSE_COUNT)
		return -EINVAL;
	if (!scope_is_ours(scope) || scope->is_item || (scope == scope->tree->root && scope->tree->order.word))
		return -EPERM;
	pthread_mutex_lock(&scope->tree->lock);
	scope_look_up(scope->tree);
	if (weir_scope->cause)
		r = WEIR_CANCELLED;
	else
		scope_mark(scope, cause);
	pthread_mutex_unlock(&scope->tree->lock);
	scope_hooks_run(scope->tree);
	return r;
}

/* The highest scope of the chain whose deadline has passed; NULL: none. Calls the expiries of the chain. */
static struct scope *scope_overdue(struct scope *scope)
{
	struct scope *overdue = NULL;
	uint64_t now_ns;

	if (scope->budget.deadline_ns == WEIR_FOREVER)
		return NULL;
	now_ns = clock_now_ns();
	for (; scope && scope->budget.deadline_ns <= now_ns; scope = scope->parent) {
		(void)weir_budget_check(&scope->budget);
		overdue = scope;
	}
	return overdue;
}

API int weir_scope_check(struct weir_scope *weir_scope)
{
	struct scope *scope = scope_of(weir_scope), *overdue;
	bool done = weir_scope_done(weir_scope);

	if (!scope_is_ours(scope))
		return done ? WEIR_CANCELLED : WEIR_OK;
	overdue = scope_overdue(scope);
	if (!done && !overdue && !scope_has_news(scope->tree))
		return WEIR_OK;
	pthread_mutex_lock(&scope->tree->lock);
	scope_look_up(scope->tree);
	if (overdue)
		scope_mark(overdue, overdue->budget.cause);
	pthread_mutex_unlock(&scope->tree->lock);
	scope_hooks_run(scope->tree);
	return weir_scope_done(weir_scope) ? WEIR_CANCELLED : WEIR_OK;
}

API struct weir_budget weir_scope_budget(const struct weir_scope *scope)
{
	struct weir_budget budget = scope_of(scope)->budget;

	budget.expiry = NULL;
	return budget;
}
