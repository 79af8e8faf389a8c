/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: file. The lines of files, one file after the other; with `follow: true` see follow.c.
 *
 * The list of files is made once, at the first open, and kept in the spool: a file that appears or goes away later changes nothing
 * for a worker that takes over. The cursor says which file of the list, and where in it; it moves with the items, so the next
 * worker goes on at the same byte. A file that has become another one, or shorter, since then can't be gone on with and ends
 * the run with a message.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sources/file_list.h"
#include "worker/sources/follow.h"
#include "worker/sources/line_feed.h"

#define BUDGET 1024u /* a turn ends before that, when it has built its share of a lane */

struct file_cursor {
	uint64_t started;               /* 1: what follows is set */
	uint64_t list_hash, list_bytes; /* of the names in the spool */
	uint64_t total_bytes;           /* of all files, as they were at the start */
	uint64_t file;                  /* index of the current one */
	uint64_t done_bytes;            /* of the files before it */
	uint64_t device, inode;         /* of the current file, once something of it was read */
	struct line_position position;  /* in it */
};

static_assert(sizeof(struct file_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct file_source {
	struct file_list list;
	struct line_feed feed;
	int fd; /* of the current file; -1: not open */
};

static void file_close(struct weir_context *context, void *data)
{
	struct file_source *state = data;

	(void)context;
	if (!state)
		return;
	fd_close(state->fd);
	line_feed_deinit(&state->feed);
	file_list_deinit(&state->list);
	free(state);
}

/* What is wrong with a file should be said before the run begins. */
static int file_check(struct file_source *state, struct weir_context *context, const char *name, uint64_t *total_bytes)
{
	char head[LINE_FEED_BINARY_BYTES];
	_cleanup_(close) int fd = -1;
	uint64_t size;
	ssize_t n;
	int r = file_list_open(context, name, &fd, &size);

	if (r != 0)
		return r;
	*total_bytes += size;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0) {
		weir_fail(context, "cannot read %s: %s", name, strerror(errno));
		return WEIR_FAILED;
	}
	return state->feed.refuse_binary ? line_feed_check_binary(context, name, head, (size_t)n, 0) : 0;
}

static int file_start(struct file_source *state, struct weir_context *context, struct file_cursor *cursor)
{
	struct file_cursor fresh = { .started = 1 };
	int r = file_list_expand(&state->list, context, weir_option_list(context, "path"));

	for (size_t i = 0; r == 0 && i < state->list.n_names; i++)
		r = file_check(state, context, state->list.names[i], &fresh.total_bytes);
	if (r == 0)
		r = file_list_save(&state->list, weir_spool(context, 0), &fresh.list_hash, &fresh.list_bytes);
	if (r == 0)
		*cursor = fresh;
	return r;
}

static int file_open(struct weir_context *context, void **ret_state)
{
	struct file_cursor *cursor = weir_cursor(context);
	struct file_source *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->fd = -1;
	r = line_feed_init(&state->feed, context);
	if (r == 0)
		r = cursor->started ? file_list_load(&state->list, weir_spool(context, 0), cursor->list_hash,
						     cursor->list_bytes) :
				      file_start(state, context, cursor);
	if (r != 0) {
		file_close(context, state);
		return r;
	}
	*ret_state = state;
	return 0;
}

/* Opens the current file; if something of it was read before, it must still be the same. */
static int file_next(struct file_source *state, struct weir_context *context, struct file_cursor *cursor)
{
	const char *name = state->list.names[cursor->file];
	struct stat st;
	uint64_t size;
	int r = file_list_open(context, name, &state->fd, &size);

	if (r != 0)
		return r;
	if (fstat(state->fd, &st))
		return error_origin(-errno);
	if (cursor->inode && (cursor->inode != st.st_ino || cursor->device != st.st_dev)) {
		weir_fail(
			context,
			"%s is another file than the one that was read up to line %llu; put the first one back, or start again",
			name, (unsigned long long)cursor->position.line);
		return WEIR_FAILED;
	}
	if (cursor->position.offset > size) {
		weir_fail(
			context,
			"%s was truncated to %llu bytes, below byte %llu where reading stood; restore it and run again",
			name, (unsigned long long)size, (unsigned long long)cursor->position.offset);
		return WEIR_FAILED;
	}
	cursor->device = st.st_dev;
	cursor->inode = st.st_ino;
	line_feed_set(&state->feed, name, state->fd, 0, true);
	return 0;
}

static int file_produce(struct weir_context *context, void *data)
{
	struct file_source *state = data;
	struct file_cursor *cursor = weir_cursor(context);
	unsigned budget = BUDGET;
	int r = WEIR_MORE;

	while (budget && cursor->file < state->list.n_names) {
		r = state->fd < 0 ? file_next(state, context, cursor) : 0;
		if (r == 0)
			r = line_feed_produce(&state->feed, &cursor->position, &budget);
		if (r != WEIR_CLOSED)
			break;
		state->fd = fd_close(state->fd);
		cursor->done_bytes += cursor->position.offset;
		cursor->file++;
		cursor->device = cursor->inode = 0;
		cursor->position = (struct line_position){ 0 };
		budget--;
		r = WEIR_MORE;
	}
	weir_progress(context, cursor->done_bytes + cursor->position.offset, cursor->total_bytes);
	return r == WEIR_MORE && cursor->file >= state->list.n_names ? WEIR_CLOSED : r;
}

/* ---- which of the two ---- */

static bool follows(struct weir_context *context)
{
	return weir_option_boolean(context, "follow");
}

static int source_open(struct weir_context *context, void **ret_state)
{
	return follows(context) ? follow_open(context, ret_state) : file_open(context, ret_state);
}

static int source_produce(struct weir_context *context, void *data)
{
	return follows(context) ? follow_produce(context, data) : file_produce(context, data);
}

static void source_close(struct weir_context *context, void *data)
{
	if (follows(context))
		follow_close(context, data);
	else
		file_close(context, data);
}

const struct weir_stage file_source_callbacks = {
	.open = source_open,
	.produce = source_produce,
	.close = source_close,
};
