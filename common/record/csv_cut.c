/* SPDX-License-Identifier: Apache-2.0 */
/*
 *                  "                  "                   "
 *      BEGIN ------------> QUOTED <-------> QUOTE_SEEN        a quote opens a field only at its beginning: one in the middle of a
 *        |  ^ separator      |                |  anything      field is an error of that record, and swallows nothing of the next
 *        v  |                v                v
 *      PLAIN           newlines are text    PLAIN
 */
#include <string.h>

#include "common/record/csv.h"

enum { CUT_BEGIN = 0, CUT_PLAIN, CUT_QUOTED, CUT_QUOTE_SEEN };

/* Inside quotes only a quote matters. */
static size_t pass_quoted(struct csv_cut *cut, const char *data, size_t at, size_t size_bytes)
{
	const char *quote = memchr(data + at, '"', size_bytes - at);

	if (!quote)
		return size_bytes;
	cut->state = CUT_QUOTE_SEEN;
	return (size_t)(quote - data) + 1;
}

size_t csv_cut_find(struct csv_cut *cut, char separator, const char *data, size_t size_bytes)
{
	size_t at = 0;

	while (at < size_bytes) {
		if (cut->state == CUT_QUOTED) {
			at = pass_quoted(cut, data, at, size_bytes);
		} else if (data[at] == '\n') {
			cut->state = CUT_BEGIN;
			return at;
		} else {
			if (data[at] == '"' && cut->state != CUT_PLAIN)
				cut->state = CUT_QUOTED;
			else
				cut->state = data[at] == separator ? CUT_BEGIN : CUT_PLAIN;
			at++;
		}
	}
	return size_bytes;
}
