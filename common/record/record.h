/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all formats have in common. A structured item is one msgpack value. A format turns the text of one record into it (decode), or it
 * into the text of one record (encode); both are pure, and write into room that is large enough for whatever comes of it: so nothing
 * is asked for on the way, and nothing is allocated.
 *
 *      text, size  --bound-->  room, the caller's  --decode, encode-->  0: *ret_size bytes of it are used
 *                                                                   \->  RECORD_E_BAD and why, RECORD_E_EMPTY
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_DEPTH_MAX 64u /* arrays and maps within each other */
#define RECORD_SIZE_MAX \
	((size_t)1 << 28) /* bytes of a record's text: four times the largest item, and every bound fits 32 bits */
#define RECORD_BOM "\xef\xbb\xbf"
#define RECORD_BOM_BYTES 3u

/* Numbered as the choices of `decode` and `encode` in the spec. */
enum record_format { RECORD_RAW = 0, RECORD_JSON, RECORD_CSV, RECORD_MSGPACK, RECORD_TEXT };

enum {
	RECORD_E_BAD = 1,   /* it is no such record: `fault` says why */
	RECORD_E_EMPTY = 2, /* decode: a blank line, which is no record */
};

/* Why a record is bad, to be read behind its place: "byte 7: expected ':'". */
struct record_fault {
	char why[160];
};

/* Writes the reason. Returns RECORD_E_BAD. */
int record_fault(struct record_fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that a format may use from call to call; it grows to what the largest record needed, and stays. Zero: none yet. */
struct record_scratch {
	void *data; /* owned */
	size_t capacity;
};
/* At least size_bytes of it. Aborts the process when memory is out. What was there is kept. */
void *record_scratch_get(struct record_scratch *scratch, size_t size_bytes);
void record_scratch_deinit(struct record_scratch *scratch);
