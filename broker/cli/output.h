/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard error that can't hold up the supervisor, whatever is behind it: a stopped terminal (^S), a pager, a pipe that nobody reads, a
 * disk that is out of breath. A thread writes (broker/cli/courier.h); what it does not get rid of waits in a bounded
 * backlog, and beyond it is
 * counted and dropped. All calls are the loop thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

struct output;

/* How much may wait for it to be dropped: what tells of a failure finds room where other lines don't; the last words always do. */
enum output_rank { OUTPUT_LINE, OUTPUT_FAILURE, OUTPUT_LAST };

/* One line, with its newline, that says that n_lines are missing here for that reason. Pure: it is called in the thread, too. */
typedef void output_loss_fn(const void *data, uint64_t n_lines, const char *reason, struct text *text);

/* Writes to fd, which stays the caller's. Never fails: without a thread every call waits (output_has_thread() says so). */
struct output *output_new(int fd, output_loss_fn *format_loss, const void *loss_data);
/*
 * From now on, before the first line: each line, with its newline, is given to this instead of being written. It may wait, where courier.h
 * says that one may, and returns 0 or -errno: then the line is lost, and counted.
 */
typedef int output_send_fn(int fd, const char *line, size_t size_bytes);
void output_send_by(struct output *output, output_send_fn *send);
bool output_has_thread(const struct output *output);
/* Takes n_lines of text, to be written whole and in order, or drops them and counts. Never waits. */
void output_write(struct output *output, enum output_rank rank, const struct text *text, uint64_t n_lines);
/* True if everything is out, and more would be taken: the moment to redraw. No waiting. */
bool output_idle(struct output *output);
/* Lines that were dropped and not told of yet, if there is room now to say so, as there must be for what follows; else 0. No waiting. */
uint64_t output_take_dropped(struct output *output, enum output_rank rank);
/*
 * Waits for the reader: as long as something is taken every 3 s, and at most 10 s; for a terminal 30 s. A pipe is made
 * larger instead, if it can be:
 * what it holds outlives us. Only when nothing else is left to do. Returns whether all is out.
 */
bool output_finish(struct output *output);
/* What is not out yet never will be. Fine on NULL. */
void output_free(struct output *output);

/*
 * Before anything else is opened: /dev/null takes the place of each standard stream that the caller has closed, or the next
 * descriptor would get its number, and data and messages would be written into a lock file or into shared memory. Standard input and
 * output are opened the wrong way round, so that using them fails (EBADF) as it must; messages are dropped. Returns 0 or -errno.
 */
int output_hold_standard(void);
