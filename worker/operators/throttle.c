/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: throttle. A bucket of tokens, one an item: it fills steadily up to `burst`, and what finds none waits in its lane, is rejected
 * or dropped.
 *
 * All is counted in whole units, so nothing is lost to rounding: a nanosecond brings `gain` of them and an item costs `price`.
 *
 *      rate: 3/s     gain 3, price 1,000,000,000        every: 10s     gain 1, price 10,000,000,000
 *
 * The bucket lies in the cursor and so moves with the items that have paid: after a kill there is in it what there was when the last of
 * them took effect, and what the time since then has brought (CLOCK_MONOTONIC goes on for everybody). So no kill lets one item more pass,
 * and none costs a token. An item that is rejected or dropped leaves the bucket as it was.
 *
 * Who waits is not woken for each token of a high rate, but for those of a millisecond.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/builtin.h"

#define BURST_NS (NS_PER_S / 10) /* without `burst`: what comes in so long */
#define WAKE_NS NS_PER_MS

struct throttle_cursor {
	uint64_t tokens, rest; /* rest: units, less than a price */
	uint64_t filled_ns;    /* as it was then; 0: never */
};

enum beyond { BEYOND_WAIT, BEYOND_REJECT, BEYOND_DROP };

struct throttle {
	uint64_t gain, price;
	uint64_t burst, portion; /* items; portion: that are waited for at a time */
	enum beyond beyond;
	char rate[64]; /* for people */
};

static void describe(struct throttle *state)
{
	char every[QUANTITY_TEXT_SIZE];

	if (state->price == NS_PER_S)
		snprintf(state->rate, sizeof(state->rate), "%" PRIu64 "/s", state->gain);
	else
		snprintf(state->rate, sizeof(state->rate), "one in %s", quantity_format_duration(state->price, every));
}

static enum beyond beyond_of(const char *word)
{
	return strcmp(word, "reject") == 0 ? BEYOND_REJECT : strcmp(word, "drop") == 0 ? BEYOND_DROP : BEYOND_WAIT;
}

/* Items that so long a time brings, at least one. */
static uint64_t worth_of(const struct throttle *state, uint64_t ns)
{
	uint64_t n = (uint64_t)((unsigned __int128)ns * state->gain / state->price);

	return n ? n : 1;
}

static int throttle_open(struct weir_context *context, void **ret_state)
{
	struct throttle_cursor *cursor = weir_cursor(context);
	struct throttle *state = malloc(sizeof(*state));
	bool by_rate = weir_option_given(context, "rate");

	if (!state)
		return error_origin(-ENOMEM);
	state->gain = by_rate ? (uint64_t)weir_option_integer(context, "rate") : 1;
	state->price = by_rate ? NS_PER_S : (uint64_t)weir_option_integer(context, "every");
	state->burst = weir_option_given(context, "burst") ? (uint64_t)weir_option_integer(context, "burst") :
							     worth_of(state, BURST_NS);
	state->portion = worth_of(state, WAKE_NS);
	if (state->portion > state->burst)
		state->portion = state->burst;
	state->beyond = beyond_of(weir_option_string(context, "beyond"));
	describe(state);
	if (!cursor->filled_ns)
		*cursor = (struct throttle_cursor){ .tokens = state->burst, .filled_ns = weir_now_ns(context) };
	*ret_state = state;
	return 0;
}

static void fill(const struct throttle *state, struct throttle_cursor *cursor, uint64_t now_ns)
{
	unsigned __int128 units, tokens;

	if (now_ns <= cursor->filled_ns)
		return;
	units = (unsigned __int128)(now_ns - cursor->filled_ns) * state->gain + cursor->rest;
	tokens = units / state->price + cursor->tokens;
	cursor->filled_ns = now_ns;
	cursor->tokens = tokens < state->burst ? (uint64_t)tokens : state->burst;
	cursor->rest = tokens < state->burst ? (uint64_t)(units % state->price) : 0;
}

/* When the empty bucket will hold a portion. */
static uint64_t ready_ns(const struct throttle *state, const struct throttle_cursor *cursor)
{
	unsigned __int128 units = (unsigned __int128)state->portion * state->price - cursor->rest;

	return cursor->filled_ns + (uint64_t)((units + state->gain - 1) / state->gain);
}

static int throttle_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	const struct throttle *state = data;
	struct throttle_cursor *cursor = weir_cursor(context);

	fill(state, cursor, weir_now_ns(context));
	if (cursor->tokens) {
		int r = weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);

		cursor->tokens -= r == 0;
		return r;
	}
	switch (state->beyond) {
	case BEYOND_REJECT:
		weir_reject(context, "over the rate of %s", state->rate);
		return WEIR_REJECTED;
	case BEYOND_DROP:
		return WEIR_OK;
	case BEYOND_WAIT:
		break;
	}
	return weir_postpone(context, ready_ns(state, cursor));
}

static void throttle_close(struct weir_context *context, void *data)
{
	(void)context;
	free(data);
}

const struct weir_stage throttle_operator_callbacks = {
	.open = throttle_open,
	.process = throttle_process,
	.close = throttle_close,
};
