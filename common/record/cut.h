/* SPDX-License-Identifier: Apache-2.0 */
/* Where a record of a stream ends, by its format. Pure. */
#pragma once

#include "common/record/record.h"

/* All zero: at the beginning of a record. */
struct record_cut {
	uint64_t left;       /* csv: what the bytes so far have come to; msgpack: values that are still to come */
	uint64_t skip_bytes; /* msgpack: of the string at work */
};

enum { RECORD_CUT_E_MORE = 1, RECORD_CUT_E_LOST = 2 };

/*
 * Looks for the end of the record in bytes that follow those which the calls before have used up. Returns 0: *ret_used bytes of these end
 * it, *ret_record of them are its own (a newline is not), and the cut is at a beginning again; RECORD_CUT_E_MORE: it goes on,
 * *ret_used are used up; RECORD_CUT_E_LOST: this is no such stream, and nobody can say where the next record begins.
 */
int record_cut(enum record_format format, char separator, struct record_cut *cut, const void *data, size_t size_bytes,
	       size_t *ret_record, size_t *ret_used);

/*
 * The same for the bytes of a record of which no end is in sight, and there are no more, or none that an item would have room for: what
 * of them had better be taken for it. The first line, or all of them.
 */
void record_cut_short(enum record_format format, const void *data, size_t size_bytes, size_t *ret_record,
		      size_t *ret_used);
