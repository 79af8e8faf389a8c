/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three ways to end:
 *
 *      json, text, raw   at the next newline
 *      csv               at the next newline that is in no quotes
 *      msgpack           with the last value of the outermost one; nothing stands between two records
 *
 * The heads of msgpack are small and are taken whole; what they announce is counted and passed over, at any depth and in any pieces.
 */
#include "common/record/cut.h"

#include <stdbool.h>
#include <string.h>

#include "common/record/csv.h"
#include "common/record/value.h"

#define LEFT_MAX (UINT64_C(1) << 40) /* values of one record: more than any machine has room for */

static int cut_lines(size_t newline, size_t size_bytes, size_t *ret_record, size_t *ret_used)
{
	*ret_record = newline;
	*ret_used = newline < size_bytes ? newline + 1 : size_bytes;
	return newline < size_bytes ? 0 : RECORD_CUT_E_MORE;
}

static int cut_csv(char separator, struct record_cut *cut, const char *data, size_t size_bytes, size_t *ret_record,
		   size_t *ret_used)
{
	struct csv_cut csv = { .state = (uint8_t)cut->left };
	size_t newline = csv_cut_find(&csv, separator, data, size_bytes);

	cut->left = csv.state;
	return cut_lines(newline, size_bytes, ret_record, ret_used);
}

/* One head at *at, with the number behind it. */
static int take_head(struct record_cut *cut, const unsigned char *data, size_t size_bytes, size_t *at)
{
	struct value_head head;
	bool is_extension;

	if (*at == size_bytes)
		return RECORD_CUT_E_MORE;
	if (!value_head(data[*at], &head))
		return RECORD_CUT_E_LOST;
	if (size_bytes - *at < 1u + head.width_bytes)
		return RECORD_CUT_E_MORE;
	++*at;
	for (unsigned i = 0; i < head.width_bytes; i++)
		head.count = head.count << 8 | data[(*at)++];
	is_extension = head.type == VALUE_EXTENSION;
	cut->left--;
	if (head.is_count && (head.type == VALUE_ARRAY || head.type == VALUE_MAP))
		cut->left += head.count << (head.type == VALUE_MAP);
	else if (head.is_count)
		cut->skip_bytes = head.count + is_extension; /* its type stands before its bytes */
	return cut->left > LEFT_MAX ? RECORD_CUT_E_LOST : 0;
}

static int cut_msgpack(struct record_cut *cut, const unsigned char *data, size_t size_bytes, size_t *ret_used)
{
	size_t at = 0;
	int r = 0;

	if (!cut->left && !cut->skip_bytes)
		cut->left = 1;
	while (r == 0 && (cut->left || cut->skip_bytes)) {
		size_t there = size_bytes - at, skip = cut->skip_bytes < there ? (size_t)cut->skip_bytes : there;

		at += skip;
		cut->skip_bytes -= skip;
		if (cut->skip_bytes)
			r = RECORD_CUT_E_MORE;
		else if (cut->left)
			r = take_head(cut, data, size_bytes, &at);
	}
	*ret_used = at;
	return r;
}

int record_cut(enum record_format format, char separator, struct record_cut *cut, const void *data, size_t size_bytes,
	       size_t *ret_record, size_t *ret_used)
{
	const char *newline;
	int r;

	if (format == RECORD_CSV)
		return cut_csv(separator, cut, data, size_bytes, ret_record, ret_used);
	if (format == RECORD_MSGPACK) {
		r = cut_msgpack(cut, data, size_bytes, ret_used);
		*ret_record = *ret_used;
		return r;
	}
	newline = size_bytes ? memchr(data, '\n', size_bytes) : NULL;
	return cut_lines(newline ? (size_t)(newline - (const char *)data) : size_bytes, size_bytes, ret_record,
			 ret_used);
}

void record_cut_short(enum record_format format, const void *data, size_t size_bytes, size_t *ret_record,
		      size_t *ret_used)
{
	const char *newline = format == RECORD_MSGPACK || !size_bytes ? NULL : memchr(data, '\n', size_bytes);

	(void)cut_lines(newline ? (size_t)(newline - (const char *)data) : size_bytes, size_bytes, ret_record,
			ret_used);
}
