/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of the walks. All that they know lies in their cursors, so that memory alone decides what is right: a source
 * counts what it has given in every word of its cursor, an operator in every byte (a torn copy shows), a sink marks each item.
 */
#include <stdbool.h>
#include <string.h>

#include "tests/crash/scenario.h"

#define FILLER_STRIDE 64u /* words; not more steps than needed */

uint32_t payload_size(uint64_t number)
{
	return scenario_now->item_bytes ? scenario_now->item_bytes - (uint32_t)(number % 3) * 8 :
					  (uint32_t)(2 + number % 5) * (uint32_t)sizeof(uint64_t);
}

const struct payload *payload_of(uint64_t source, uint64_t number)
{
	static struct payload payload;

	payload.source = source;
	payload.number = number;
	for (uint32_t i = 0; i < payload_size(number) / sizeof(uint64_t) - 2; i += FILLER_STRIDE)
		payload.filler[i] = number << 32 | i;
	return &payload;
}

static bool is_whole(const struct weir_item *item, const struct payload *payload)
{
	const uint64_t *words = item->data;

	if (payload->source >= 2 || payload->number >= scenario_now->items ||
	    item->size_bytes != payload_size(payload->number))
		return false;
	for (uint32_t i = 0; i < item->size_bytes / sizeof(uint64_t) - 2; i += FILLER_STRIDE)
		if (words[2 + i] != (payload->number << 32 | i))
			return false;
	return true;
}

__attribute__((noinline)) int crash_emit(struct weir_context *context, uint32_t output, const void *data,
					 size_t size_bytes)
{
	return weir_emit(context, output, data, size_bytes);
}

__attribute__((noinline)) int crash_build(struct weir_context *context, uint32_t output, const void *data,
					  size_t size_bytes)
{
	void *place;
	int r = weir_reserve(context, output, size_bytes + 8, &place);

	if (r != 0)
		return r;
	memcpy(place, data, size_bytes);
	return weir_push(context, output, size_bytes);
}

int crash_refuse(struct weir_context *context, const char *why)
{
	weir_reject(context, "%s", why);
	return WEIR_REJECTED;
}

int crash_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	return 0;
}

static int produce(struct weir_context *context, uint64_t source, bool in_place)
{
	uint64_t *cursor = weir_cursor(context), number = cursor[0];
	int r;

	if (number == scenario_now->items) {
		if (!scenario_now->endless)
			return WEIR_CLOSED;
		weir_watch(context, -1, 0, UINT64_MAX);
		return WEIR_WAIT;
	}
	crash_item(context, NULL);
	r = (in_place ? crash_build : crash_emit)(context, WEIR_ALL_OUTPUTS, payload_of(source, number),
						  payload_size(number));
	if (r == WEIR_FULL)
		return WEIR_MORE;
	if (r != 0 && r != WEIR_REJECTED) /* refused: it is counted, and that was it */
		return r;
	for (unsigned i = 0; i < WEIR_CURSOR_SIZE_MAX / sizeof(*cursor); i++)
		cursor[i] = number + 1;
	return WEIR_OK;
}

int crash_source_produce(struct weir_context *context, void *state)
{
	(void)state;
	return produce(context, weir_worker_index(context), false);
}

static int produce_in_place(struct weir_context *context, void *state)
{
	(void)state;
	return produce(context, 0, true);
}

static int produce_second(struct weir_context *context, void *state)
{
	(void)state;
	return produce(context, 1, false);
}

int crash_operator_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint8_t *cursor = weir_cursor(context);
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	if (r == 0)
		memset(cursor, cursor[0] + 1, WEIR_CURSOR_SIZE_MAX);
	crash_item_over(context);
	return r;
}

int crash_sink_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct crash_seen *seen = weir_cursor(context);
	const struct payload *payload = item->data;
	uint64_t *word, bit;

	(void)state;
	crash_item(context, item);
	if (!is_whole(item, payload)) {
		crash_wrong("an item's bytes are not what was sent");
		return WEIR_OK;
	}
	word = &seen->bits[payload->source][payload->number / 64];
	bit = UINT64_C(1) << payload->number % 64;
	if (*word & bit)
		crash_wrong("an item came twice");
	if (scenario_now->ordered && payload->number != seen->next[payload->source])
		crash_wrong("an item is out of order");
	*word |= bit;
	seen->next[payload->source] = payload->number + 1;
	crash_item_over(context);
	return WEIR_OK;
}

static int forward_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint8_t *cursor = weir_cursor(context);
	int r;

	(void)state;
	crash_item(context, item);
	r = weir_forward(context, WEIR_ALL_OUTPUTS, item);
	if (r == 0)
		memset(cursor, cursor[0] + 1, WEIR_CURSOR_SIZE_MAX);
	crash_item_over(context);
	return r;
}

static int run_operator(struct weir_context *context, void *state)
{
	uint8_t *cursor = weir_cursor(context);
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK) {
		crash_item(context, &item);
		r = weir_send(context, WEIR_ALL_OUTPUTS, item.data, item.size_bytes, WEIR_FOREVER);
		if (r != WEIR_OK)
			return r;
		memset(cursor, cursor[0] + 1, WEIR_CURSOR_SIZE_MAX);
		crash_item_over(context);
	}
	return r;
}

/* Items go round once; `source` says how often they were here. */
int crash_head_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, 0, payload_of(item->input == 0, payload->number), item->size_bytes);
	crash_item_over(context);
	return r;
}

int crash_loop_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, payload->source ? 0 : 1, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

const struct weir_stage crash_source = CRASH_STAGE(WEIR_SOURCE, .produce = crash_source_produce);
const struct weir_stage crash_source_second = CRASH_STAGE(WEIR_SOURCE, .produce = produce_second);
const struct weir_stage crash_builder = CRASH_STAGE(WEIR_SOURCE, .produce = produce_in_place);
const struct weir_stage crash_loop_head = CRASH_STAGE(WEIR_OPERATOR, .process = crash_head_process);
const struct weir_stage crash_loop_body = CRASH_STAGE(WEIR_OPERATOR, .process = crash_loop_process);
const struct weir_stage crash_operator = CRASH_STAGE(WEIR_OPERATOR, .process = crash_operator_process);
const struct weir_stage crash_forwarder =
	CRASH_STAGE(WEIR_OPERATOR, .process = forward_process, .flags = WEIR_STAGE_FORWARDS);
const struct weir_stage crash_run_operator = CRASH_STAGE(WEIR_OPERATOR, .run = run_operator);
const struct weir_stage crash_sink = CRASH_STAGE(WEIR_SINK, .process = crash_sink_process);

void crash_runs_of_two(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_edges; i++)
		if (plan->edges[i].order == HERITAGE_ORDER_DEAL) {
			plan->edges[i].run_bytes = 0;
			plan->edges[i].run_records = 2;
		}
}
