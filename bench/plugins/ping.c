/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: how long an item takes to the next stage and back.
 *
 *     source --one item--> ping ----> echo
 *                           ^ credit   |
 *                           +----------+
 *
 * The first item starts it: ping sends, and sends again each time the answer comes, `count` times; then it lets nothing out, and the
 * loop runs empty. A round trip is two turns with a commit each, and two wakes if nobody spins. Writes p50, p99 and p99.9 into `file`,
 * without the first tenth. `think` is a pause before each message, not measured, in which echo falls asleep.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#include "bench/plugins/message.h"

#define WARM_UP_PART 10u

struct ping {
	uint64_t count, n_back, think_ns, sent_ns;
	uint32_t *samples_ns;
	unsigned char message[MESSAGE_LINE];
};

static void ping_close(struct weir_context *context, void *data)
{
	struct ping *state = data;

	(void)context;
	if (state)
		free(state->samples_ns);
	free(state);
}

static int ping_open(struct weir_context *context, void **ret_state)
{
	struct ping *state = calloc(1, sizeof(*state));
	int r = message_begin(context);

	if (r != 0 || !state) {
		free(state);
		return r != 0 ? r : -ENOMEM;
	}
	state->count = (uint64_t)weir_option_integer(context, "count");
	state->think_ns = (uint64_t)weir_option_integer(context, "think");
	state->samples_ns = calloc(state->count, sizeof(*state->samples_ns));
	if (!state->samples_ns) {
		free(state);
		return -ENOMEM;
	}
	message_fill(state->message, sizeof(state->message));
	*ret_state = state;
	return 0;
}

/* So that the pause is not measured; without one a round trip begins where the last one has ended, as in bench/transport_main.h. */
static void ping_think(struct ping *state)
{
	uint64_t end_ns = state->sent_ns + state->think_ns;

	while (state->think_ns && state->sent_ns < end_ns)
		state->sent_ns = message_now_ns();
}

static int ping_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct ping *state = data;
	uint64_t now_ns = message_now_ns();

	if (state->sent_ns) {
		uint64_t took_ns = now_ns - state->sent_ns;

		if (item->size_bytes != sizeof(state->message) ||
		    memcmp(item->data, state->message, sizeof(state->message)) != 0) {
			weir_fail(context, "answer %llu is not what was sent", (unsigned long long)state->n_back);
			return WEIR_FAILED;
		}
		state->samples_ns[state->n_back++] = took_ns < UINT32_MAX ? (uint32_t)took_ns : UINT32_MAX;
	}
	if (state->n_back == state->count)
		return 0;
	memcpy(state->message, &state->n_back, sizeof(state->n_back));
	state->sent_ns = now_ns;
	ping_think(state);
	return weir_emit(context, 0, state->message, sizeof(state->message));
}

static int compare_samples(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static int ping_finish(struct weir_context *context, void *data)
{
	struct ping *state = data;
	uint64_t n_warm_up = state->count / WARM_UP_PART, n = state->count - n_warm_up;
	uint32_t *samples_ns = state->samples_ns + n_warm_up;

	if (state->n_back != state->count) {
		weir_fail(context, "%llu answers of %llu came", (unsigned long long)state->n_back,
			  (unsigned long long)state->count);
		return WEIR_FAILED;
	}
	qsort(samples_ns, n, sizeof(*samples_ns), compare_samples);
	return message_report(context, "{\"p50\": %u, \"p99\": %u, \"p999\": %u}\n", samples_ns[n / 2],
			      samples_ns[n * 99 / 100], samples_ns[n * 999 / 1000]);
}

static const struct weir_option options[] = {
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .required = true,
	  .minimum = 20,
	  .maximum = 100000000,
	  .summary = "round trips" },
	{ .name = "think", .type = WEIR_TYPE_DURATION, .fallback = "0s", .summary = "pause before each message" },
	MESSAGE_FILE_OPTION,
	MESSAGE_CPU_OPTION,
};

static const struct weir_stage ping = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "bench-ping",
	.summary = "times round trips",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = ping_open,
	.process = ping_process,
	.finish = ping_finish,
	.close = ping_close,
};

WEIR_STAGE_EXPORT(ping)
