/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of the keyed state for each head, under the number of its input, and one for the key that was emitted last:
 *
 *      00  { accepted, bag size, size } bag, payload         01  ...         ff  { number } text of the last key
 *
 * They change with the step that takes an item and the one that emits it, so after a kill the next worker has the very same heads.
 */
#include "worker/operators/heads.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weir/channel.h>
#include <weir/key.h>
#include <weir/state.h>

#include "common/record/json.h"
#include "common/record/value.h"

#define LAST_ENTRY 0xffu

struct stored {
	uint64_t accepted_ns;
	uint32_t bag_bytes, size_bytes;
};

static void *copy_to(struct record_scratch *scratch, const void *data, size_t size_bytes)
{
	void *room = record_scratch_get(scratch, size_bytes + 1);

	if (size_bytes)
		memcpy(room, data, size_bytes);
	return room;
}

/* ---- keys ---- */

void head_key_deinit(struct head_key *key)
{
	record_scratch_deinit(&key->text);
}

static void key_copy(struct head_key *to, const struct head_key *from)
{
	to->number = from->number;
	to->text_bytes = from->text_bytes;
	(void)copy_to(&to->text, from->text.data, from->text_bytes);
}

int heads_compare(const struct heads *heads, const struct head_key *a, const struct head_key *b)
{
	size_t n = a->text_bytes < b->text_bytes ? a->text_bytes : b->text_bytes;
	int order;

	if (!heads->by_text)
		return a->number < b->number ? -1 : a->number > b->number;
	order = n ? memcmp(a->text.data, b->text.data, n) : 0;
	return order ? order : a->text_bytes < b->text_bytes ? -1 : a->text_bytes > b->text_bytes;
}

bool heads_read_key(const struct heads *heads, const char *text, struct head_key *ret)
{
	char *end;

	if (heads->by_text) {
		ret->text_bytes = strlen(text);
		(void)copy_to(&ret->text, text, ret->text_bytes);
		return true;
	}
	if (!strchr("+-.0123456789", *text) || strpbrk(text, "xXpPnN"))
		return false;
	ret->number = strtod(text, &end);
	return end != text && !*end && isfinite(ret->number);
}

/* What a path leads to is spelled as JSON: of a string, what it says counts. */
static void take_text(const char *bytes, size_t size_bytes, struct head_key *ret)
{
	struct record_scratch none = { 0 };
	struct value_reader reader;
	struct record_fault fault;
	struct value value;
	size_t packed_bytes;
	char *room = record_scratch_get(&ret->text, json_decode_bound(size_bytes));

	ret->text_bytes = size_bytes;
	if (size_bytes < 2 || bytes[0] != '"' || bytes[size_bytes - 1] != '"' ||
	    json_decode(&none, bytes, size_bytes, room, &packed_bytes, &fault) != 0) {
		(void)copy_to(&ret->text, bytes, size_bytes);
		return;
	}
	value_reader_init(&reader, room, packed_bytes);
	(void)value_next(&reader, &value); /* it was written here */
	ret->text_bytes = value.n;
	memmove(room, value.data, value.n);
}

int heads_key_of(struct heads *heads, struct weir_context *context, const struct weir_item *item, struct head_key *ret)
{
	const void *bytes;
	size_t size_bytes;
	int r;

	if (!heads->by_text)
		return weir_key_number(context, heads->key, item, &ret->number);
	r = weir_key_bytes(context, heads->key, item, &bytes, &size_bytes);
	if (r == WEIR_OK)
		take_text(bytes, size_bytes, ret);
	return r;
}

uint32_t heads_least(const struct heads *heads)
{
	uint32_t least = HEADS_MAX;

	for (uint32_t i = 0; i < HEADS_MAX; i++)
		if (heads->all[i].is_there &&
		    (least == HEADS_MAX || heads_compare(heads, &heads->all[i].key, &heads->all[least].key) < 0))
			least = i;
	return least;
}

/* ---- the state ---- */

int heads_note_last(struct heads *heads, struct weir_context *context, const struct head_key *key)
{
	const unsigned char entry = LAST_ENTRY;
	char *room = record_scratch_get(&heads->room, sizeof(key->number) + key->text_bytes);

	key_copy(&heads->last, key);
	heads->has_last = true;
	memcpy(room, &key->number, sizeof(key->number));
	memcpy(room + sizeof(key->number), heads->last.text.data, key->text_bytes);
	return weir_state_put(context, &entry, 1, room, sizeof(key->number) + key->text_bytes);
}

