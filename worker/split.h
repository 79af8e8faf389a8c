/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a byte stream into records. Lines: the bytes before each newline. Stanzas: the bytes before one or more blank
 * (empty) lines, as awk does with RS="". A last record without its separator counts. Knows nothing about where the
 * bytes come from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum split_mode { SPLIT_LINES = 0, SPLIT_STANZAS = 1 };

struct splitter {
	unsigned char *data; /* owned */
	size_t capacity;
	size_t record_max_bytes;
	size_t start, end;      /* bytes not yet handed out */
	size_t scanned;         /* no separator starts below here */
	uint64_t shed_bytes;    /* left out of the record at `start`, which is too long */
	uint64_t skipped_bytes; /* separators passed since the last record */
	enum split_mode mode;
};

#define SPLITTER_NULL \
	{             \
		0     \
	}

struct split_record {
	const unsigned char *data; /* in the splitter; valid until the next splitter_room() */
	size_t size_bytes;         /* at most record_max_bytes: the record's beginning, if it is longer */
	uint64_t total_bytes;      /* of the whole record; > size_bytes: it was too long */
	uint64_t consumed_bytes;   /* of the stream since the end of the last record, separators included */
};

enum {
	SPLIT_E_MORE = 1, /* no whole record yet: fill in more */
	SPLIT_E_END = 2,  /* at the end, and nothing left; consumed_bytes of separators may still be set */
};

/*
 * Takes memory for records of up to record_max_bytes (it is touched only as far as records are long). Returns 0 or
 * -ENOMEM.
 */
int splitter_init(struct splitter *splitter, enum split_mode mode, size_t record_max_bytes);
/* Frees; fine on SPLITTER_NULL and twice. */
void splitter_deinit(struct splitter *splitter);
/* Forgets all bytes; for another stream. */
void splitter_reset(struct splitter *splitter);

/* Where the next bytes of the stream go; call it after SPLIT_E_MORE. Returns how many fit, never 0. */
size_t splitter_room(struct splitter *splitter, unsigned char **ret_at);
/* n bytes have been put there. */
void splitter_fill(struct splitter *splitter, size_t n);

/*
 * The next record. at_end: no more bytes will come. Returns 0 and the record; SPLIT_E_MORE (never at the end);
 * SPLIT_E_END.
 */
int splitter_next(struct splitter *splitter, bool at_end, struct split_record *ret);
