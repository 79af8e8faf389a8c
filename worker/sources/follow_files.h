/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that are followed: which there are, under what names, whether each is still the one that was read from, and which have
 * something to read. follow.c reads them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/sources/follow_index.h"
#include "worker/sources/follow_table.h"
#include "worker/sources/follow_watch.h"

/* What this process knows of a file of the table, beside what stands there. */
struct followed {
	char *name;         /* it was last seen under; owned; NULL: this process has not seen it yet */
	int fd;             /* -1: not open */
	uint32_t after;     /* another file that held the name before: it is read to its end first; FOLLOW_NO_FILE */
	uint64_t leaves_ns; /* it has lost its name: it ends if nothing has come until then; 0: it has not */
	bool queued;
	bool found;   /* by the last scan, under its name */
	bool missing; /* by the scan before it */
	bool lost;    /* it has gone, and what was left of it with it */
};

struct follow_files {
	struct weir_context *context;
	const char *const *paths;
	struct follow_table table;
	struct follow_watch watch;
	struct follow_index by_inode, by_name; /* numbers of files */
	struct followed *files;                /* table.capacity of them */
	uint32_t capacity;
	uint32_t *queue; /* a ring of those that may have something to read; capacity + 1 */
	uint32_t queue_first, queue_end;
	uint32_t n_open, open_max, hand;         /* hand: where the search for one to close goes on */
	uint64_t rotated_wait_ns, look_every_ns; /* look_every_ns 0: as seldom as may be */
	uint64_t scan_due_ns, scanned_ns;        /* scan_due_ns UINT64_MAX: nothing asks for one; scanned_ns 0: never */
	uint64_t scan_pause_ns;                  /* before the next one, whatever happens */
	uint64_t leave_ns;                       /* the earliest leaves_ns of all, or earlier; UINT64_MAX */
	bool at_end;                             /* what is there at the very start is taken for read */
	bool unsure;                             /* the last scan could not look everywhere */
	bool nameless;                           /* there are files that this process has not seen yet */
	bool unknown;                            /* something has happened to a file that has no such name */
	bool moved;                              /* a spot was moved, so the turn's number has to be committed */
	uint64_t said[64];                       /* hashes of what has been said, once each */
	uint32_t n_said;
};

/* Attaches the table in the spool, whose committed turn is `turn`. Returns 0, WEIR_FAILED after weir_fail(), -errno. */
int follow_files_open(struct follow_files *files, struct weir_context *context, uint64_t turn);
void follow_files_close(struct follow_files *files);

/* Looks which files there are, and queues those that may have something to read. At the beginning of a turn. Returns 0 or -errno. */
int follow_files_scan(struct follow_files *files);
bool follow_files_scan_is_due(const struct follow_files *files, uint64_t now_ns);
/* Takes what has happened; may make a scan due. */
void follow_files_news(struct follow_files *files);

/* The next one that may have something to read, taken from the queue; FOLLOW_NO_FILE. */
uint32_t follow_files_next(struct follow_files *files);
void follow_files_queue(struct follow_files *files, uint32_t file);

/*
 * Opens the file under its name unless it is open. Returns 0; 1: it is not there any more, or can't be opened, which was said.
 * Closes another one if too many are open.
 */
int follow_files_take(struct follow_files *files, uint32_t file);
void follow_files_put_away(struct follow_files *files, uint32_t file); /* closes it */

/* What an open file is now. Whether its first bytes are those that were read, and are all there: 0, LINE_FEED_CHANGED. */
int follow_files_ask_same(struct follow_files *files, uint32_t file, uint64_t read_to);
/* The file has been read to here: moves its spot, and the hash of its first bytes. */
void follow_files_move(struct follow_files *files, uint32_t file, const struct line_position *position, bool ended);
/* Remembers what an open file looks like, of which the rest is read now. */
void follow_files_see(struct follow_files *files, uint32_t file);
/* It was read up to its end, which was there: remembers what it looks like, and queues it again if more has come meanwhile. */
void follow_files_rest(struct follow_files *files, uint32_t file, uint64_t read_to);
/* Nothing is left to be read of it, as far as anybody knows. */
bool follow_files_is_read(const struct follow_files *files, uint32_t file);
/* It could not be read: it is tried again at the next look. */
void follow_files_retry(struct follow_files *files, uint32_t file);

/* Queues those that have lost their name so long ago that they may end. */
void follow_files_leave(struct follow_files *files, uint64_t now_ns);
/* It has lost its name so long ago, and nothing has come since it was read to its end. */
bool follow_files_is_leaving(const struct follow_files *files, uint32_t file, uint64_t now_ns);
/* It has ended. */
void follow_files_left(struct follow_files *files, uint32_t file);

/* When there is something to do even if no news come: a scan, a file that ends. */
uint64_t follow_files_wake_ns(const struct follow_files *files);

/* Logs it, unless that was done before. */
void follow_files_say(struct follow_files *files, const char *what, ...) __attribute__((format(printf, 2, 3)));
