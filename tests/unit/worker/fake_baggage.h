/* SPDX-License-Identifier: Apache-2.0 */
/* weir/baggage.h in the bottle. */
#pragma once

#include <weir/stage.h>

size_t fake_baggage_pack(const struct weir_context *context, void *packed);
int fake_baggage_unpack(struct weir_context *context, const void *packed, size_t size_bytes);
int fake_baggage_clear(struct weir_context *context);
int fake_baggage_set(struct weir_context *context, const char *key, const void *value, size_t size_bytes);
int fake_baggage_get(const struct weir_context *context, const char *key, const void **ret_value,
		     size_t *ret_size_bytes);
int fake_expire_at(struct weir_context *context, uint64_t deadline_ns);
