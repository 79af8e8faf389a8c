/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of weir/state.h, for the table of tests/unit/worker/fake_host.c. */
#pragma once

#include <stdbool.h>
#include <weir/state.h>

int fake_state_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
		   size_t *ret_size_bytes);
int fake_state_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
		   size_t size_bytes);
int fake_state_delete(struct weir_context *context, const void *key, size_t key_size_bytes);
int fake_state_seek(struct weir_context *context, const void *prefix, size_t prefix_size_bytes, bool next,
		    struct weir_state_entry *entry);
int fake_state_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes);
