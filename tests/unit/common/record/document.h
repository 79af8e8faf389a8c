/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of docs/formats.md, as tests: what is promised there is what is tried here. */
#pragma once

#include <stddef.h>

#define DOCUMENT_CELLS_MAX 3u

struct document_cell {
	char data[512]; /* NUL-terminated, and may hold NUL */
	size_t size_bytes;
};

/*
 * Calls `row` for each row of the table behind the heading, its cells with `\xHH`, `\n`, `\t`, `\r` and `\\` understood, and the
 * backquotes around them gone. Returns how many rows there were; fails the test if there is no such heading.
 */
unsigned document_rows_of(const char *document, const char *heading, void (*row)(const struct document_cell *cells));
#define document_rows(heading_, row_) document_rows_of(WEIR_SOURCE_DIR "/docs/formats.md", heading_, row_)
