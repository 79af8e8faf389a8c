/* SPDX-License-Identifier: Apache-2.0 */
/* A scope and its tree, for scope.c, scope_tree.c, scope_hooks.c and scope_fd.c. */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>
#include <weir/scope.h>

#include "common/scope/scope.h"

#define API __attribute__((visibility("default")))

struct scope_tree;

struct scope {
	struct weir_scope weir; /* first: what stages hold */
	struct scope_tree *tree;
	uint64_t id;                     /* of the item's scope that it is, or is below; 0: of none */
	bool is_item;                    /* it is the item's: the runtime's to free */
	struct scope *parent;            /* NULL: the root. Like the deadline, fixed for life */
	struct scope *oldest, *youngest; /* children */
	struct scope *older, *younger;   /* siblings */
	struct weir_budget budget;       /* own, or what counts of those above; `expiry` is its own */
	struct weir_scope_hook *hooks;   /* latest first; not due */
	int event_fd;                    /* readable once cancelled; -1: nobody has asked for it */
	int timer_fd, fd;                /* what weir_scope_fd() gives: event_fd, or an epoll of all that it hangs on */
};

struct scope_tree {
	pthread_mutex_t lock; /* of everything but the words that weir_scope_done() reads */
	pthread_cond_t hook_has_run;
	struct scope *root;
	struct scope_order order;    /* a worker's; else order.word is NULL */
	struct weir_scope_hook *due; /* of cancelled scopes; in the order in which they will run */
	struct weir_scope_hook *running;
	uint32_t news_seen; /* of *order.news: all that was cancelled up to here has been passed on */
	pid_t pid;
};

enum { HOOK_FREE = 0, HOOK_WAITS, HOOK_DUE, HOOK_RUNS, HOOK_HAS_RUN };

static inline struct scope *scope_of(const struct weir_scope *scope)
{
	return (struct scope *)(uintptr_t)scope;
}

/* True in the process that has made it. */
bool scope_is_ours(const struct scope *scope);

/* The next one below `top`, each before those below it and behind its older siblings; NULL: that was all. skip: not those below it. */
struct scope *scope_walk(const struct scope *top, const struct scope *scope, bool skip);

/* With the lock: cancels it and all below it; their hooks are due then. */
void scope_mark(struct scope *scope, enum weir_cause cause);
/* With the lock: if the supervisor has ordered a cancel the root is marked; else those of items that it has cancelled. */
void scope_look_up(struct scope_tree *tree);

/* How often the scope of an item has been cancelled by now. */
uint32_t scope_news(const struct scope_tree *tree);
/* Somebody has cancelled an item's scope since the last look. */
bool scope_has_news(const struct scope_tree *tree);

/* With the lock: puts hooks of a scope that is being cancelled before those that are due. */
void scope_hooks_due(struct scope *scope);
/* Without the lock: runs what is due, and what becomes due meanwhile. */
void scope_hooks_run(struct scope_tree *tree);
/* With the lock: forgets the hooks of a scope that is about to go; waits for those that run. */
void scope_hooks_forget(struct scope *scope);

/* With the lock: its descriptor is readable now, if there is one. */
void scope_fd_tell(const struct scope *scope);
void scope_fd_close(struct scope *scope);