int heads_put(struct heads *heads, struct weir_context *context, uint32_t input, const struct weir_item *item)
{
	const unsigned char entry = (unsigned char)input;
	struct head *head = &heads->all[input];
	struct stored stored = { .accepted_ns = item->accepted_ns, .size_bytes = (uint32_t)item->size_bytes };
	char *room;
	size_t size;
	int r;

	head->bag_bytes = weir_baggage_pack(context, head->bag);
	stored.bag_bytes = (uint32_t)head->bag_bytes;
	size = sizeof(stored) + head->bag_bytes + item->size_bytes;
	room = record_scratch_get(&heads->room, size);
	memcpy(room, &stored, sizeof(stored));
	memcpy(room + sizeof(stored), head->bag, head->bag_bytes);
	if (item->size_bytes)
		memcpy(room + sizeof(stored) + head->bag_bytes, item->data, item->size_bytes);
	r = weir_state_put(context, &entry, 1, room, size);
	if (r != WEIR_OK)
		return r;
	head->accepted_ns = item->accepted_ns;
	head->size_bytes = item->size_bytes;
	(void)copy_to(&head->data, item->data, item->size_bytes);
	head->is_there = true;
	return 0;
}

int heads_send(struct heads *heads, struct weir_context *context, uint32_t input)
{
	const unsigned char entry = (unsigned char)input;
	struct head *head = &heads->all[input];
	int r = head->bag_bytes ? weir_baggage_unpack(context, head->bag, head->bag_bytes) :
				  weir_baggage_clear(context);

	weir_accepted_at(context, head->accepted_ns);
	if (r == 0)
		r = weir_send(context, WEIR_ALL_OUTPUTS, head->data.data, head->size_bytes, WEIR_FOREVER);
	if (r == WEIR_OK)
		r = weir_state_delete(context, &entry, 1);
	if (r == WEIR_OK)
		r = heads_note_last(heads, context, &head->key);
	head->is_there = false;
	weir_settle(context, 1);
	return r;
}

static int take_up(struct heads *heads, struct weir_context *context, uint32_t input, const void *value)
{
	struct head *head = &heads->all[input];
	struct stored stored;
	struct weir_item item;
	const char *at = value;

	memcpy(&stored, at, sizeof(stored));
	at += sizeof(stored);
	head->accepted_ns = stored.accepted_ns;
	head->bag_bytes = stored.bag_bytes;
	memcpy(head->bag, at, stored.bag_bytes);
	head->size_bytes = stored.size_bytes;
	item = (struct weir_item){ .data = copy_to(&head->data, at + stored.bag_bytes, stored.size_bytes),
				   .size_bytes = stored.size_bytes };
	head->is_there = true;
	return heads_key_of(heads, context, &item, &head->key);
}

static int restore(struct heads *heads, struct weir_context *context)
{
	const void *value;
	size_t size_bytes;
	int r;

	for (unsigned i = 0; i < HEADS_MAX; i++) {
		const unsigned char entry = (unsigned char)i;

		r = weir_state_get(context, &entry, 1, &value, &size_bytes);
		if (r == WEIR_OK)
			r = take_up(heads, context, i, value);
		else if (r == -ENOENT)
			r = 0;
		if (r != 0)
			return r;
	}
	r = weir_state_get(context, &(const unsigned char){ LAST_ENTRY }, 1, &value, &size_bytes);
	if (r == -ENOENT)
		return 0;
	if (r != WEIR_OK)
		return r;
	heads->has_last = true;
	memcpy(&heads->last.number, value, sizeof(heads->last.number));
	heads->last.text_bytes = size_bytes - sizeof(heads->last.number);
	(void)copy_to(&heads->last.text, (const char *)value + sizeof(heads->last.number), heads->last.text_bytes);
	return 0;
}

int heads_init(struct heads *heads, struct weir_context *context, const char *key, bool by_text)
{
	int r;

	heads->by_text = by_text;
	r = weir_key_new(context, key, &heads->key);
	return r == WEIR_OK ? restore(heads, context) : r;
}

void heads_deinit(struct heads *heads, struct weir_context *context)
{
	weir_key_free(context, heads->key);
	for (uint32_t i = 0; i < HEADS_MAX; i++) {
		head_key_deinit(&heads->all[i].key);
		record_scratch_deinit(&heads->all[i].data);
	}
	head_key_deinit(&heads->last);
	record_scratch_deinit(&heads->room);
}
