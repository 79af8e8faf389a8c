/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items are "NAME COUNT ...": the count goes up by one. Below `rounds` the item goes to the first output, the way back; then to the
 * second. Of every `lose`-th item (0: of none) nothing comes out after its first round; `copies` of the others go round. At the end of
 * the input `late` items go back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#define ITEM_MAX 8192

static int again_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	return 0;
}

static int again_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t rounds = (uint64_t)weir_option_integer(context, "rounds"),
		 lose = (uint64_t)weir_option_integer(context, "lose"), name, count;
	char text[ITEM_MAX + 1], next[ITEM_MAX + 32];
	int at = 0;

	(void)state;
	if (item->size_bytes > ITEM_MAX) {
		weir_reject(context, "too long");
		return WEIR_REJECTED;
	}
	memcpy(text, item->data, item->size_bytes);
	text[item->size_bytes] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64 "%n", &name, &count, &at) != 2) {
		weir_reject(context, "no name and count");
		return WEIR_REJECTED;
	}
	if (lose && count == 0 && name % lose == 0)
		return WEIR_OK;
	snprintf(next, sizeof(next), "%" PRIu64 " %" PRIu64 "%s", name, count + 1, text + at);
	if (count + 1 >= rounds)
		return weir_emit(context, 1, next, strlen(next));
	for (int64_t i = weir_option_integer(context, "copies"); i > 0; i--) {
		int r = weir_emit(context, 0, next, strlen(next));

		if (r != 0)
			return r;
	}
	return WEIR_OK;
}

static int again_finish(struct weir_context *context, void *state)
{
	int r = 0;

	(void)state;
	for (int64_t i = weir_option_integer(context, "late"); r == 0 && i > 0; i--)
		r = weir_emit(context, 0, "0 0", 3);
	return r;
}

static const struct weir_option options[] = {
	{ .name = "rounds",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "3",
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "the count at which an item is done" },
	{ .name = "lose",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "which items end in the loop" },
	{ .name = "copies",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1",
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "how often an item that goes round does so" },
	{ .name = "late",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "items that are sent round at the end of the input" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "again",
	.summary = "sends items round until they are done",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = again_open,
	.process = again_process,
	.finish = again_finish,
};

WEIR_STAGE_EXPORT(stage)
