/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stage may want to know of `decode:` and `encode:` in its spec. Items are decoded as a source emits them, and encoded before a sink
 * gets them, by the runtime: a stage needs none of this unless it cuts a stream of bytes into records, or writes one.
 *
 *      bytes --weir_cut()--> text of a record --weir_place(), weir_emit()--> [runtime: decode] --> structured items, in msgpack
 *      ... --> structured items --> [runtime: encode] --> text of a record --weir_ends_lines()--> bytes
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/emit.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Source: what it emits will be decoded. Without it, weir_place() says nothing to anybody. */
bool weir_decodes(const struct weir_context *context);

/* Source: where records end. */
enum weir_cutting {
	WEIR_CUT_LINES = 0, /* at each newline */
	WEIR_CUT_RECORDS,   /* at a newline, but not at each: ask weir_cut() */
	WEIR_CUT_VALUES,    /* where weir_cut() says so; there are no newlines */
};
enum weir_cutting weir_cutting(const struct weir_context *context);

/* How far weir_cut() has come in a record. All zero: at its beginning. Plain data, which may lie in the cursor. */
struct weir_cut {
	uint64_t state[2];
};

/*
 * Source: looks for the end of the record in these bytes, which follow the ones that were used up. Returns WEIR_OK: they end it after
 * *ret_used bytes, of which *ret_record belong to it (a newline does not), and `cut` is at the beginning of the next; WEIR_MORE: they
 * don't, *ret_used of them are used up, call it again with what follows those; WEIR_REJECTED: these bytes are no such stream, and
 * nobody can tell where the next record begins. Never waits.
 */
int weir_cut(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
	     size_t *ret_record, size_t *ret_used);
/*
 * The same when WEIR_MORE can't be helped, as the stream is at its end, or the record is as long as an item may be: what of its bytes
 * should be emitted instead, to be refused with a reason. The first line of them, or all.
 */
void weir_cut_short(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
		    size_t *ret_used);

/*
 * Source: the record that is emitted next begins in this line (from 1) of this file or stream; for reasons, and line 1 is where a new
 * stream begins, with its header: without it, a header is what comes first, and comes again if the source is killed before its first
 * commit. The name must live until the next call or the callback's end. Holds for one emit that is not WEIR_FULL.
 */
void weir_place(struct weir_context *context, const char *name, uint64_t line);

/* Sink: a newline belongs behind each item's text. False: nothing does, items are bytes that find their end themselves. */
bool weir_ends_lines(const struct weir_context *context);

/*
 * Operator, sink: what its items are, as far as can be told from the spec. Of a plugin upstream nobody knows what it emits, and several
 * inputs may differ. An array or map in msgpack begins with a byte that no JSON text begins with (0x80 to 0x9f, 0xdc to 0xdf).
 */
enum weir_form {
	WEIR_FORM_UNKNOWN = 0,
	WEIR_FORM_TEXT,       /* no source upstream decodes: bytes, most likely lines */
	WEIR_FORM_STRUCTURED, /* each is one msgpack value */
};
enum weir_form weir_form(const struct weir_context *context);

#ifdef __cplusplus
}
#endif
