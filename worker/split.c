/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One flat buffer, a little larger than the longest record that is wanted whole:
 *
 *   0        start                    scanned        end          capacity
 *   |  done  |  record being looked for  |  not searched  |   room   |
 *
 * A record that fills the buffer without an end in sight is too long. Its first record_max_bytes stay, and its last
 * byte, since that may be the first half of a separator; the rest is shed and only counted. So a record of any length
 * costs bounded memory and is handed out once, at its end, and a caller's position never stands in the middle of one.
 */
#include "worker/split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"

#define READ_AHEAD_BYTES ((size_t)64 * 1024)

int splitter_init(struct splitter *splitter, enum split_mode mode, size_t record_max_bytes)
{
	*splitter = (struct splitter)SPLITTER_NULL;
	splitter->mode = mode;
	splitter->record_max_bytes = record_max_bytes;
	splitter->capacity = record_max_bytes + READ_AHEAD_BYTES;
	splitter->data = malloc(splitter->capacity);
	return splitter->data ? 0 : error_origin(-ENOMEM);
}

void splitter_deinit(struct splitter *splitter)
{
	free(splitter->data);
	*splitter = (struct splitter)SPLITTER_NULL;
}

void splitter_reset(struct splitter *splitter)
{
	splitter->start = splitter->end = splitter->scanned = 0;
	splitter->shed_bytes = splitter->skipped_bytes = 0;
}

/* The buffer is full of one record: keep its beginning and its last byte. */
static void shed(struct splitter *splitter)
{
	size_t keep = splitter->record_max_bytes;

	splitter->shed_bytes += splitter->end - keep - 1;
	splitter->data[keep] = splitter->data[splitter->end - 1];
	splitter->end = keep + 1;
	splitter->scanned = splitter->mode == SPLIT_STANZAS ? keep : keep + 1;
}

size_t splitter_room(struct splitter *splitter, unsigned char **ret_at)
{
	if (splitter->start && splitter->capacity - splitter->end < READ_AHEAD_BYTES / 2) {
		memmove(splitter->data, splitter->data + splitter->start, splitter->end - splitter->start);
		splitter->end -= splitter->start;
		splitter->scanned -= splitter->start;
		splitter->start = 0;
	}
	if (splitter->end == splitter->capacity)
		shed(splitter);
	*ret_at = splitter->data + splitter->end;
	return splitter->capacity - splitter->end;
}

void splitter_fill(struct splitter *splitter, size_t n)
{
	must(n <= splitter->capacity - splitter->end);
	splitter->end += n;
}

/* Start of the separator that ends the record, or NULL; remembers how far it looked. */
static const unsigned char *find_separator(struct splitter *splitter)
{
	const unsigned char *from = splitter->data + splitter->scanned, *found;
	size_t n = splitter->end - splitter->scanned;

	if (splitter->mode == SPLIT_LINES) {
		found = memchr(from, '\n', n);
		splitter->scanned = splitter->end;
		return found;
	}
	found = memmem(from, n, "\n\n", 2);
	/* the last byte may be the first half */
	splitter->scanned = splitter->end > splitter->start ? splitter->end - 1 : splitter->end;
	return found;
}

/* Blank lines before a stanza belong to nobody. */
static void skip_blank_lines(struct splitter *splitter)
{
	if (splitter->mode != SPLIT_STANZAS || splitter->shed_bytes)
		return;
	while (splitter->start < splitter->end && splitter->data[splitter->start] == '\n') {
		splitter->start++;
		splitter->skipped_bytes++;
	}
	if (splitter->scanned < splitter->start)
		splitter->scanned = splitter->start;
}

static void hand_out(struct splitter *splitter, size_t length, size_t separator_bytes, struct split_record *ret)
{
	ret->data = splitter->data + splitter->start;
	ret->total_bytes = length + splitter->shed_bytes;
	ret->size_bytes = length < splitter->record_max_bytes ? length : splitter->record_max_bytes;
	ret->consumed_bytes = splitter->skipped_bytes + ret->total_bytes + separator_bytes;
	splitter->start += length + separator_bytes;
	splitter->scanned = splitter->start;
	splitter->shed_bytes = splitter->skipped_bytes = 0;
}

int splitter_next(struct splitter *splitter, bool at_end, struct split_record *ret)
{
	const unsigned char *separator;
	size_t length;

	skip_blank_lines(splitter);
	separator = find_separator(splitter);
	if (separator) {
		hand_out(splitter, (size_t)(separator - (splitter->data + splitter->start)),
			 splitter->mode == SPLIT_LINES ? 1 : 2, ret);
		return 0;
	}
	if (!at_end)
		return SPLIT_E_MORE;
	length = splitter->end - splitter->start;
	if (!length) {
		*ret = (struct split_record){ .consumed_bytes = splitter->skipped_bytes };
		splitter->skipped_bytes = 0;
		return SPLIT_E_END;
	}
	/* a stanza's own last newline is no part of it */
	if (splitter->mode == SPLIT_STANZAS && splitter->data[splitter->end - 1] == '\n')
		hand_out(splitter, length - 1, 1, ret);
	else
		hand_out(splitter, length, 0, ret);
	return 0;
}
