/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: merge. Sorted inputs become one sorted output: the least of their heads goes next.
 *
 *      a   1 4 9        heads a 1, b 2, c 3 -> 1, and a's next: a 4, b 2, c 3 -> 2 ...       one step: take an item, emit one
 *      b   2 2 7
 *      c   3 8  | until 8: what is past it is left out, and the input with it
 *
 * Nothing goes out before each input has a head, or has ended, or has said nothing for `idle` while others waited. The item in hand goes
 * straight out if it is the least; else it is held, in the keyed state, until its turn: one item of each input at most. All else waits in
 * the lanes, so an input that is ahead waits for room, and a kill loses nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/channel.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/operators/heads.h"

enum input_state {
	INPUT_NEEDED = 0, /* nothing goes out without its head */
	INPUT_IDLE,       /* it has said nothing for too long */
	INPUT_ENDED,
};

struct merge {
	struct heads heads;
	enum input_state inputs[HEADS_MAX];
	uint32_t n_inputs;
	uint64_t idle_ns; /* 0: an input is waited for, whatever it does */
	struct head_key until, in_hand;
	bool has_until, fails;
};

static bool compares_text(const struct weir_context *context)
{
	return strcmp(weir_option_string(context, "compare"), "text") == 0;
}

static void merge_close(struct weir_context *context, void *data)
{
	struct merge *merge = data;

	heads_deinit(&merge->heads, context);
	head_key_deinit(&merge->until);
	head_key_deinit(&merge->in_hand);
	free(merge);
}

static int read_until(struct merge *merge, struct weir_context *context)
{
	const char *until = weir_option_string(context, "until");

	merge->has_until = until != NULL;
	if (!until || heads_read_key(&merge->heads, until, &merge->until))
		return 0;
	weir_complain(context, "until", 0, "'%.60s' is no number: say compare: text if the keys are texts", until);
	return WEIR_FAILED;
}

static int merge_check(struct weir_context *context)
{
	struct merge merge = { .heads = { .by_text = compares_text(context) } };
	int r = read_until(&merge, context);

	head_key_deinit(&merge.until);
	return r;
}

static int merge_open(struct weir_context *context, void **ret_state)
{
	struct merge *merge = calloc(1, sizeof(*merge));
	int r;

	if (!merge)
		return error_origin(-ENOMEM);
	merge->idle_ns = (uint64_t)weir_option_integer(context, "idle");
	merge->fails = strcmp(weir_option_string(context, "disorder"), "fail") == 0;
	r = heads_init(&merge->heads, context, weir_option_string(context, "key"), compares_text(context));
	if (r == 0)
		r = read_until(merge, context);
	if (r != 0) {
		merge_close(context, merge);
		return r;
	}
	*ret_state = merge;
	return 0;
}

/* In the cursor: the inputs that are past `until`, which may be long in ending. */
static uint64_t *left_inputs(struct weir_context *context)
{
	return weir_cursor(context);
}

/* ---- one item ---- */

static bool waits_for(const struct merge *merge, uint32_t input)
{
	return merge->inputs[input] == INPUT_NEEDED && !merge->heads.all[input].is_there;
}

static bool all_have_heads(const struct merge *merge)
{
	for (uint32_t i = 0; i < merge->n_inputs; i++)
		if (waits_for(merge, i))
			return false;
	return true;
}

static int out_of_order(struct merge *merge, struct weir_context *context)
{
	if (merge->fails) {
		weir_fail(
			context,
			"an item is out of order: its key is less than that of one that has gone out; are the inputs sorted by key?");
		return WEIR_FAILED;
	}
	weir_reject(context, "it is out of order: its key is less than that of one that has gone out");
	return 0;
}

/* It is the least: it goes without being held. */
static int send_in_hand(struct merge *merge, struct weir_context *context, const struct weir_item *item)
{
	int r = weir_send(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes, WEIR_FOREVER);

	return r == WEIR_OK ? heads_note_last(&merge->heads, context, &merge->in_hand) : r;
}

static bool is_least(const struct merge *merge, uint32_t input)
{
	uint32_t least = heads_least(&merge->heads);
	int order;

	for (uint32_t i = 0; i < merge->n_inputs; i++)
		if (i != input && waits_for(merge, i))
			return false;
	if (least == HEADS_MAX)
		return true;
	order = heads_compare(&merge->heads, &merge->in_hand, &merge->heads.all[least].key);
	return order < 0 || (order == 0 && input < least);
}

