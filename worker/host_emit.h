/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls by which items leave a stage, for the table in host.c: weir_emit() and what is beside it in weir/stage.h. Worker process, its
 * one thread.
 */
#pragma once

#include <weir/stage.h>

int host_emit(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes);
int host_forward(struct weir_context *context, uint32_t output, const struct weir_item *item);
int host_reserve(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload);
int host_push(struct weir_context *context, uint32_t output, size_t size_bytes);
