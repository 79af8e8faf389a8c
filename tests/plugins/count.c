/* SPDX-License-Identifier: Apache-2.0 */
/* A source with a loop of its own: the numbers from 1 on, one an item. The cursor says how far it has come. */
#include <inttypes.h>
#include <stdio.h>
#include <weir/channel.h>

struct count_cursor {
	uint64_t n_sent;
};

static int count_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int count_run(struct weir_context *context, void *state)
{
	uint64_t count = (uint64_t)weir_option_integer(context, "count");
	struct count_cursor *cursor = weir_cursor(context);

	(void)state;
	while (cursor->n_sent < count) {
		char text[32];
		int size = snprintf(text, sizeof(text), "%" PRIu64, cursor->n_sent + 1);
		int r = weir_send(context, WEIR_ALL_OUTPUTS, text, (size_t)size, WEIR_FOREVER);

		if (r != WEIR_OK)
			return r; /* WEIR_CLOSED: the pipeline drains, and that is a clean end */
		cursor->n_sent++;
	}
	return WEIR_OK;
}

static const struct weir_option options[] = {
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "10",
	  .minimum = 0,
	  .maximum = INT64_MAX,
	  .summary = "the last number" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SOURCE,
	.cursor_size_bytes = sizeof(struct count_cursor),
	.name = "count",
	.summary = "counts, in a loop of its own",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = count_open,
	.run = count_run,
};

WEIR_STAGE_EXPORT(stage)