static int hold(struct merge *merge, struct weir_context *context, const struct weir_item *item)
{
	struct head *head = &merge->heads.all[item->input];
	struct head_key key = head->key;
	int r;

	head->key = merge->in_hand;
	merge->in_hand = key;
	r = heads_put(&merge->heads, context, item->input, item);
	if (r == 0)
		weir_hold(context);
	if (r != WEIR_FULL && r != WEIR_TOO_LARGE)
		return r;
	weir_reject(context, "it has to wait for other inputs, and is too large to be held: %s",
		    r == WEIR_FULL ? "give the stage more state:" : "at most 1 MiB can be");
	return 0;
}

static int take(struct merge *merge, struct weir_context *context, const struct weir_item *item)
{
	int r = heads_key_of(&merge->heads, context, item, &merge->in_hand);

	merge->inputs[item->input] = INPUT_NEEDED;
	if (r != 0) {
		weir_reject(context,
			    r == -ENOENT ? "it has no key" : "its key is no number: say compare: text for texts");
		return 0;
	}
	if (item->size_bytes > weir_item_size_max(context)) {
		weir_reject(context, "it does not fit a lane: give the stage behind this one a larger lane:");
		return 0;
	}
	if (merge->has_until && heads_compare(&merge->heads, &merge->in_hand, &merge->until) > 0) {
		merge->inputs[item->input] = INPUT_ENDED;
		*left_inputs(context) |= UINT64_C(1) << item->input;
		return weir_leave(context, item->input);
	}
	if (merge->heads.has_last && heads_compare(&merge->heads, &merge->in_hand, &merge->heads.last) < 0)
		return out_of_order(merge, context);
	return is_least(merge, item->input) ? send_in_hand(merge, context, item) : hold(merge, context, item);
}

/* ---- the loop ---- */

static size_t list_cases(const struct merge *merge, struct weir_case *cases)
{
	size_t n = 0;

	for (uint32_t i = 0; i < merge->n_inputs; i++)
		if (merge->inputs[i] != INPUT_ENDED && !merge->heads.all[i].is_there)
			cases[n++] = (struct weir_case){ .kind = WEIR_CASE_RECV, .index = i };
	return n;
}

/* Those that have said nothing for so long are waited for no more. */
static void pass_over(struct merge *merge)
{
	for (uint32_t i = 0; i < merge->n_inputs; i++)
		if (waits_for(merge, i))
			merge->inputs[i] = INPUT_IDLE;
}

/* An input that has ended, as said before its last worker was killed, says so again. */
static int next(struct merge *merge, struct weir_context *context)
{
	struct weir_case cases[HEADS_MAX];
	size_t n = list_cases(merge, cases), which = WEIR_NO_CASE;
	bool somebody_waits = heads_least(&merge->heads) != HEADS_MAX;
	uint64_t deadline_ns = somebody_waits && merge->idle_ns ? weir_now_ns(context) + merge->idle_ns : WEIR_FOREVER;
	int r;

	if (!n)
		return WEIR_CLOSED;
	r = weir_select(context, cases, n, deadline_ns, &which);
	if (r == WEIR_OK)
		return take(merge, context, &cases[which].item);
	if (r == WEIR_CLOSED && which != WEIR_NO_CASE) {
		merge->inputs[cases[which].index] = INPUT_ENDED;
		return 0;
	}
	if (r != WEIR_EXPIRED)
		return r;
	pass_over(merge);
	return 0;
}

/* What one step sends has to fit a lane, so each head has one of its own; of an input that lives the next item begins it. */
static int send_least(struct merge *merge, struct weir_context *context, uint32_t input)
{
	struct weir_item item;
	int r = heads_send(&merge->heads, context, input);

	if (r == 0 && merge->inputs[input] == INPUT_ENDED) {
		r = weir_recv(context, input, WEIR_NOW, &item);
		r = r == WEIR_CLOSED || r == WEIR_WOULD_BLOCK ? 0 : r;
	}
	return r;
}

static int merge_run(struct weir_context *context, void *data)
{
	struct merge *merge = data;
	int r = 0;

	merge->n_inputs = weir_inputs(context);
	for (uint32_t i = 0; i < merge->n_inputs; i++)
		if (*left_inputs(context) >> i & 1)
			merge->inputs[i] = INPUT_ENDED;
	while (r == 0) {
		uint32_t least = heads_least(&merge->heads);

		r = least != HEADS_MAX && all_have_heads(merge) ? send_least(merge, context, least) :
								  next(merge, context);
	}
	return r;
}

const struct weir_stage merge_operator_callbacks = {
	.open = merge_open,
	.close = merge_close,
	.run = merge_run,
	.check = merge_check,
};
