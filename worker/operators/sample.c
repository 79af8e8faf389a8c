/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: sample. Every n-th item, or a share of them by lot; the others are filtered.
 *
 * The cursor is the number of items that it has seen, which moves with the items. Whether an item is chosen follows from its number (and
 * the seed) alone: so whoever does it again after a kill chooses the same, and the same stream gives the same sample in every run.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "worker/builtin.h"

#define WHOLE UINT64_C(1000000000) /* share: billionths */

struct sample_cursor {
	uint64_t seen;
};

struct sample {
	uint64_t every; /* 0: by lot */
	uint64_t share, seed;
};

/* SplitMix64: neighbours give numbers that have nothing to do with each other. */
static uint64_t scatter(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
	return number ^ (number >> 31);
}

static int sample_open(struct weir_context *context, void **ret_state)
{
	struct sample *state = calloc(1, sizeof(*state));

	if (!state)
		return error_origin(-ENOMEM);
	if (weir_option_given(context, "every")) {
		state->every = (uint64_t)weir_option_integer(context, "every");
	} else {
		state->share = (uint64_t)weir_option_integer(context, "share");
		state->seed = scatter((uint64_t)weir_option_integer(context, "seed"));
	}
	*ret_state = state;
	return 0;
}

/* number: from 1. */
static bool is_chosen(const struct sample *state, uint64_t number)
{
	if (state->every)
		return number % state->every == 0;
	return (uint64_t)((unsigned __int128)scatter(state->seed ^ scatter(number)) * WHOLE >> 64) < state->share;
}

static int sample_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct sample_cursor *cursor = weir_cursor(context);
	int r = 0;

	if (is_chosen(data, cursor->seen + 1))
		r = weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	cursor->seen += r == 0;
	return r;
}

static void sample_close(struct weir_context *context, void *data)
{
	(void)context;
	free(data);
}

const struct weir_stage sample_operator_callbacks = {
	.open = sample_open,
	.process = sample_process,
	.close = sample_close,
};
