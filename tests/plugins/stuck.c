/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes items on until it gets stuck on item `at`, in one of the ways in which stages do: `spin` never returns, `sleep` lies in a system
 * call, `defer` puts all items from there on aside and watches nothing, `slow` takes `pause` over each item.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/stage.h>

static void sleep_ns(int64_t ns)
{
	struct timespec pause = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (nanosleep(&pause, &pause) < 0)
		;
}

static int stuck_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = calloc(1, sizeof(uint64_t));
	return *ret_state ? 0 : WEIR_FAILED;
}

static int stuck_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *how = weir_option_string(context, "how");
	uint64_t *n = state;

	if (strcmp(how, "slow") == 0)
		sleep_ns(weir_option_integer(context, "pause"));
	if (++*n >= (uint64_t)weir_option_integer(context, "at")) {
		if (strcmp(how, "spin") == 0)
			for (volatile unsigned round = 0;; round++)
				;
		if (strcmp(how, "sleep") == 0)
			for (;;)
				pause();
		if (strcmp(how, "defer") == 0)
			return weir_defer(context) ? WEIR_PENDING : WEIR_FAILED;
	}
	return weir_outputs(context) ? weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes) : WEIR_OK;
}

static int stuck_produce(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static void stuck_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

static const struct weir_option options[] = {
	{ .name = "how",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "spin|sleep|defer|slow",
	  .fallback = "spin",
	  .summary = "in which way" },
	{ .name = "at",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1",
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "on which item, of those that this worker gets" },
	{ .name = "pause", .type = WEIR_TYPE_DURATION, .fallback = "1s", .summary = "slow: for each item" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "stuck",
	.summary = "gets stuck",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = stuck_open,
	.process = stuck_process,
	.produce = stuck_produce,
	.close = stuck_close,
};

WEIR_STAGE_EXPORT(stage)
