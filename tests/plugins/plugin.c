/* SPDX-License-Identifier: Apache-2.0 */
/* One plugin, broken in as many ways as the loader must notice: CMakeLists.txt builds it once for each. */
#include <weir/channel.h>

#ifndef PLUGIN_ABI
#define PLUGIN_ABI WEIR_STAGE_ABI
#endif
#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(struct weir_stage)
#endif
#ifndef PLUGIN_ROLE
#define PLUGIN_ROLE WEIR_OPERATOR
#endif
#ifndef PLUGIN_NAME
#define PLUGIN_NAME "pass"
#endif
#ifndef PLUGIN_CURSOR
#define PLUGIN_CURSOR 16
#endif
#ifndef PLUGIN_SPOOLS
#define PLUGIN_SPOOLS 0
#endif
#ifndef PLUGIN_FLAGS
#define PLUGIN_FLAGS WEIR_STAGE_FORWARDS
#endif
#ifndef PLUGIN_PROCESS
#define PLUGIN_PROCESS pass_process
#endif
#ifndef PLUGIN_RUN
#define PLUGIN_RUN NULL
#endif
#ifndef PLUGIN_FALLBACK
#define PLUGIN_FALLBACK "10"
#endif

static int pass_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	return 0;
}

__attribute__((unused)) static int pass_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_forward(context, WEIR_ALL_OUTPUTS, item);
}

__attribute__((unused)) static int pass_run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK)
		r = weir_send(context, WEIR_ALL_OUTPUTS, item.data, item.size_bytes, WEIR_FOREVER);
	return r;
}

static const struct weir_option options[] = {
	{ .name = "limit",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = PLUGIN_FALLBACK,
	  .minimum = 1,
	  .maximum = 100,
	  .summary = "a number" },
};

__attribute__((unused)) static const struct weir_stage stage = {
	.abi = PLUGIN_ABI,
	.size_bytes = PLUGIN_SIZE,
	.role = PLUGIN_ROLE,
	.cursor_size_bytes = PLUGIN_CURSOR,
	.n_spools = PLUGIN_SPOOLS,
	.flags = PLUGIN_FLAGS,
	.name = PLUGIN_NAME,
	.summary = "passes items on",
	.options = options,
	.n_options = 1,
	.open = pass_open,
	.process = PLUGIN_PROCESS,
	.run = PLUGIN_RUN,
};

#if defined(PLUGIN_NOISY)
#include <stdio.h>
__attribute__((constructor)) static void noise(void)
{
	puts("a constructor that talks");
	fflush(stdout);
}
#endif

#if defined(PLUGIN_NOTHING)
__attribute__((visibility("default"))) const struct weir_stage *weir_stage_entry(void);
const struct weir_stage *weir_stage_entry(void)
{
	return NULL;
}
#elif !defined(PLUGIN_SILENT)
WEIR_STAGE_EXPORT(stage)
#endif
