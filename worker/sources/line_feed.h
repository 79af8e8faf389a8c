/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a file or spool into items, mostly lines: what the file source and the stdin source share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/record.h>
#include <weir/stage.h>

#define LINE_FEED_BINARY_BYTES 32768u /* so far into a file a NUL byte makes it a binary one */
#define LINE_FEED_HEAD_BYTES 65536u   /* so much of a line that is too long goes into its dead letter */

/* Where reading stands; lies in the stage's cursor. */
struct line_position {
	uint64_t offset;    /* next byte to read */
	uint64_t line;      /* lines done so far; without lines (WEIR_CUT_VALUES): records */
	uint64_t long_from; /* 1 + offset of the beginning of a line that is being passed over; 0: none */
};

enum line_too_long { LINE_TOO_LONG_REJECT, LINE_TOO_LONG_CUT, LINE_TOO_LONG_FAIL };

struct line_feed {
	struct weir_context *context;
	enum line_too_long too_long;
	bool refuse_binary;
	size_t line_max_bytes; /* of an item that fits the lanes */
	bool cut_said;
	bool decodes; /* somebody wants to know the place of each record */
	enum weir_cutting cutting;

	const char *name; /* for messages; borrowed */
	int fd;           /* read with pread(); borrowed */
	uint64_t start;   /* offset of the stream's first byte */
	bool complete;    /* nothing will be added behind the end of the file */

	/*
	 * A file that may become another one while it is read (a followed log): asked with how far has been read, behind each read and
	 * before anything is made of its bytes. Returns 0: it is still the same; LINE_FEED_CHANGED. NULL: a file that shrinks is a
	 * failure.
	 */
	int (*ask_same)(void *data, uint64_t read_to);
	void *ask_data;
	int read_error; /* behind LINE_FEED_UNREADABLE: errno */

	char *buffer; /* owned */
	size_t capacity;
	uint64_t offset;     /* of buffer[0] */
	size_t filled;       /* bytes in the buffer */
	size_t scanned;      /* no end below this, at or behind the position ... */
	struct weir_cut cut; /* ... and what the bytes up to here have come to, where newlines alone do not tell */
};

/* More outcomes of line_feed_produce(), where ask_same is set; line_feed_set() is due then. */
enum {
	LINE_FEED_CHANGED = 200,    /* another file under the same descriptor, or less of it */
	LINE_FEED_UNREADABLE = 201, /* see read_error */
};

/* Takes the options binary and too_long from the context. Returns 0 or -ENOMEM. line_feed_deinit() frees; fine on zeroes. */
int line_feed_init(struct line_feed *feed, struct weir_context *context);
void line_feed_deinit(struct line_feed *feed);

/* Another file: forgets the buffer. */
void line_feed_set(struct line_feed *feed, const char *name, int fd, uint64_t start, bool complete);

/*
 * Emits up to *budget lines from the position on, and moves both along. In produce(); may block on the disk. Returns WEIR_MORE
 * (budget used up, or a lane is full), WEIR_WAIT (at the end of a file that is not complete), WEIR_CLOSED (at the end),
 * WEIR_FAILED, WEIR_CANCELLED, LINE_FEED_CHANGED, LINE_FEED_UNREADABLE, negative errno.
 */
int line_feed_produce(struct line_feed *feed, struct line_position *position, unsigned *budget);

/* Looks for a NUL byte in n bytes, which lie `at` bytes into the stream. Returns 0, or WEIR_FAILED after weir_fail(). */
int line_feed_check_binary(struct weir_context *context, const char *name, const char *bytes, size_t n, uint64_t at);
