/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For programs that step through a worker or explore it: no stage there keeps state. LMDB and its file are nothing to step through;
 * test_keyed.c takes the file away at each step of a fold, and scenario k10 kills there.
 */
#include "worker/keyed.h"

#include <errno.h>

void keyed_item_end(struct worker *worker)
{
	(void)worker;
}

void keyed_item_drop(struct worker *worker)
{
	(void)worker;
}

bool keyed_item_changed(const struct worker *worker)
{
	(void)worker;
	return false;
}

int keyed_check(struct worker *worker)
{
	(void)worker;
	return 0;
}

void keyed_collect(struct worker *worker)
{
	(void)worker;
}

int keyed_settle(struct worker *worker)
{
	(void)worker;
	return 0;
}

void keyed_detach(struct worker *worker)
{
	(void)worker;
}

int keyed_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
	      size_t *ret_size_bytes)
{
	(void)context;
	(void)key;
	(void)key_size_bytes;
	(void)ret_value;
	(void)ret_size_bytes;
	return -EPERM;
}

int keyed_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
	      size_t size_bytes)
{
	(void)context;
	(void)key;
	(void)key_size_bytes;
	(void)value;
	(void)size_bytes;
	return -EPERM;
}

int keyed_delete(struct weir_context *context, const void *key, size_t key_size_bytes)
{
	(void)context;
	(void)key;
	(void)key_size_bytes;
	return -EPERM;
}

int keyed_seek(struct weir_context *context, const void *prefix, size_t prefix_size_bytes, bool next,
	       struct weir_state_entry *entry)
{
	(void)context;
	(void)prefix;
	(void)prefix_size_bytes;
	(void)next;
	(void)entry;
	return -EPERM;
}

int keyed_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes)
{
	(void)context;
	(void)ret_used_bytes;
	(void)ret_size_bytes;
	return -EPERM;
}
