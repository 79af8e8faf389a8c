/* SPDX-License-Identifier: Apache-2.0 */
/* Cancel scopes, seen from the runtime: the root of a worker, and what its waits need. Part of libweir: see include/weir/scope.h. */
#pragma once

#include <stdint.h>
#include <weir/scope.h>

/* Where a worker's root hangs: words that the supervisor writes, cause before word, and a descriptor that it makes readable with them. */
struct scope_order {
	const uint32_t *word, *cause;
	int fd; /* -1: none; borrowed */

	/* Scopes of items. The supervisor moves `news` on after it has cancelled one, and then makes news_fd readable. */
	const uint32_t *news; /* NULL: there are none */
	int news_fd;          /* eventfd, not blocking, or -1; borrowed, and read by whoever looks */
	uint32_t (*find)(const void *data, uint64_t id); /* the cause with which one is cancelled, or 0; wait-free */
	const void *data;
};

/* A root that is cancelled by order. Returns 0 and the scope, owned by the caller (weir_scope_root_free()), or -ENOMEM. */
int weir_scope_root_new(const struct scope_order *order, struct weir_scope **ret_scope);
/* With all below it; those of the stage that are left, too. Does not look at hooks: their memory may be gone. Returns NULL. */
struct weir_scope *weir_scope_root_free(struct weir_scope *scope);

/* The scope of an item, by its number, below the root. As weir_scope_new(); only weir_scope_item_free() frees it. */
int weir_scope_item_new(struct weir_scope *root, uint64_t id, struct weir_scope **ret_scope);
/* NULL is fine. Returns NULL. */
struct weir_scope *weir_scope_item_free(struct weir_scope *scope);

/* As weir_scope_fd(), but readable only if somebody in this process has cancelled it: for who hears of orders and times otherwise. */
int weir_scope_event_fd(struct weir_scope *scope);
