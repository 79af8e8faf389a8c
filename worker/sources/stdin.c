/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: stdin. The lines of standard input.
 *
 *     a file:       read by position, like any other; the cursor alone is enough to go on
 *     all others:   stdin ==> spool (memfd, outlives the worker) --> lines --> items
 *                             | given back | kept for a refused line | not yet emitted |
 *                             0                                      position          end
 *
 * What has left the pipe lies in the spool before anybody has looked at it (arrival.c), and is given back only once the items made
 * of it are committed. So a worker may be killed anywhere: the next one finds in the spool what lies behind its cursor. Input is
 * taken only when the spool holds no whole line any more, so it never runs ahead by more than one read.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sources/arrival.h"
#include "worker/sources/line_feed.h"

#define BUDGET 64u
#define NAME "standard input"
#define FORGET_BYTES (UINT64_C(256) * 1024)

struct stdin_cursor {
	uint64_t started; /* 1: what follows is set */
	uint64_t start;   /* a file: where it stood when weir got it */
	uint64_t ended;   /* others: 1, the end has been seen */
	struct line_position position;
};

static_assert(sizeof(struct stdin_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct stdin_source {
	struct line_feed feed;
	struct arrival arrival;
	bool is_file;
	uint64_t total_bytes;         /* a file: all of it that is ours */
	struct line_position flushed; /* others: position that the commit before this one made good */
	uint64_t forgotten;           /* ... and up to where memory was given back */
};

static void stdin_close(struct weir_context *context, void *data)
{
	struct stdin_source *state = data;

	(void)context;
	if (state)
		line_feed_deinit(&state->feed);
	free(state);
}

static int stdin_check(struct weir_context *context, struct stat *st)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	if (flags < 0 || fstat(STDIN_FILENO, st))
		weir_fail(context, NAME " is closed; give weir an input, for example `weir run ... < file`");
	else if ((flags & O_ACCMODE) == O_WRONLY)
		weir_fail(context,
			  NAME " is not open for reading; give weir an input, for example `weir run ... < file`");
	else if (S_ISDIR(st->st_mode))
		weir_fail(context, NAME " is a folder; give weir a file, or use `source: file` with a glob");
	else
		return 0;
	return WEIR_FAILED;
}

static int stdin_open_file(struct stdin_source *state, struct stdin_cursor *cursor, const struct stat *st)
{
	if (!cursor->started) {
		off_t start = lseek(STDIN_FILENO, 0, SEEK_CUR);

		if (start < 0)
			return error_origin(-errno);
		cursor->start = cursor->position.offset = (uint64_t)start;
	}
	state->is_file = true;
	state->total_bytes = (uint64_t)st->st_size > cursor->start ? (uint64_t)st->st_size - cursor->start : 0;
	line_feed_set(&state->feed, NAME, STDIN_FILENO, cursor->start, true);
	return 0;
}

static int stdin_open_stream(struct stdin_source *state, const struct stdin_cursor *cursor, int spool)
{
	line_feed_set(&state->feed, NAME, spool, 0, cursor->ended);
	state->flushed = cursor->position;
	return arrival_open(&state->arrival, STDIN_FILENO, spool, cursor->position.offset);
}

static int stdin_open(struct weir_context *context, void **ret_state)
{
	struct stdin_cursor *cursor = weir_cursor(context);
	struct stdin_source *state;
	struct stat st;
	int r = stdin_check(context, &st);

	if (r != 0)
		return r;
	state = calloc(1, sizeof(*state));
	if (!state)
		return error_origin(-ENOMEM);
	r = line_feed_init(&state->feed, context);
	if (r == 0)
		r = S_ISREG(st.st_mode) ? stdin_open_file(state, cursor, &st) :
					  stdin_open_stream(state, cursor, weir_spool(context, 0));
	if (r != 0) {
		stdin_close(context, state);
		return r;
	}
	cursor->started = 1;
	*ret_state = state;
	return 0;
}

/* The spool holds no whole line. Returns 0 with more bytes, or with the end; WEIR_WAIT; WEIR_FAILED. */
static int stdin_take(struct stdin_source *state, struct weir_context *context, struct stdin_cursor *cursor)
{
	int r = arrival_take(&state->arrival);

	switch (r) {
	case 0:
		return 0;
	case ARRIVAL_E_EMPTY:
		weir_watch(context, STDIN_FILENO, POLLIN, 0);
		return WEIR_WAIT;
	case ARRIVAL_E_END:
		cursor->ended = 1;
		state->feed.complete = true;
		return 0;
	default:
		weir_fail(context, "cannot read " NAME ": %s%s", strerror(-r),
			  r == -EIO && isatty(STDIN_FILENO) ? "; the terminal is gone, or weir runs in the background" :
							      "");
		return WEIR_FAILED;
	}
}

static int stdin_produce(struct weir_context *context, void *data)
{
	struct stdin_source *state = data;
	struct stdin_cursor *cursor = weir_cursor(context);
	unsigned budget = BUDGET;
	int r = WEIR_MORE;

	while (budget) {
		r = line_feed_produce(&state->feed, &cursor->position, &budget);
		if (r != WEIR_WAIT)
			break;
		r = stdin_take(state, context, cursor);
		if (r != 0)
			break;
		budget--;
		r = WEIR_MORE;
	}
	weir_progress(context, cursor->position.offset - cursor->start, state->total_bytes);
	return r;
}

/* Gives back what no worker will read again: all before the position, but for the head of a line that will be refused at its end. */
static void stdin_forget(struct stdin_source *state, const struct line_position *position)
{
	uint64_t head = position->long_from ? position->long_from - 1 : position->offset;

	arrival_forget(&state->arrival, 0, head);
	arrival_forget(&state->arrival, head + LINE_FEED_HEAD_BYTES, position->offset);
	state->forgotten = position->offset;
}

static int stdin_flush(struct weir_context *context, void *data)
{
	struct stdin_source *state = data;
	const struct stdin_cursor *cursor = weir_cursor(context);

	if (state->is_file)
		return 0;
	if (state->flushed.offset >= state->forgotten + FORGET_BYTES)
		stdin_forget(state, &state->flushed);
	state->flushed = cursor->position;
	return 0;
}

const struct weir_stage stdin_source_callbacks = {
	.open = stdin_open,
	.produce = stdin_produce,
	.flush = stdin_flush,
	.close = stdin_close,
};
