/* SPDX-License-Identifier: Apache-2.0 */
/* What include/weir/channel.h calls in a worker. */
#pragma once

#include <weir/channel.h>

#include "worker/worker.h"

struct pollfd;

uint32_t channel_inputs(const struct weir_context *context);
int channel_recv(struct weir_context *context, uint32_t input, uint64_t deadline_ns, struct weir_item *ret_item);
int channel_send(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		 uint64_t deadline_ns);
/* weir_reserve() and weir_push() inside run(). */
int channel_reserve(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload);
int channel_push(struct weir_context *context, uint32_t output, size_t size_bytes);
int channel_select(struct weir_context *context, struct weir_case *cases, size_t n_cases, uint64_t deadline_ns,
		   size_t *ret_case);
/* The same with a scope and a budget, each NULL or not. */
int channel_recv_in(struct weir_context *context, uint32_t input, struct weir_scope *scope,
		    const struct weir_budget *budget, struct weir_item *ret_item);
int channel_send_in(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		    struct weir_scope *scope, const struct weir_budget *budget);
int channel_select_in(struct weir_context *context, struct weir_case *cases, size_t n_cases, struct weir_scope *scope,
		      const struct weir_budget *budget, size_t *ret_case);
int channel_close(struct weir_context *context, uint32_t output);
void channel_hold(struct weir_context *context);

/* weir_reject() and weir_hold(): what becomes of the item in hand. Without one, the next call fails. */
void channel_give(struct worker *worker, int fate);
/* weir_wait() inside run(): a select without lanes. deadline_ns as there: 0 is none. A source that has to drain gets WEIR_CLOSED. */
int channel_wait(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns);
