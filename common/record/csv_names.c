/* SPDX-License-Identifier: Apache-2.0 */
/* Names of columns, kept as they are written into each item: packed. */
#include "common/base/must.h"
#include "common/record/csv.h"
#include "common/record/pack.h"
#include "common/record/value.h"

void csv_names_deinit(struct csv_names *names)
{
	record_scratch_deinit(&names->packed);
	*names = (struct csv_names){ 0 };
}

bool csv_names_add(struct csv_names *names, const char *name, size_t size_bytes)
{
	unsigned char *packed = record_scratch_get(&names->packed, names->size_bytes + size_bytes + 16);
	unsigned char *added = packed + names->size_bytes;
	struct pack pack;
	size_t size;

	pack_init(&pack, added);
	pack_string(&pack, name, size_bytes);
	size = (size_t)(pack.next - added);
	for (const unsigned char *at = packed; at < added; at += pack_string_size(at))
		if (pack_string_size(at) == size && memcmp(at, added, size) == 0)
			return false;
	names->size_bytes += size;
	names->n++;
	return true;
}

/* An array of strings, as csv_decode() writes it. */
static int take_names(const void *array, size_t size_bytes, struct csv_names *names, struct record_fault *fault)
{
	struct value_reader reader;
	struct value value;

	value_reader_init(&reader, array, size_bytes);
	must(value_next(&reader, &value) == 0 && value.type == VALUE_ARRAY);
	while (reader.next < reader.end) {
		must(value_next(&reader, &value) == 0 && value.type == VALUE_STRING);
		if (!csv_names_add(names, value.data, value.n))
			return record_fault(fault, "two columns have the name '%.*s'", value.n < 60 ? (int)value.n : 60,
					    value.data);
	}
	return 0;
}

int csv_decode_names(char separator, const char *text, size_t size_bytes, struct csv_names *names,
		     struct record_fault *fault)
{
	struct csv_names none = { 0 };
	struct record_scratch room = { 0 };
	size_t size = 0;
	int r = RECORD_E_BAD;

	if (size_bytes > RECORD_SIZE_MAX)
		return record_fault(fault, "it is longer than %zu bytes", RECORD_SIZE_MAX);
	r = csv_decode(&none, separator, text, size_bytes,
		       record_scratch_get(&room, csv_decode_bound(&none, size_bytes)), &size, fault);
	if (r == 0)
		r = take_names(room.data, size, names, fault);
	if (r != 0)
		csv_names_deinit(names);
	record_scratch_deinit(&room);
	return r;
}
