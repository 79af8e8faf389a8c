/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: delay. Each item is handed on so long after its source took it in.
 *
 *      source took it in      the stages before this one      in the lane      handed on
 *            |------------------------|----------------------------|---------------|
 *            '------------------------------ for ---------------------------------'
 *
 * When that was stands in the item, so nothing has to be kept, and whoever comes after a kill hands it on at the same time. What is not due
 * is postponed: it lies in the lane, which bounds the memory, and the items behind it were taken in later, so they are not due either.
 * An item that has been under way for longer already goes on at once.
 *
 * Who waits is woken once a millisecond at most, for all that is due by then.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/builtin.h"

#define WAKE_NS NS_PER_MS

struct delay {
	uint64_t for_ns;
};

static int delay_open(struct weir_context *context, void **ret_state)
{
	struct delay *state = malloc(sizeof(*state));

	if (!state)
		return error_origin(-ENOMEM);
	state->for_ns = (uint64_t)weir_option_integer(context, "for");
	*ret_state = state;
	return 0;
}

static int delay_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	const struct delay *state = data;
	uint64_t now_ns = weir_now_ns(context), due_ns = item->accepted_ns + state->for_ns;

	if (now_ns < due_ns)
		return weir_postpone(context, due_ns > now_ns + WAKE_NS ? due_ns : now_ns + WAKE_NS);
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static void delay_close(struct weir_context *context, void *data)
{
	(void)context;
	free(data);
}

const struct weir_stage delay_operator_callbacks = {
	.open = delay_open,
	.process = delay_process,
	.close = delay_close,
};
