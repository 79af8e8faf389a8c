/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator that numbers its items: "tea" becomes "1 tea". It shows the three things that a stage needs: options, a state of
 * its own, and a cursor. The counter stands in the cursor, so it is committed together with the items that it numbered: kill the worker
 * at any instruction, and the next one goes on with the right number.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

/* What outlives the worker. All zero the first time. */
struct number_cursor {
	uint64_t n_items;
};

/* What this worker made for itself; gone when it dies, and made again by the next one. */
struct number {
	const char *separator;
	char *line;
	size_t size_max;
	uint64_t start;
};

static int number_open(struct weir_context *context, void **ret_state)
{
	struct number *number = calloc(1, sizeof(*number));

	if (!number)
		return -ENOMEM;
	number->size_max = weir_item_size_max(context);
	number->line = malloc(number->size_max);
	if (!number->line) {
		free(number);
		return -ENOMEM;
	}
	number->separator = weir_option_string(context, "separator");
	number->start = (uint64_t)weir_option_integer(context, "start");
	*ret_state = number;
	return 0;
}

static int number_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct number_cursor *cursor = weir_cursor(context);
	struct number *number = state;
	int head = snprintf(number->line, number->size_max, "%" PRIu64 "%s", number->start + cursor->n_items,
			    number->separator);
	int r;

	if (head < 0 || (size_t)head > number->size_max || item->size_bytes > number->size_max - (size_t)head) {
		weir_reject(context, "no room for a number before an item of %zu bytes", item->size_bytes);
		return WEIR_REJECTED;
	}
	memcpy(number->line + head, item->data, item->size_bytes);
	/* May wait for room, and commits what came before this item while it does: so count it only afterwards. */
	r = weir_emit(context, WEIR_ALL_OUTPUTS, number->line, (size_t)head + item->size_bytes);
	if (r == 0)
		cursor->n_items++;
	return r;
}

static void number_close(struct weir_context *context, void *state)
{
	struct number *number = state;

	(void)context;
	free(number->line);
	free(number);
}

static const struct weir_option options[] = {
	{ .name = "start",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1",
	  .minimum = 0,
	  .maximum = INT64_MAX / 2,
	  .summary = "number of the first item",
	  .example = "100" },
	{ .name = "separator",
	  .type = WEIR_TYPE_STRING,
	  .fallback = " ",
	  .summary = "what stands between number and item",
	  .example = "': '" },
};

static const struct weir_stage number_stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(struct number_cursor),
	.name = "number",
	.summary = "puts a running number before each item",
	.description = "Counts from start. The count survives the death of a worker.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = number_open,
	.process = number_process,
	.close = number_close,
};

WEIR_STAGE_EXPORT(number_stage)
