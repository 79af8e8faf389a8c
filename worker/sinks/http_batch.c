/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body is whole after each item, so it can be sent, halved, or lose an item at any time.
 *
 *      lines   {"a":1} n {"a":2} n              array   [ {"a":1} , {"a":2} ]
 *              ^------ part of 0 ^- part of 1           ^- part 0 ^- part 1  ^ not in body_end()
 */
#include "worker/sinks/http_batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/must.h"

#define MORE_BYTES_MAX 11u /* of +N */

void http_batch_clear(struct http_batch *batch, enum http_layout layout)
{
	batch->next = NULL;
	batch->layout = layout;
	batch->n = 0;
	batch->body_bytes = 0;
	batch->list_bytes_max = 0;
	batch->since_ns = 0;
	batch->n_attempts = 0;
}

void http_batch_deinit(struct http_batch *batch)
{
	free(batch->items);
	record_scratch_deinit(&batch->body);
	*batch = (struct http_batch){ 0 };
}

/* ---- the body ---- */

static size_t lead_bytes(const struct http_batch *batch)
{
	return batch->layout == HTTP_LAYOUT_ARRAY;
}

static size_t tail_bytes(const struct http_batch *batch)
{
	return batch->layout == HTTP_LAYOUT_LINES;
}

static size_t part_bytes(const struct http_batch *batch, const struct http_item *item)
{
	return lead_bytes(batch) + item->size_bytes + tail_bytes(batch);
}

/* Without the bracket that ends an array. */
static size_t body_end(const struct http_batch *batch)
{
	return batch->n ? batch->body_bytes - lead_bytes(batch) : 0;
}

/* There are so many bytes of parts. */
static void set_end(struct http_batch *batch, size_t end)
{
	char *body = batch->body.data;

	batch->body_bytes = end;
	if (batch->layout != HTTP_LAYOUT_ARRAY || !batch->n)
		return;
	body[0] = '[';
	body[end] = ']';
	batch->body_bytes = end + 1;
}

size_t http_batch_bytes_with(const struct http_batch *batch, size_t size_bytes)
{
	return body_end(batch) + 2 * lead_bytes(batch) + size_bytes + tail_bytes(batch);
}

static char *room_for(struct http_batch *batch, size_t size_bytes)
{
	return record_scratch_get(&batch->body, body_end(batch) + size_bytes + 3);
}

static struct http_item *new_item(struct http_batch *batch)
{
	if (batch->n == batch->capacity) {
		batch->capacity = batch->capacity ? 2 * batch->capacity : 4;
		batch->items = realloc(batch->items, batch->capacity * sizeof(*batch->items));
		must(batch->items);
	}
	return &batch->items[batch->n];
}

/* ---- who they are ---- */

static bool same_producer(const struct weir_identity *a, const struct weir_identity *b)
{
	return a->run == b->run && a->producer == b->producer && a->input == b->input;
}

static bool follows(const struct weir_identity *a, const struct weir_identity *b)
{
	return same_producer(a, b) && !a->part && !b->part && b->sequence == a->sequence + 1;
}

static size_t digits(uint64_t n)
{
	size_t d = 1;

	for (; n >= 10; n /= 10)
		d++;
	return d;
}

/* With what parts it from the one before. */
static size_t sequence_bytes(const struct weir_identity *identity)
{
	return 1 + digits(identity->sequence) + (identity->part ? 1 + digits(identity->part) : 0);
}

static size_t list_growth(const struct http_batch *batch, const struct weir_identity *identity)
{
	const struct weir_identity *last = batch->n ? &batch->items[batch->n - 1].identity : NULL;

	if (!last || !same_producer(last, identity))
		return digits(identity->run) + digits(identity->producer) + digits(identity->input) + 3 +
		       sequence_bytes(identity);
	if (!follows(last, identity))
		return sequence_bytes(identity);
	return batch->n == 1 || !follows(&batch->items[batch->n - 2].identity, last) ? MORE_BYTES_MAX : 0;
}

