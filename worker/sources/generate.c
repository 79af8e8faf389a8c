/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: generate. Numbered items, made up on the spot. The cursor is the number of items made so far.
 *
 * A rate is kept as a schedule: item k of this schedule is due k/rate seconds after its beginning. A stage that was held up
 * catches up with at most a tenth of a second's worth at once; the schedule is moved on over the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "worker/builtin.h"

#define BUDGET 64u
#define BURST_PER_RATE 10u    /* a tenth of a second */
#define WAKE_NS_MIN NS_PER_MS /* several items a wake-up, at high rates */
#define NUMBER "{n}"
#define DIGITS_MAX 20u

struct generate_cursor {
	uint64_t made;
};

struct generate {
	uint64_t count;    /* UINT64_MAX: endless */
	uint64_t rate;     /* 0: none */
	uint64_t begin_ns; /* of the schedule; 0: not begun */
	uint64_t issued;   /* items that the schedule has given out */
	uint64_t scopes;   /* 0: items belong to none */
	const char *text;  /* the option */
	size_t n_numbers;  /* {n} in it */
	size_t size_min;   /* pad up to this */
	char *buffer;      /* the item; large enough for the longest */
};

static void generate_close(struct weir_context *context, void *data)
{
	struct generate *state = data;

	(void)context;
	if (state)
		free(state->buffer);
	free(state);
}

static int generate_open(struct weir_context *context, void **ret_state)
{
	struct generate *state = calloc(1, sizeof(*state));
	size_t size;

	if (!state)
		return error_origin(-ENOMEM);
	state->count =
		weir_option_given(context, "count") ? (uint64_t)weir_option_integer(context, "count") : UINT64_MAX;
	state->rate = weir_option_given(context, "rate") ? (uint64_t)weir_option_integer(context, "rate") : 0;
	state->size_min = weir_option_given(context, "size") ? (size_t)weir_option_integer(context, "size") : 0;
	state->scopes = weir_option_given(context, "scopes") ? (uint64_t)weir_option_integer(context, "scopes") : 0;
	state->text = weir_option_string(context, "text");
	if (!state->text)
		state->text = "item " NUMBER;
	for (const char *at = state->text; (at = strstr(at, NUMBER)); at += strlen(NUMBER))
		state->n_numbers++;
	size = strlen(state->text) + state->n_numbers * DIGITS_MAX;
	if (size < state->size_min)
		size = state->size_min;
	state->buffer = malloc(size + 1);
	if (!state->buffer) {
		generate_close(context, state);
		return error_origin(-ENOMEM);
	}
	if (state->size_min > weir_item_size_max(context) || strlen(state->text) > weir_item_size_max(context)) {
		weir_fail(
			context,
			"an item of %zu bytes does not fit the lane, which takes %zu; give the stage behind this one a larger `lane:`",
			state->size_min > strlen(state->text) ? state->size_min : strlen(state->text),
			weir_item_size_max(context));
		generate_close(context, state);
		return WEIR_FAILED;
	}
	*ret_state = state;
	return 0;
}

/* Writes the decimal number at `at`; returns its length. */
static size_t number_write(char *at, uint64_t n)
{
	char digits[DIGITS_MAX];
	size_t length = 0;

	do
		digits[DIGITS_MAX - ++length] = (char)('0' + n % 10);
	while ((n /= 10));
	memcpy(at, digits + DIGITS_MAX - length, length);
	return length;
}

static size_t generate_write(struct generate *state, uint64_t n)
{
	size_t length = 0;

	for (const char *at = state->text;;) {
		const char *number = state->n_numbers ? strstr(at, NUMBER) : NULL;
		size_t plain = number ? (size_t)(number - at) : strlen(at);

		memcpy(state->buffer + length, at, plain);
		length += plain;
		if (!number)
			break;
		length += number_write(state->buffer + length, n);
		at = number + strlen(NUMBER);
	}
	if (length < state->size_min) {
		memset(state->buffer + length, 'x', state->size_min - length);
		length = state->size_min;
	}
	return length;
}

/* How many items may be made now; without any, the stage is called again when one is due. */
static uint64_t generate_allowance(struct weir_context *context, struct generate *state)
{
	uint64_t now_ns, due, burst, wake_ns;

	if (!state->rate)
		return UINT64_MAX;
	now_ns = weir_now_ns(context);
	if (!state->begin_ns)
		state->begin_ns = now_ns;
	due = 1 + (uint64_t)((unsigned __int128)(now_ns - state->begin_ns) * state->rate / NS_PER_S);
	burst = state->rate / BURST_PER_RATE + 1;
	if (due > state->issued + burst)
		state->issued = due - burst;
	if (due > state->issued)
		return due - state->issued;
	wake_ns = state->begin_ns +
		  (uint64_t)(((unsigned __int128)state->issued * NS_PER_S + state->rate - 1) / state->rate);
	weir_watch(context, -1, 0, wake_ns > now_ns + WAKE_NS_MIN ? wake_ns : now_ns + WAKE_NS_MIN);
	return 0;
}

static int generate_produce(struct weir_context *context, void *data)
{
	struct generate *state = data;
	struct generate_cursor *cursor = weir_cursor(context);
	uint64_t allowance;

	if (cursor->made >= state->count)
		return WEIR_CLOSED;
	allowance = generate_allowance(context, state);
	if (!allowance)
		return WEIR_WAIT;
	for (unsigned i = 0; i < BUDGET && allowance && cursor->made < state->count; i++, allowance--) {
		int r = state->scopes ? weir_scope_enter(context, 1 + cursor->made % state->scopes) : 0;

		if (r == 0)
			r = weir_emit(context, WEIR_ALL_OUTPUTS, state->buffer,
				      generate_write(state, cursor->made + 1));
		if (r == WEIR_TOO_LARGE)
			return error_origin(-EMSGSIZE);
		if (r != 0 && r != WEIR_REJECTED)
			return r == WEIR_FULL ? WEIR_MORE : r;
		cursor->made++;
		state->issued++;
	}
	weir_progress(context, cursor->made, state->count == UINT64_MAX ? 0 : state->count);
	return cursor->made >= state->count ? WEIR_CLOSED : WEIR_MORE;
}

const struct weir_stage generate_source_callbacks = {
	.open = generate_open,
	.produce = generate_produce,
	.close = generate_close,
};
