/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: a sink that is meant to be killed. Its first generation writes its process id into `file`, with the first item; the next one
 * the time of its own first item, CLOCK_MONOTONIC in nanoseconds, so that bench/run knows how long the stage was without a worker.
 */
#include <stdio.h>
#include <unistd.h>
#include <weir/stage.h>

#include "bench/plugins/message.h"

static int revive_open(struct weir_context *context, void **ret_state)
{
	*ret_state = NULL;
	return message_pin(context);
}

static int revive_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	static bool told;
	uint64_t now_ns;

	(void)data;
	(void)item;
	if (told)
		return 0;
	told = true;
	now_ns = message_now_ns();
	return message_report(context, "{\"generation\": %u, \"pid\": %d, \"now_ns\": %llu}\n",
			      weir_generation(context), getpid(), (unsigned long long)now_ns);
}

static const struct weir_option options[] = { MESSAGE_FILE_OPTION, MESSAGE_CPU_OPTION };

static const struct weir_stage revive = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SINK,
	.name = "bench-revive",
	.summary = "says when it lives",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = revive_open,
	.process = revive_process,
};

WEIR_STAGE_EXPORT(revive)