static void add_identity(struct text *list, const struct weir_identity *identity, bool whole)
{
	if (whole)
		text_printf(list, "%" PRIu64 "-%" PRIu32 "-%" PRIu32 ":", identity->run, identity->producer,
			    identity->input);
	text_printf(list, "%" PRIu64, identity->sequence);
	if (identity->part)
		text_printf(list, ".%" PRIu64, identity->part);
}

void http_batch_list(const struct http_batch *batch, struct text *list)
{
	const struct weir_identity *last = NULL;
	uint32_t n_more = 0;

	for (uint32_t i = 0; i < batch->n; i++) {
		const struct weir_identity *identity = &batch->items[i].identity;

		if (last && follows(last, identity)) {
			n_more++;
		} else {
			if (n_more)
				text_printf(list, "+%" PRIu32, n_more);
			n_more = 0;
			if (last)
				text_add_char(list, same_producer(last, identity) ? ',' : ';');
			add_identity(list, identity, !last || !same_producer(last, identity));
		}
		last = identity;
	}
	if (n_more)
		text_printf(list, "+%" PRIu32, n_more);
}

static uint64_t hash(const struct http_batch *batch)
{
	_cleanup_(text_deinit) struct text list = TEXT_NULL;

	http_batch_list(batch, &list);
	return hash_bytes(0, list.data, list.length);
}

void http_batch_key(const struct http_batch *batch, const char *prefix, struct text *key)
{
	text_add(key, prefix);
	if (!batch->n)
		return;
	add_identity(key, &batch->items[0].identity, true);
	if (batch->n > 1)
		text_printf(key, "/%" PRIu32 "-%016" PRIx64, batch->n, hash(batch));
}

/* ---- changes ---- */

bool http_batch_trace(const struct http_batch *batch, struct traceparent *ret_trace)
{
	*ret_trace = batch->items[0].trace;
	for (uint32_t i = 0; i < batch->n; i++)
		if (!batch->items[i].trace.parent || batch->items[i].trace.trace_high != ret_trace->trace_high ||
		    batch->items[i].trace.trace_low != ret_trace->trace_low)
			return false;
	return true;
}

void http_batch_add(struct http_batch *batch, const struct http_item *item, const void *text, size_t size_bytes)
{
	char *body = room_for(batch, size_bytes);
	size_t end = body_end(batch);
	struct http_item *added = new_item(batch);

	batch->list_bytes_max += list_growth(batch, &item->identity);
	*added = *item;
	added->offset = end + lead_bytes(batch);
	added->size_bytes = size_bytes;
	body[end] = ','; /* of an array; another one's byte, or what set_end() writes, comes over it else */
	if (size_bytes)
		memcpy(body + added->offset, text, size_bytes);
	if (tail_bytes(batch))
		body[added->offset + size_bytes] = '\n';
	batch->n++;
	set_end(batch, end + part_bytes(batch, added));
}

void http_batch_remove(struct http_batch *batch, uint32_t index)
{
	size_t begin = batch->items[index].offset - lead_bytes(batch), n = part_bytes(batch, &batch->items[index]);
	size_t end = body_end(batch);
	char *body = batch->body.data;

	memmove(body + begin, body + begin + n, end - begin - n);
	for (uint32_t i = index + 1; i < batch->n; i++) {
		batch->items[i - 1] = batch->items[i];
		batch->items[i - 1].offset -= n;
	}
	batch->n--;
	set_end(batch, end - n);
	if (index < batch->n) /* it may have been in the middle of a row */
		batch->list_bytes_max += sequence_bytes(&batch->items[index].identity) + MORE_BYTES_MAX;
}

void http_batch_halve(struct http_batch *batch, struct http_batch *second)
{
	uint32_t n = batch->n / 2;
	const char *body = batch->body.data;
	size_t end = batch->items[n].offset - lead_bytes(batch);

	for (uint32_t i = n; i < batch->n; i++)
		http_batch_add(second, &batch->items[i], body + batch->items[i].offset, batch->items[i].size_bytes);
	batch->n = n;
	set_end(batch, end);
}
