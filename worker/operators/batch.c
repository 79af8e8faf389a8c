/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: batch. Several items become one, an array of them: when there are `count`, before they are more than `bytes`, and at the latest
 * `age` after the first.
 *
 *      item --> elements (own memory) --flush: what is new--> spool 0 --.
 *                    |                                        spool 1 --+--> the next worker, after a kill
 *                    '--full, old, or the end: one item-->
 *
 * Until then its items are HELD: their bytes lie in a spool that outlives the worker, and how many of them count stands in the cursor, so
 * both move with the commit. What is written to a spool behind that length never happened. A batch that is not the one of the last commit
 * goes to the other spool, for until the next commit the first must stay what it is. A batch that begins and ends within a turn, as most do
 * under load, is never written.
 *
 * Own memory is only ever read as far as the cursor says: when an item comes to nothing its cursor is put back, and the memory needs not
 * be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/record.h>

#include "common/base/error.h"
#include "common/record/json.h"
#include "common/record/value.h"
#include "worker/builtin.h"
#include "worker/exec/spool.h"

#define HEAD_BYTES 5u /* of the longest array; it is written in front of the elements */

enum shape { SHAPE_STRUCTURED = 0, SHAPE_JSON, SHAPE_LINES };

struct batch_cursor {
	uint64_t number; /* of the batch at work, from 0 */
	uint64_t n_items, size_bytes;
	uint64_t since_ns; /* its first item came */
	uint64_t shape;    /* enum shape */
	uint64_t spool;    /* 0, 1: where the batch lies, as far as it is stored */
};

enum text { TEXT_JSON, TEXT_STRINGS, TEXT_LINES };

struct batch {
	struct batch_cursor *cursor;
	enum weir_form form;
	enum text text;
	uint64_t count, age_ns; /* 0: no such bound */
	size_t bytes_max;
	unsigned char *room; /* HEAD_BYTES, then the elements, then a byte for the end; owned */
	size_t room_bytes;
	uint64_t stored_number; /* of the batch that lies in the spool ... */
	size_t stored_bytes;    /* ... so much of it */
	bool is_stored;
	uint64_t wake_ns; /* 0: nobody wakes it */
	struct record_scratch scratch, element;
};

/* ---- elements ---- */

static unsigned char *elements(const struct batch *batch)
{
	return batch->room + HEAD_BYTES;
}

static int make_room(struct batch *batch, size_t size_bytes)
{
	size_t wanted = HEAD_BYTES + size_bytes + 1, doubled = batch->room_bytes * 2;
	unsigned char *grown;

	if (wanted <= batch->room_bytes)
		return 0;
	if (wanted < doubled)
		wanted = doubled;
	grown = realloc(batch->room, wanted);
	if (!grown)
		return error_origin(-ENOMEM);
	batch->room = grown;
	batch->room_bytes = wanted;
	return 0;
}

static size_t ends_bytes(enum shape shape, uint64_t n_items)
{
	switch (shape) {
	case SHAPE_STRUCTURED:
		return n_items < 16 ? 1 : n_items < 65536 ? 3 : HEAD_BYTES;
	case SHAPE_JSON:
		return 2;
	case SHAPE_LINES:
		break;
	}
	return 0;
}

/* Of the whole item, if one more element of this size came to n others of that size. */
static size_t size_with(enum shape shape, uint64_t n_items, size_t size_bytes, size_t element_bytes)
{
	size_t separator = shape != SHAPE_STRUCTURED && n_items;

	return size_bytes + separator + element_bytes + ends_bytes(shape, n_items + 1);
}

static bool is_whole(const void *data, size_t size_bytes)
{
	struct value_reader reader;

	value_reader_init(&reader, data, size_bytes);
	return value_skip(&reader) == 0 && reader.next == reader.end;
}

static enum shape shape_of(const struct batch *batch, const struct weir_item *item)
{
	unsigned char first = item->size_bytes ? *(const unsigned char *)item->data : 0;
	bool structured = batch->form == WEIR_FORM_STRUCTURED;

	if (batch->form == WEIR_FORM_UNKNOWN)
		structured = ((first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0)) &&
			     is_whole(item->data, item->size_bytes);
	if (structured)
		return SHAPE_STRUCTURED;
	return batch->text == TEXT_LINES ? SHAPE_LINES : SHAPE_JSON;
}

static int refuse(struct weir_context *context, const char *what, const char *why)
{
	weir_reject(context, "%s%s%s", what, *why ? ": " : "", why);
	return WEIR_REJECTED;
}

