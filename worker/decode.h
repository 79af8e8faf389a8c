/* SPDX-License-Identifier: Apache-2.0 */
/* Sources with `decode`: the text that they emit becomes a structured item. Nothing is done where worker->decode is NULL. */
#pragma once

#include <weir/record.h>

#include "common/base/text.h"
#include "worker/worker.h"

/* The stage's kind is known and not open yet. Returns 0; -EINVAL and why, for people; -errno. */
int decode_attach(struct worker *worker, struct text *why);
void decode_detach(struct worker *worker);

enum { DECODE_E_NONE = 100 }; /* it was no record but a blank line, or a header: there is nothing to emit */

/*
 * The source emits this text: what of it is the record. Returns 0, *text and *size_bytes are moved; DECODE_E_NONE; WEIR_REJECTED: it is
 * bad, and was kept or dropped, and counted; WEIR_FAILED with worker->reason: so the spec wants it, or it could not be kept.
 */
int decode_begin(struct worker *worker, const void **text, size_t *size_bytes);
/* Room that its item needs at most. */
size_t decode_bound(const struct worker *worker, size_t size_bytes);
/* The item itself, into that room, or, room NULL, into memory of the decoder. Returns 0, *ret_item and its size; else as above. */
int decode_item(struct worker *worker, const void *text, size_t size_bytes, void *room, const void **ret_item,
		size_t *ret_size_bytes);

/* Room for a text that has yet to be written; and where it was, for decode_begin(). Returns WEIR_OK, WEIR_TOO_LARGE. */
int decode_reserve(struct worker *worker, uint32_t output, size_t size_bytes, void **ret_text);
/* Returns NULL: nothing that large is reserved in this output. */
const void *decode_reserved(struct worker *worker, uint32_t output, size_t size_bytes);

/* What include/weir/record.h calls. */
bool decode_is_wanted(const struct weir_context *context);
enum weir_cutting decode_cutting(const struct weir_context *context);
int decode_cut(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
	       size_t *ret_record, size_t *ret_used);
void decode_cut_short(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
		      size_t *ret_used);
void decode_place(struct weir_context *context, const char *name, uint64_t line);
