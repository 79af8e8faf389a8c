/* SPDX-License-Identifier: Apache-2.0 */
/* Inside common/wire/: the tables that the writer, the reader and the freeing of a heritage go by. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/wire/heritage.h"

#define HERITAGE_MAGIC UINT64_C(0x5249454852494557) /* "WEIRHEIR" */
#define HERITAGE_SIZE_MAX (16u << 20)               /* bytes of a document */

enum field_kind { U32, U64, I32, I64, FLAG, TOKEN, STRING, STRING_OR_NIL, STRINGS, RECORDS };

struct record;
struct field {
	enum field_kind kind;
	size_t offset;
	size_t offset_n;             /* STRINGS, RECORDS: of the uint32_t count; else 0 */
	const struct record *record; /* RECORDS: of what */
};
struct record {
	size_t size_bytes;
	const struct field *fields;
	uint32_t n_fields;
};

/* struct heritage and struct heritage_question themselves. */
extern const struct record heritage_record, heritage_question_record;

/* The members that a field stands for, inside the record that starts at `in`. */
static inline void *field_at(const struct field *field, void *in)
{
	return (unsigned char *)in + field->offset;
}

static inline uint32_t *field_count(const struct field *field, void *in)
{
	return (uint32_t *)(void *)((unsigned char *)in + field->offset_n);
}

/* Frees what a record owns, not the record; fine on zeroes and on half-read records. */
void record_deinit(const struct record *record, void *in);

/*
 * Whether the numbers of a well-formed heritage go together: indexes inside their arrays, offsets inside their segments, counts inside
 * the limits. Pure. heritage_write() asks it before writing, heritage_read() after reading.
 */
bool heritage_makes_sense(const struct heritage *heritage);
bool heritage_question_makes_sense(const struct heritage_question *question);
