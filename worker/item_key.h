/* SPDX-License-Identifier: Apache-2.0 */
/* What include/weir/key.h promises. Knows the context's host only by weir_fail(), so that tests of stages have it too. */
#pragma once

#include <weir/key.h>

int item_key_new(struct weir_context *context, const char *expression, struct weir_key **ret_key);
void item_key_free(struct weir_key *key);
int item_key_bytes(struct weir_key *key, const struct weir_item *item, const void **ret_bytes, size_t *ret_size_bytes);
int item_key_number(struct weir_key *key, const struct weir_item *item, double *ret_number);
int item_key_integer(struct weir_key *key, const struct weir_item *item, int64_t *ret_integer);
int item_key_time(struct weir_key *key, const struct weir_item *item, uint64_t unit_ns, uint64_t *ret_ns);
