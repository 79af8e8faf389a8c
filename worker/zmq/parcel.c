/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message has any number of parts; an item is one piece of bytes. Of parts that are thrown away, or go beyond the largest item, nothing
 * is kept: so a message of a thousand large parts takes no more memory here than one.
 */
#include "worker/zmq/parcel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/text.h"

#define ESCAPE_BYTES_MAX 7

int parcel_init(struct parcel *parcel, struct weir_context *context)
{
	static const char *const names[] = { "one", "first", "last", "join", "array" };
	const char *parts = weir_option_string(context, "parts"), *separator = weir_option_string(context, "separator");

	*parcel = (struct parcel){ .separator = separator ? separator : "",
				   .size_max_bytes = weir_item_size_max(context) };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(parts, names[i]) == 0)
			parcel->parts = (enum parcel_parts)i;
	zmq_msg_init(&parcel->kept);
	if (parcel->parts < PARCEL_JOIN)
		return 0;
	parcel->joined = malloc(parcel->size_max_bytes ? parcel->size_max_bytes : 1);
	return parcel->joined ? 0 : error_origin(-ENOMEM);
}

void parcel_deinit(struct parcel *parcel)
{
	zmq_msg_close(&parcel->kept);
	free(parcel->joined);
}

static void append(struct parcel *parcel, const void *bytes, size_t n)
{
	uint64_t at = parcel->total_bytes;
	size_t room = at < parcel->size_max_bytes ? parcel->size_max_bytes - (size_t)at : 0;

	if (room && n)
		memcpy(parcel->joined + at, bytes, n < room ? n : room);
	parcel->total_bytes += n;
}

static void append_escaped(struct parcel *parcel, unsigned char c)
{
	char escaped[ESCAPE_BYTES_MAX];
	int n = c == '"' || c == '\\' ? snprintf(escaped, sizeof(escaped), "\\%c", c) :
					snprintf(escaped, sizeof(escaped), "\\u%04x", c);

	append(parcel, escaped, (size_t)n);
}

static void append_json(struct parcel *parcel, const char *bytes, size_t n)
{
	size_t from = 0;

	parcel->is_text = parcel->is_text && text_is_utf8(bytes, n);
	append(parcel, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
			continue;
		append(parcel, bytes + from, i - from);
		append_escaped(parcel, c);
		from = i + 1;
	}
	append(parcel, bytes + from, n - from);
	append(parcel, "\"", 1);
}

void parcel_begin(struct parcel *parcel)
{
	parcel->n_parts = 0;
	parcel->total_bytes = 0;
	parcel->is_text = true;
	if (parcel->parts == PARCEL_ARRAY)
		append(parcel, "[", 1);
}

void parcel_add(struct parcel *parcel, zmq_msg_t *part)
{
	uint32_t i = parcel->n_parts++;

	if (parcel->parts < PARCEL_JOIN) {
		if (i > 0 && parcel->parts != PARCEL_LAST)
			return;
		zmq_msg_move(&parcel->kept, part);
		parcel->total_bytes = zmq_msg_size(&parcel->kept);
	} else if (parcel->parts == PARCEL_JOIN) {
		append(parcel, parcel->separator, i > 0 ? strlen(parcel->separator) : 0);
		append(parcel, zmq_msg_data(part), zmq_msg_size(part));
	} else {
		append(parcel, ",", i > 0);
		append_json(parcel, zmq_msg_data(part), zmq_msg_size(part));
	}
}

void parcel_end(struct parcel *parcel)
{
	if (parcel->parts == PARCEL_ARRAY)
		append(parcel, "]", 1);
}

const void *parcel_bytes(struct parcel *parcel, size_t *ret_size_bytes)
{
	*ret_size_bytes =
		parcel->total_bytes < parcel->size_max_bytes ? (size_t)parcel->total_bytes : parcel->size_max_bytes;
	return parcel->joined ? parcel->joined : zmq_msg_data(&parcel->kept);
}

const char *parcel_unfit(const struct parcel *parcel)
{
	if (parcel->parts == PARCEL_ONE && parcel->n_parts > 1)
		return "one is expected; say in `parts` what is to become of several";
	if (!parcel->is_text)
		return "one of them is not UTF-8, which strings of JSON are";
	return NULL;
}
