/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator with a loop of its own. It passes items on, and shows what process() can't do: it notices that nothing comes (idle), and
 * closes one output while the others go on (first), and it can have enough (stop). Items that begin with '!' are rejected.
 */
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <weir/channel.h>

struct relay_cursor {
	uint64_t n_items;
};

static int relay_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static uint64_t deadline_after(uint64_t wait_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + wait_ns;
}

/* To every output that is open; output 0 gets the first n only. */
static int relay_item(struct weir_context *context, const struct weir_item *item, uint64_t first)
{
	struct relay_cursor *cursor = weir_cursor(context);
	int r;

	if (item->size_bytes && *(const char *)item->data == '!') {
		weir_reject(context, "it begins with an exclamation mark");
		return WEIR_OK;
	}
	r = weir_send(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes, WEIR_FOREVER);
	if (r == WEIR_OK && ++cursor->n_items == first)
		r = weir_close(context, 0);
	return r;
}

static int relay_run(struct weir_context *context, void *state)
{
	uint64_t idle_ns = (uint64_t)weir_option_integer(context, "idle"),
		 first = (uint64_t)weir_option_integer(context, "first"),
		 stop = (uint64_t)weir_option_integer(context, "stop");
	const struct relay_cursor *cursor = weir_cursor(context);
	struct weir_item item;
	int r;

	(void)state;
	do {
		r = weir_recv(context, 0, idle_ns ? deadline_after(idle_ns) : WEIR_FOREVER, &item);
		if (r == WEIR_OK)
			r = relay_item(context, &item, first);
		else if (r == WEIR_EXPIRED)
			r = weir_send(context, WEIR_ALL_OUTPUTS, "idle", strlen("idle"), WEIR_FOREVER);
	} while (r == WEIR_OK && (!stop || cursor->n_items < stop));
	return r;
}

static const struct weir_option options[] = {
	{ .name = "idle",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "0s",
	  .summary = "send the item 'idle' when nothing has come for so long; 0: never",
	  .example = "50ms" },
	{ .name = "first",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .minimum = 0,
	  .maximum = INT64_MAX,
	  .summary = "close the first output after so many items; 0: never",
	  .example = "10" },
	{ .name = "stop",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .minimum = 0,
	  .maximum = INT64_MAX,
	  .summary = "return from run() after so many items; 0: at the end",
	  .example = "10" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(struct relay_cursor),
	.name = "relay",
	.summary = "passes items on, in a loop of its own",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = relay_open,
	.run = relay_run,
};

WEIR_STAGE_EXPORT(stage)
