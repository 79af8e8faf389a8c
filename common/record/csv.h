/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180), with any one byte between the fields. What becomes of every kind of bad input stands in docs/formats.md. */
#pragma once

#include <stdbool.h>

#include "common/record/record.h"

/* The names of the columns, packed as msgpack strings, one behind the other. Zero: none, and a record is an array. */
struct csv_names {
	struct record_scratch packed; /* owned */
	size_t size_bytes;
	uint32_t n;
};
void csv_names_deinit(struct csv_names *names);
/* One more. Returns false: it is there already, and was not added. */
bool csv_names_add(struct csv_names *names, const char *name, size_t size_bytes);

/* Room for the item made of so much text: each field costs its comma, a head of up to five bytes, and a name. */
static inline size_t csv_decode_bound(const struct csv_names *names, size_t size_bytes)
{
	return size_bytes + (size_bytes + 1) * 5 + names->size_bytes + 16;
}

/*
 * One record, without the newline that ends it (a '\r' there is left out), into a map from the names to strings, or into an array of
 * strings, at `room`, csv_decode_bound() bytes large. Pure. Returns 0 and its size; RECORD_E_BAD and why; RECORD_E_EMPTY: a blank line.
 */
int csv_decode(const struct csv_names *names, char separator, const char *text, size_t size_bytes, void *room,
	       size_t *ret_size_bytes, struct record_fault *fault);

/* A record that names the columns, into `names`, which are empty. Returns as csv_decode(); after RECORD_E_BAD they are empty again. */
int csv_decode_names(char separator, const char *text, size_t size_bytes, struct csv_names *names,
		     struct record_fault *fault);

/* Room for the text of so large an item, with all columns empty. */
static inline size_t csv_encode_bound(const struct csv_names *names, size_t size_bytes)
{
	return size_bytes * 6 + names->n + 64;
}

/*
 * A map, by the names, or an array with as many elements, into one record without its newline at `room`, csv_encode_bound() bytes large.
 * Names that the map lacks, and nil, are empty fields; names that it has besides are left out. Pure. Returns 0 and its size;
 * RECORD_E_BAD and why: no map or array, or a value that is one itself, or is no text.
 */
int csv_encode(const struct csv_names *names, char separator, const void *item, size_t size_bytes, char *room,
	       size_t *ret_size_bytes, struct record_fault *fault);
/* The record that names the columns; `room` has names->size_bytes * 2 + names->n * 3 bytes. Returns its size. */
size_t csv_encode_names(const struct csv_names *names, char separator, char *room);

/* Where a record ends: fields in quotes may hold newlines. All zero: at the beginning of a record. */
struct csv_cut {
	uint8_t state;
};
/*
 * Looks for the newline that ends the record, through bytes that follow those of the calls before. Returns its index, and the cut is at
 * the beginning of a record again; size_bytes: not among these.
 */
size_t csv_cut_find(struct csv_cut *cut, char separator, const char *data, size_t size_bytes);
