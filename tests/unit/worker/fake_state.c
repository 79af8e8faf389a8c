/* SPDX-License-Identifier: Apache-2.0 */
/* The bottle's keyed state: what worker/keyed.c promises, in a map that a commit copies. */
#include "tests/unit/worker/fake_state.h"

#include <string.h>

#include "tests/unit/worker/fake_host.h"

int fake_state_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
		   size_t *ret_size_bytes)
{
	return fake_map_get(&((struct fake_host *)(uintptr_t)context)->entries, key, key_size_bytes, ret_value,
			    ret_size_bytes);
}

int fake_state_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
		   size_t size_bytes)
{
	struct fake_host *host = ((struct fake_host *)(uintptr_t)context);

	return fake_map_put(&host->entries, host->state_bytes, key, key_size_bytes, value, size_bytes);
}

int fake_state_delete(struct weir_context *context, const void *key, size_t key_size_bytes)
{
	return fake_map_delete(&((struct fake_host *)(uintptr_t)context)->entries, key, key_size_bytes);
}

int fake_state_seek(struct weir_context *context, const void *prefix, size_t prefix_size_bytes, bool next,
		    struct weir_state_entry *entry)
{
	return fake_map_seek(&((struct fake_host *)(uintptr_t)context)->entries, prefix, prefix_size_bytes, next,
			     entry);
}

int fake_state_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes)
{
	*ret_used_bytes = ((struct fake_host *)(uintptr_t)context)->entries.used_bytes;
	*ret_size_bytes = ((struct fake_host *)(uintptr_t)context)->state_bytes;
	return WEIR_OK;
}

int fake_host_process_item(struct fake_host *host, const void *data, size_t size_bytes)
{
	uint8_t cursor[sizeof(host->cursor)];
	struct fake_map before = { 0 };
	uint64_t tail = host->tail, n_items = host->n_items;
	int r;

	memcpy(cursor, host->cursor, sizeof(cursor));
	fake_map_copy(&before, &host->entries);
	r = fake_host_process(host, data, size_bytes);
	if (r != WEIR_OK && r != WEIR_MORE && r != WEIR_HELD) {
		memcpy(host->cursor, cursor, sizeof(cursor));
		fake_map_copy(&host->entries, &before);
		host->tail = tail;
		host->n_items = n_items;
	}
	fake_map_deinit(&before);
	return r;
}
