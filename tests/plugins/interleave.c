/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A merger: takes from all its inputs by weir_select(), marks each item with the number of its input, and ends when the last of them has
 * ended. An input that has ended leaves the set, as a nil channel does in Go.
 */
#include <stdio.h>
#include <string.h>
#include <weir/channel.h>

#define LINE_SIZE 4096u

static int interleave_open(struct weir_context *context, void **ret_state)
{
	*ret_state = NULL;
	if (weir_inputs(context) <= WEIR_CASES_MAX)
		return 0;
	weir_fail(context, "more than %u inputs", WEIR_CASES_MAX);
	return WEIR_FAILED;
}

static int interleave_item(struct weir_context *context, const struct weir_item *item)
{
	char line[LINE_SIZE];
	int head = snprintf(line, sizeof(line), "%u ", item->input);

	if (item->size_bytes > sizeof(line) - (size_t)head) {
		weir_reject(context, "more than %zu bytes", sizeof(line) - (size_t)head);
		return WEIR_OK;
	}
	memcpy(line + head, item->data, item->size_bytes);
	return weir_send(context, 0, line, (size_t)head + item->size_bytes, WEIR_FOREVER);
}

static int interleave_run(struct weir_context *context, void *state)
{
	struct weir_case cases[WEIR_CASES_MAX] = { { 0 } };
	uint32_t n = weir_inputs(context), n_open = n;
	int r = WEIR_OK;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		cases[i] = (struct weir_case){ .kind = WEIR_CASE_RECV, .index = i };
	while (r == WEIR_OK && n_open) {
		size_t ready;

		r = weir_select(context, cases, n, WEIR_FOREVER, &ready);
		if (r == WEIR_OK) {
			r = interleave_item(context, &cases[ready].item);
		} else if (r == WEIR_CLOSED && ready != WEIR_NO_CASE) {
			cases[ready].kind = WEIR_CASE_NONE;
			n_open--;
			r = WEIR_OK;
		}
	}
	return r;
}

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "interleave",
	.summary = "merges its inputs fairly",
	.open = interleave_open,
	.run = interleave_run,
};

WEIR_STAGE_EXPORT(stage)
