/* SPDX-License-Identifier: Apache-2.0 */
/* Items as lines at the end of a file, each exactly once: what the file sink and the stdout sink share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <weir/record.h>
#include <weir/stage.h>

/* Lies in the stage's cursor. */
struct writer_cursor {
	uint64_t started;       /* 1: what follows is set */
	uint64_t committed;     /* end of what is committed: offset in the file; without positions: bytes written */
	uint64_t device, inode; /* of the file */
	uint64_t newline_due;   /* 1: the file that is appended to lacks its last newline */
	uint64_t cut;           /* 1: nothing behind `committed` is worth keeping */
};

struct writer {
	struct weir_context *context;
	char *name;       /* for messages; owned */
	int fd;           /* owned */
	bool positioned;  /* pwrite and cut; else plain write */
	bool write_small; /* fd blocks: only pieces that a ready pipe takes without blocking */
	bool wait_when_full;
	bool ends_lines; /* a newline belongs behind each item */
	bool cut_done;   /* by this generation: there may be bytes behind `committed` since then */
	bool full_said;

	char *buffer; /* whole items only; owned */
	size_t capacity;
	size_t used;  /* bytes in the buffer ... */
	size_t sent;  /* ... that are written already */
	uint64_t end; /* where the next byte of the buffer goes */
};

/* Takes the fd, also if it fails. Returns 0 or -ENOMEM; then writer_abandon() is due all the same. */
int writer_init(struct writer *writer, struct weir_context *context, const char *name, int fd, bool positioned);
/* Cuts off what is not committed, closes and frees. */
void writer_deinit(struct writer *writer);
/* Closes and frees, and leaves the file alone: the stage did not open. */
void writer_abandon(struct writer *writer);

/*
 * A later generation: the file must be the one of the cursor, and hold what is committed. Returns 0, WEIR_FAILED after weir_fail().
 */
int writer_resume(struct writer *writer, const struct stat *st);

/* Takes one item. May write; may wait for room. Returns 0; WEIR_FAILED, WEIR_CANCELLED, -errno: the item is not taken. */
int writer_add(struct writer *writer, const void *data, size_t size_bytes);

/*
 * Room for size_bytes behind writer->used in the buffer, for who fills it himself: in pieces, each whole, with all that it needs.
 * Returns as writer_add().
 */
int writer_room(struct writer *writer, size_t size_bytes);

/* Everything taken is written, and the cursor says so. Same returns; if it fails it can be called again. */
int writer_flush(struct writer *writer);

/* writer_flush(), then onto the disk. Same returns. */
int writer_finish(struct writer *writer);
