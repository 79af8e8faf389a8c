/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: an operator that gets stuck on some items (bench/overrun.h): in for(;;);, or asleep in a system call with every signal
 * blocked.
 */
#include <errno.h>
#include <string.h>
#include <weir/stage.h>

#include "bench/overrun.h"

static int overrun_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	return 0;
}

static void get_stuck(const struct weir_context *context)
{
	if (strcmp(weir_option_string(context, "how"), "spin") == 0)
		for (volatile unsigned round = 0;; round++)
			;
	overrun_block_all_signals();
	for (;;)
		pause();
}

static int overrun_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t given_ns = overrun_now_ns();
	char text[32] = "";
	unsigned long long number;

	(void)state;
	memcpy(text, item->data, item->size_bytes < sizeof(text) ? item->size_bytes : sizeof(text) - 1);
	number = strtoull(text, NULL, 10);
	if (overrun_is_stuck(number, item->attempt == 0)) {
		overrun_note(weir_option_string(context, "folder"), number, given_ns);
		get_stuck(context);
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "folder",
	  .type = WEIR_TYPE_PATH,
	  .required = true,
	  .summary = "where a process says that it is stuck" },
	{ .name = "how",
	  .type = WEIR_TYPE_CHOICE,
	  .choices = "spin|sleep",
	  .required = true,
	  .summary = "in which way" },
};

static const struct weir_stage overrun = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "bench-overrun",
	.summary = "gets stuck on some items",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = overrun_open,
	.process = overrun_process,
};

WEIR_STAGE_EXPORT(overrun)