/* A line of text as a string of JSON. */
static int element_of_string(struct batch *batch, struct weir_context *context, const struct weir_item *item,
			     const void **ret_data, size_t *ret_size)
{
	unsigned char *packed = record_scratch_get(&batch->scratch, item->size_bytes + HEAD_BYTES);
	struct record_fault fault;
	char *text;

	packed[0] = 0xdb; /* a string, its length in four bytes */
	for (unsigned i = 0; i < 4; i++)
		packed[1 + i] = (unsigned char)(item->size_bytes >> (24 - 8 * i));
	if (item->size_bytes)
		memcpy(packed + HEAD_BYTES, item->data, item->size_bytes);
	text = record_scratch_get(&batch->element, json_encode_bound(item->size_bytes + HEAD_BYTES));
	if (json_encode(packed, item->size_bytes + HEAD_BYTES, text, ret_size, &fault) != 0)
		return refuse(context, "it can't be a string of JSON", fault.why);
	*ret_data = text;
	return 0;
}

static int element_of_json(struct batch *batch, struct weir_context *context, const struct weir_item *item,
			   const void **ret_data, size_t *ret_size)
{
	void *unpacked = record_scratch_get(&batch->element, json_decode_bound(item->size_bytes));
	struct record_fault fault = { "there is nothing in it" };
	size_t unpacked_bytes;

	if (json_decode(&batch->scratch, item->data, item->size_bytes, unpacked, &unpacked_bytes, &fault) != 0)
		return refuse(context, "it is no JSON, as text: json wants", fault.why);
	*ret_data = item->data;
	*ret_size = item->size_bytes;
	return 0;
}

/* What the item is in a batch of this shape. Returns 0, or WEIR_REJECTED. */
static int element_of(struct batch *batch, struct weir_context *context, const struct weir_item *item, enum shape shape,
		      const void **ret_data, size_t *ret_size)
{
	*ret_data = item->data;
	*ret_size = item->size_bytes;
	switch (shape) {
	case SHAPE_STRUCTURED:
		return is_whole(item->data, item->size_bytes) ? 0 : refuse(context, "it is no msgpack value", "");
	case SHAPE_JSON:
		return batch->text == TEXT_JSON ? element_of_json(batch, context, item, ret_data, ret_size) :
						  element_of_string(batch, context, item, ret_data, ret_size);
	case SHAPE_LINES:
		break;
	}
	if (!item->size_bytes || !memchr(item->data, '\n', item->size_bytes))
		return 0;
	return refuse(context, "it has a newline in it, so it is no line, as text: lines wants", "");
}

/* ---- the batch ---- */

static size_t write_head(unsigned char *end, enum shape shape, uint64_t n_items)
{
	size_t head_bytes = ends_bytes(shape, n_items);

	if (shape == SHAPE_LINES)
		return 0;
	if (shape == SHAPE_JSON) {
		end[-1] = '[';
		return 1;
	}
	end[-(ptrdiff_t)head_bytes] = head_bytes == 1 ? (unsigned char)(0x90 | n_items) : head_bytes == 3 ? 0xdc : 0xdd;
	for (size_t i = 1; i < head_bytes; i++)
		end[-(ptrdiff_t)i] = (unsigned char)(n_items >> (8 * (i - 1)));
	return head_bytes;
}

/* These elements leave as one item; the n_held of them that are not in hand end with it. Then a new batch begins. */
static int emit(struct batch *batch, struct weir_context *context, uint64_t n_items, size_t size_bytes, uint64_t n_held)
{
	enum shape shape = (enum shape)batch->cursor->shape;
	size_t head_bytes = write_head(elements(batch), shape, n_items), end_bytes = shape == SHAPE_JSON;
	int r;

	if (end_bytes)
		elements(batch)[size_bytes] = ']';
	r = weir_emit(context, WEIR_ALL_OUTPUTS, elements(batch) - head_bytes, head_bytes + size_bytes + end_bytes);
	if (r != 0)
		return r;
	weir_settle(context, n_held);
	batch->cursor->number++;
	batch->cursor->n_items = batch->cursor->size_bytes = 0;
	return 0;
}

static int emit_held(struct batch *batch, struct weir_context *context)
{
	const struct batch_cursor *cursor = batch->cursor;

	return cursor->n_items ? emit(batch, context, cursor->n_items, cursor->size_bytes, cursor->n_items) : 0;
}

static void wake_at_age(struct batch *batch, struct weir_context *context)
{
	if (!batch->age_ns || !batch->cursor->n_items || batch->wake_ns)
		return;
	batch->wake_ns = batch->cursor->since_ns + batch->age_ns;
	weir_watch(context, -1, 0, batch->wake_ns);
}

/* Returns WEIR_HELD; WEIR_OK if it made the batch full; -ENOMEM; what weir_emit() says, and it is not in the batch. */
static int add(struct batch *batch, struct weir_context *context, const void *data, size_t element_bytes)
{
	struct batch_cursor *cursor = batch->cursor;
	size_t separator = cursor->shape != SHAPE_STRUCTURED && cursor->n_items,
	       end = cursor->size_bytes + separator + element_bytes;
	int r = make_room(batch, end);

	if (r != 0)
		return r;
	if (separator)
		elements(batch)[cursor->size_bytes] = cursor->shape == SHAPE_JSON ? ',' : '\n';
	if (element_bytes)
		memcpy(elements(batch) + end - element_bytes, data, element_bytes);
	if (cursor->n_items + 1 == batch->count)
		return emit(batch, context, cursor->n_items + 1, end, cursor->n_items);
	if (!cursor->n_items)
		cursor->since_ns = weir_now_ns(context);
	cursor->n_items++;
	cursor->size_bytes = end;
	wake_at_age(batch, context);
	return WEIR_HELD;
}

