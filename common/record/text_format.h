/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text: a line is a string, as `jq -R` and `jq -r` have it. Pure. */
#pragma once

#include "common/record/record.h"

static inline size_t text_format_decode_bound(size_t size_bytes)
{
	return size_bytes + 8;
}

/* Any UTF-8, also none, into a msgpack string at `room`. Returns 0 and its size; RECORD_E_BAD and why. */
int text_format_decode(const char *text, size_t size_bytes, void *room, size_t *ret_size_bytes,
		       struct record_fault *fault);
/*
 * A string as it stands, anything else as JSON, at `room`, json_encode_bound() bytes large. Returns 0 and its size; RECORD_E_BAD and why:
 * a line can't hold it.
 */
int text_format_encode(const void *item, size_t size_bytes, char *room, size_t *ret_size_bytes,
		       struct record_fault *fault);
