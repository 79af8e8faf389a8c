/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt, as many programs write their logs: `level=info msg="two words" done`. What becomes of every kind of bad input stands in docs/parse.md. */
#pragma once

#include "common/record/record.h"

/* Room for the item made of so much text: a name without a value costs `true`, a value in quotes what JSON may need for it. */
static inline size_t logfmt_decode_bound(size_t size_bytes)
{
	return size_bytes * 4 + 64;
}

/*
 * One line into a map from its names to strings, or to true, at `room`, logfmt_decode_bound() bytes large; of a name that comes twice the
 * last counts. The scratch is used for the names. Wait-free but for that growing. Returns 0 and its size; RECORD_E_BAD and why;
 * RECORD_E_EMPTY: nothing but blanks.
 */
int logfmt_decode(struct record_scratch *scratch, const char *text, size_t size_bytes, void *room,
		  size_t *ret_size_bytes, struct record_fault *fault);