static int batch_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct batch *batch = state;
	struct batch_cursor *cursor = batch->cursor;
	enum shape shape = shape_of(batch, item);
	const void *data;
	size_t size_bytes;
	int r = element_of(batch, context, item, shape, &data, &size_bytes);

	if (r != 0)
		return r;
	if (size_with(shape, 0, 0, size_bytes) > batch->bytes_max)
		return refuse(context, "as an array of one it is larger than bytes, or than the lane takes", "");
	if (cursor->n_items && (cursor->shape != shape ||
				size_with(shape, cursor->n_items, cursor->size_bytes, size_bytes) > batch->bytes_max)) {
		r = emit_held(batch, context);
		if (r != 0)
			return r;
	}
	cursor->shape = shape;
	return add(batch, context, data, size_bytes);
}

/* Its time has come. */
static int batch_produce(struct weir_context *context, void *state)
{
	struct batch *batch = state;
	const struct batch_cursor *cursor = batch->cursor;
	int r = 0;

	batch->wake_ns = 0;
	if (batch->age_ns && cursor->n_items && weir_now_ns(context) >= cursor->since_ns + batch->age_ns)
		r = emit_held(batch, context);
	wake_at_age(batch, context);
	return r == WEIR_FULL ? WEIR_MORE : r;
}

/* A run's outputs belong to it; and the end of the stream is the end of the last batch. */
static int batch_end(struct weir_context *context, void *state)
{
	return emit_held(state, context);
}

static int batch_flush(struct weir_context *context, void *state)
{
	struct batch *batch = state;
	struct batch_cursor *cursor = batch->cursor;
	size_t from;
	int r;

	if (!cursor->n_items)
		return 0;
	if (!batch->is_stored || batch->stored_number != cursor->number) {
		cursor->spool ^= 1;
		batch->stored_bytes = 0;
	}
	from = batch->stored_bytes;
	if (cursor->size_bytes > from) {
		r = spool_write(weir_spool(context, (uint32_t)cursor->spool), from, elements(batch) + from,
				cursor->size_bytes - from);
		if (r != 0)
			return r;
	}
	batch->is_stored = true;
	batch->stored_number = cursor->number;
	batch->stored_bytes = cursor->size_bytes;
	return 0;
}

/* ---- the stage ---- */

static void batch_close(struct weir_context *context, void *state)
{
	struct batch *batch = state;

	(void)context;
	free(batch->room);
	record_scratch_deinit(&batch->scratch);
	record_scratch_deinit(&batch->element);
	free(batch);
}

static enum text text_of(const char *word)
{
	return strcmp(word, "lines") == 0 ? TEXT_LINES : strcmp(word, "strings") == 0 ? TEXT_STRINGS : TEXT_JSON;
}

static size_t bytes_max_of(const struct weir_context *context)
{
	size_t lane_bytes = weir_item_size_max(context), wanted;

	if (!weir_option_given(context, "bytes"))
		return lane_bytes;
	wanted = (size_t)weir_option_integer(context, "bytes");
	return wanted < lane_bytes ? wanted : lane_bytes;
}

/* What the generation before held. */
static int load(struct batch *batch, struct weir_context *context)
{
	const struct batch_cursor *cursor = batch->cursor;
	int r = make_room(batch, cursor->size_bytes);

	if (r == 0 && cursor->size_bytes)
		r = spool_read(weir_spool(context, (uint32_t)cursor->spool), 0, elements(batch), cursor->size_bytes);
	batch->is_stored = cursor->n_items;
	batch->stored_number = cursor->number;
	batch->stored_bytes = cursor->size_bytes;
	return r;
}

static int batch_open(struct weir_context *context, void **ret_state)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	int r;

	if (!batch)
		return error_origin(-ENOMEM);
	batch->cursor = weir_cursor(context);
	batch->form = weir_form(context);
	batch->text = text_of(weir_option_string(context, "text"));
	batch->count = weir_option_given(context, "count") ? (uint64_t)weir_option_integer(context, "count") : 0;
	batch->age_ns = weir_option_given(context, "age") ? (uint64_t)weir_option_integer(context, "age") : 0;
	batch->bytes_max = bytes_max_of(context);
	r = load(batch, context);
	if (r != 0) {
		batch_close(context, batch);
		return r;
	}
	wake_at_age(batch, context);
	*ret_state = batch;
	return 0;
}

const struct weir_stage batch_operator_callbacks = {
	.open = batch_open,
	.process = batch_process,
	.produce = batch_produce,
	.flush = batch_flush,
	.end_run = batch_end,
	.finish = batch_end,
	.close = batch_close,
};
