/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: what one receive costs while items lie ready: alone; when it also watches a scope below the worker's, and a budget
 * (weir_recv_in()); and as the one case of a select with both (weir_select_in()).
 *
 * The kinds take turns, BLOCK receives each, in the same process and from the same lane, with two clock reads a block. Now and then
 * it rests, so that the source, on another processor, fills the lane. A block that had to wait is an outlier; the medians count.
 *
 *      rest | plain | watching | select | plain | ... 8 blocks | rest | select | ...
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/channel.h>
#include <weir/stage.h>

#include "bench/plugins/message.h"

#define BLOCK 128u       /* receives that are timed together */
#define BLOCKS_A_REST 8u /* less than a lane holds */
#define REST_NS 1000000  /* the source fills 256 KiB in a tenth of it */
#define BUDGET_S UINT64_C(3600)

enum { PLAIN, WATCHING, SELECT, KINDS };

/* What is watched: neither ends while this runs. */
struct watched {
	struct weir_scope *scope;
	struct weir_budget budget;
};

struct receive {
	uint64_t n_blocks; /* of each kind */
	double *samples_ns[KINDS];
	uint64_t n_samples[KINDS];
};

static void receive_close(struct weir_context *context, void *data)
{
	struct receive *state = data;

	(void)context;
	for (int kind = 0; state && kind < KINDS; kind++)
		free(state->samples_ns[kind]);
	free(state);
}

static int receive_open(struct weir_context *context, void **ret_state)
{
	struct receive *state = calloc(1, sizeof(*state));
	int r = message_begin(context);

	if (r != 0 || !state) {
		free(state);
		return r != 0 ? r : -ENOMEM;
	}
	state->n_blocks = (uint64_t)weir_option_integer(context, "count") / BLOCK / KINDS;
	*ret_state = state;
	for (int kind = 0; kind < KINDS; kind++)
		if (!(state->samples_ns[kind] = calloc(state->n_blocks, sizeof(double)))) {
			receive_close(context, state);
			return -ENOMEM;
		}
	return 0;
}

/* One receive of a kind; inlined with the kind as a constant. */
static inline __attribute__((always_inline)) int receive_one(struct weir_context *context, int kind,
							     const struct watched *watched, struct weir_case *one,
							     struct weir_item *ret_item)
{
	size_t which;
	int r;

	if (kind == PLAIN)
		return weir_recv(context, 0, WEIR_FOREVER, ret_item);
	if (kind == WATCHING)
		return weir_recv_in(context, 0, watched->scope, &watched->budget, ret_item);
	r = weir_select_in(context, one, 1, watched->scope, &watched->budget, &which);
	*ret_item = one->item;
	return r;
}

static inline __attribute__((always_inline)) int receive_kind(struct weir_context *context, int kind,
							      const struct watched *watched, uint64_t *sum)
{
	struct weir_case one = { .kind = WEIR_CASE_RECV, .index = 0 };

	for (uint32_t i = 0; i < BLOCK; i++) {
		struct weir_item item;
		uint64_t sequence;
		int r = receive_one(context, kind, watched, &one, &item);

		if (r != WEIR_OK)
			return r;
		memcpy(&sequence, item.data, sizeof(sequence));
		*sum += sequence;
	}
	return WEIR_OK;
}

/* A block: *ret_ns for each receive. */
static int receive_block(struct weir_context *context, int kind, const struct watched *watched, uint64_t *sum,
			 double *ret_ns)
{
	uint64_t begun_ns = message_now_ns();
	int r = kind == PLAIN    ? receive_kind(context, PLAIN, watched, sum) :
		kind == WATCHING ? receive_kind(context, WATCHING, watched, sum) :
				   receive_kind(context, SELECT, watched, sum);

	*ret_ns = (double)(message_now_ns() - begun_ns) / BLOCK;
	return r;
}

static int compare_samples(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static double receive_median(struct receive *state, int kind)
{
	qsort(state->samples_ns[kind], state->n_samples[kind], sizeof(double), compare_samples);
	return state->samples_ns[kind][state->n_samples[kind] / 2];
}

static int receive_end(struct weir_context *context, struct receive *state, uint64_t sum)
{
	uint64_t n = state->n_blocks * BLOCK * KINDS;
	struct weir_item item;
	int r;

	if (sum != n * (n - 1) / 2) {
		weir_fail(context, "not the items that were sent");
		return WEIR_FAILED;
	}
	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK)
		; /* what the count had over */
	if (r != WEIR_CLOSED)
		return r;
	r = message_report(context, "{\"plain\": %.3f, \"watching\": %.3f, \"select\": %.3f}\n",
			   receive_median(state, PLAIN), receive_median(state, WATCHING),
			   receive_median(state, SELECT));
	return r == 0 ? WEIR_CLOSED : r;
}

static int receive_run(struct weir_context *context, void *data)
{
	const struct timespec rest = { .tv_nsec = REST_NS };
	struct receive *state = data;
	struct watched watched = { .budget = weir_budget_within(NULL, BUDGET_S * 1000000000u) };
	int r = weir_scope_new(weir_scope_of(context), &watched.budget, &watched.scope);
	uint64_t sum = 0;

	if (r != 0)
		return r;

	for (uint64_t block = 0; block < state->n_blocks * KINDS; block++) {
		int kind = (int)(block % KINDS);
		double took_ns;

		if (block % BLOCKS_A_REST == 0)
			nanosleep(&rest, NULL);
		r = receive_block(context, kind, &watched, &sum, &took_ns);
		if (r != WEIR_OK) {
			weir_fail(context, "the stream ended after %llu blocks", (unsigned long long)block);
			return r == WEIR_CLOSED ? WEIR_FAILED : r;
		}
		state->samples_ns[kind][state->n_samples[kind]++] = took_ns;
	}
	weir_scope_free(watched.scope);
	return receive_end(context, state, sum);
}

static const struct weir_option options[] = {
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .required = true,
	  .minimum = 10000,
	  .maximum = 1000000000,
	  .summary = "items that will come" },
	MESSAGE_FILE_OPTION,
	MESSAGE_CPU_OPTION,
};

static const struct weir_stage receive = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SINK,
	.name = "bench-receive",
	.summary = "times receives",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = receive_open,
	.run = receive_run,
	.close = receive_close,
};

WEIR_STAGE_EXPORT(receive)
