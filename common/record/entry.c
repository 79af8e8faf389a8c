/* SPDX-License-Identifier: Apache-2.0 */
#include "common/record/entry.h"

#include <string.h>

#include "common/record/json.h"
#include "common/record/pack.h"
#include "common/record/value.h"

int entry_key(struct record_scratch *scratch, const void *json, size_t size_bytes, const void **ret_key,
	      size_t *ret_size_bytes, struct record_fault *fault)
{
	const char *text = json;
	struct record_scratch names = { 0 }; /* a string has none, so nothing is asked for */
	struct value_reader reader;
	struct value value;
	size_t n;
	int r;

	*ret_key = json;
	*ret_size_bytes = size_bytes;
	if (size_bytes < 2 || *text != '"')
		return 0;
	if (!memchr(text, '\\', size_bytes)) {
		*ret_key = text + 1;
		*ret_size_bytes = size_bytes - 2;
		return 0;
	}
	r = json_decode(&names, text, size_bytes, record_scratch_get(scratch, json_decode_bound(size_bytes)), &n,
			fault);
	record_scratch_deinit(&names);
	if (r != 0)
		return RECORD_E_BAD;
	value_reader_init(&reader, scratch->data, n);
	if (value_next(&reader, &value) != 0 || value.type != VALUE_STRING)
		return record_fault(fault, "no string");
	*ret_key = value.data;
	*ret_size_bytes = value.n;
	return 0;
}

static bool is_whole(const void *data, size_t size_bytes)
{
	struct value_reader reader;

	value_reader_init(&reader, data, size_bytes);
	return value_skip(&reader) == 0 && reader.next == reader.end;
}

bool entry_is_structured(const void *item, size_t size_bytes)
{
	unsigned char first = size_bytes ? *(const unsigned char *)item : 0;

	return ((first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0)) && is_whole(item, size_bytes);
}

int entry_value(struct record_scratch *scratch, struct record_scratch *json_scratch, bool structured, const void *item,
		size_t size_bytes, const void **ret_value, size_t *ret_size_bytes, struct record_fault *fault)
{
	int r;

	if (structured) {
		*ret_value = item;
		*ret_size_bytes = size_bytes;
		return is_whole(item, size_bytes) ? 0 : record_fault(fault, "no msgpack value");
	}
	r = json_decode(json_scratch, item, size_bytes, record_scratch_get(scratch, json_decode_bound(size_bytes)),
			ret_size_bytes, fault);
	*ret_value = scratch->data;
	return r == RECORD_E_EMPTY ? record_fault(fault, "nothing but blanks") : r;
}

static bool is_name(const struct value *key, const char *name, size_t name_bytes)
{
	return key->type == VALUE_STRING && key->n == name_bytes && memcmp(key->data, name, name_bytes) == 0;
}

static void pack_copy(struct pack *pack, const unsigned char *from, const unsigned char *end)
{
	memcpy(pack->next, from, (size_t)(end - from));
	pack->next += end - from;
}

int entry_join(const void *map, size_t map_bytes, const char *name, size_t name_bytes, const void *value,
	       size_t value_bytes, void *room, size_t *ret_size_bytes, struct record_fault *fault)
{
	struct value_reader reader;
	struct value head, key;
	struct pack pack;
	unsigned char *begin;
	uint32_t n = 0;

	if (!is_whole(value, value_bytes))
		return record_fault(fault, "what the table has for it is no value");
	value_reader_init(&reader, map, map_bytes);
	if (!is_whole(map, map_bytes) || value_next(&reader, &head) != 0 || head.type != VALUE_MAP)
		return record_fault(fault, "it is no map, so it has no place for a member");
	pack_init(&pack, room);
	begin = pack_open(&pack);
	for (uint32_t i = 0; i < head.n; i++) {
		const unsigned char *pair = reader.next;
		struct value_reader ahead = reader;

		(void)value_next(&ahead, &key);
		(void)value_skip(&reader); /* all of it is whole */
		(void)value_skip(&reader);
		if (is_name(&key, name, name_bytes))
			continue;
		pack_copy(&pack, pair, reader.next);
		n++;
	}
	pack_string(&pack, name, name_bytes);
	pack_copy(&pack, value, (const unsigned char *)value + value_bytes);
	pack_close(&pack, begin, n + 1, true);
	*ret_size_bytes = (size_t)(pack.next - (unsigned char *)room);
	return 0;
}
