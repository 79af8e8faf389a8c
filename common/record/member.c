/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      {host: "a", line: "x=1 y=2", n: 3}   less `line`   {host: "a", n: 3}   and {x: "1", y: "2"}   {host: "a", n: 3, x: "1", y: "2"}
 *
 * Names that are there twice, in the item or in both, are json_names' business, so that no item takes longer than n log n.
 */
#include "common/record/member.h"

#include <stdbool.h>
#include <string.h>

#include "common/record/json_names.h"
#include "common/record/pack.h"
#include "common/record/value.h"

struct joining {
	struct pack pack;
	struct json_names names;
	uint32_t n;
};

static bool is_name(const struct value *value, const char *name)
{
	return value->type == VALUE_STRING && value->n == strlen(name) && memcmp(value->data, name, value->n) == 0;
}

static int no_item(struct record_fault *fault)
{
	return record_fault(fault, "it is no map: is what comes here decoded?");
}

/* A head, and then pairs. */
static int begin(struct value_reader *reader, const void *item, size_t size_bytes, uint32_t *ret_n,
		 struct record_fault *fault)
{
	struct value map;

	value_reader_init(reader, item, size_bytes);
	if (value_next(reader, &map) != 0 || map.type != VALUE_MAP)
		return no_item(fault);
	*ret_n = map.n;
	return 0;
}

int member_text(const void *item, size_t size_bytes, const char *name, const char **ret_text, size_t *ret_size_bytes,
		struct record_fault *fault)
{
	struct value_reader reader, found = { NULL, NULL };
	struct value value;
	uint32_t n = 0;
	int r = begin(&reader, item, size_bytes, &n, fault);

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct value_reader key = reader;

		if (value_next(&key, &value) != 0 || value_skip(&reader) != 0)
			return no_item(fault);
		if (is_name(&value, name))
			found = reader;
		if (value_skip(&reader) != 0)
			return no_item(fault);
	}
	if (r != 0)
		return r;
	if (!found.next)
		return record_fault(fault, "it has no '%.60s'", name);
	if (value_next(&found, &value) != 0 || value.type != VALUE_STRING)
		return record_fault(fault, "its '%.60s' is no text", name);
	*ret_text = value.data;
	*ret_size_bytes = value.n;
	return 0;
}

static int add(struct joining *joining, const void *item, size_t size_bytes, const char *left_out,
	       struct record_fault *fault)
{
	struct value_reader reader;
	struct value name;
	uint32_t n = 0;
	int r = begin(&reader, item, size_bytes, &n, fault);

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct value_reader pair = reader;

		if (value_next(&reader, &name) != 0 || name.type != VALUE_STRING || value_skip(&reader) != 0)
			return record_fault(fault, "it has a name that is no string, or no end");
		if (left_out && is_name(&name, left_out))
			continue;
		json_names_note(&joining->names, joining->pack.next);
		pack_string(&joining->pack, name.data, name.n);
		pair.next = (const unsigned char *)name.data + name.n;
		memcpy(joining->pack.next, pair.next, (size_t)(reader.next - pair.next));
		joining->pack.next += reader.next - pair.next;
		joining->n++;
	}
	if (r == 0 && reader.next != reader.end)
		return record_fault(fault, "something is behind its value: is what comes here decoded?");
	return r;
}

int member_replace(struct record_scratch *scratch, const void *item, size_t item_bytes, const char *name,
		   const void *map, size_t map_bytes, void *room, size_t *ret_size_bytes, struct record_fault *fault)
{
	struct joining joining = { .names = { room, scratch, 0 } };
	unsigned char *head;
	int r;

	pack_init(&joining.pack, room);
	head = pack_open(&joining.pack);
	r = add(&joining, item, item_bytes, name, fault);
	if (r == 0)
		r = add(&joining, map, map_bytes, NULL, fault);
	if (r != 0)
		return r;
	joining.n = json_names_forget(&joining.names, joining.n, &joining.pack.next);
	pack_close(&joining.pack, head, joining.n, true);
	*ret_size_bytes = (size_t)(joining.pack.next - (unsigned char *)room);
	return 0;
}
