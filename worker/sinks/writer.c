/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exactly once into a file.
 *
 *     file    |  what was there  |  committed  |  of this turn  |
 *             0                base         committed          end
 *
 * A turn's bytes go behind the committed end; the cursor with the new end is committed together with the items. A worker that dies
 * in between leaves bytes behind the committed end, and the next one cuts them off, before it writes, or at the latest when it ends.
 * So the first cut, which empties a file that is replaced, also waits until the pipeline really runs.
 *
 * Pipes, terminals and devices have no positions. There the bytes are simply written, and those of the turn that a worker
 * died in are written again by the next one: at most one repetition for each kill.
 *
 * The buffer holds whole items only, so a turn that ends in the middle (disk full, cancelled) commits no half of one.
 */
#include "worker/sinks/writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"

#define BUFFER_BYTES ((size_t)1024 * 1024)
#define SMALL_BYTES ((size_t)4096) /* PIPE_BUF: a pipe that polls ready takes so much at once */
#define ROOM_WAIT_NS_MIN (100 * NS_PER_MS)
#define ROOM_WAIT_NS_MAX (5 * NS_PER_S)

int writer_init(struct writer *writer, struct weir_context *context, const char *name, int fd, bool positioned)
{
	const struct writer_cursor *cursor = weir_cursor(context);

	*writer = (struct writer){ .context = context,
				   .fd = fd,
				   .positioned = positioned,
				   .capacity = BUFFER_BYTES,
				   .ends_lines = weir_ends_lines(context) };
	writer->name = strdup(name);
	writer->buffer = malloc(writer->capacity);
	writer->end = cursor->committed;
	return writer->name && writer->buffer ? 0 : error_origin(-ENOMEM);
}

static bool writer_cuts(const struct writer *writer, const struct writer_cursor *cursor)
{
	return writer->positioned && cursor->started && cursor->cut;
}

void writer_abandon(struct writer *writer)
{
	fd_close(writer->fd);
	free(writer->name);
	free(writer->buffer);
	*writer = (struct writer){ .fd = -1 };
}

void writer_deinit(struct writer *writer)
{
	const struct writer_cursor *cursor = weir_cursor(writer->context);

	if ((writer->cut_done || weir_generation(writer->context) > 0) && writer_cuts(writer, cursor))
		if (ftruncate(writer->fd, (off_t)cursor->committed))
			weir_log(WEIR_LOG_WARNING, "cannot cut %s back to the %llu bytes that are committed: %s",
				 writer->name, (unsigned long long)cursor->committed, strerror(errno));
	writer_abandon(writer);
}

int writer_resume(struct writer *writer, const struct stat *st)
{
	const struct writer_cursor *cursor = weir_cursor(writer->context);

	if (cursor->device != st->st_dev || cursor->inode != st->st_ino)
		weir_fail(
			writer->context,
			"%s was replaced by another file while the pipeline ran; what was written so far is in the first one; "
			"start again",
			writer->name);
	else if (writer->positioned && (uint64_t)st->st_size < cursor->committed)
		weir_fail(writer->context,
			  "%s has %llu bytes, but %llu had been written: something else has truncated it; start again",
			  writer->name, (unsigned long long)st->st_size, (unsigned long long)cursor->committed);
	else
		return 0;
	return WEIR_FAILED;
}

static bool is_full_error(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EIO || error == EFBIG;
}

/* No room: gives up, or waits a while. Returns 0: try again. */
static int writer_no_room(struct writer *writer, int error, uint64_t *wait_ns)
{
	const struct writer_cursor *cursor = weir_cursor(writer->context);
	char safe[QUANTITY_TEXT_SIZE];
	int r;

	quantity_format_count(cursor->committed, safe);
	if (!writer->wait_when_full) {
		weir_fail(writer->context, "cannot write %s: %s; %s %s bytes are safe; make room and run again%s",
			  writer->name, strerror(error), writer->positioned ? "its first" : "the first", safe,
			  weir_option_given(writer->context, "on_full") ? ", or set `on_full: wait`" : "");
		return WEIR_FAILED;
	}
	if (!writer->full_said)
		weir_log(WEIR_LOG_WARNING, "cannot write %s: %s; waiting for room (its first %s bytes are safe)",
			 writer->name, strerror(error), safe);
	writer->full_said = true;
	r = weir_wait(writer->context, NULL, 0, clock_now_ns() + *wait_ns);
	*wait_ns = *wait_ns * 2 < ROOM_WAIT_NS_MAX ? *wait_ns * 2 : ROOM_WAIT_NS_MAX;
	return r == WEIR_EXPIRED ? 0 : r;
}

static int writer_wait_ready(struct writer *writer)
{
	struct pollfd ready = { .fd = writer->fd, .events = POLLOUT };

	return weir_wait(writer->context, &ready, 1, 0);
}

static int writer_failed(struct writer *writer, int error)
{
	const struct writer_cursor *cursor = weir_cursor(writer->context);
	char count[QUANTITY_TEXT_SIZE];

	if (error == EPIPE || error == ECONNRESET)
		weir_fail(writer->context,
			  "%s was closed by its reader after %s bytes, as `| head` does; nothing more can be delivered",
			  writer->name, quantity_format_count(cursor->committed, count));
	else
		weir_fail(writer->context, "cannot write %s: %s; its first %s bytes are safe", writer->name,
			  strerror(error), quantity_format_count(cursor->committed, count));
	return WEIR_FAILED;
}

static ssize_t writer_put(struct writer *writer, const char *data, size_t size_bytes)
{
	if (writer->positioned)
		return pwrite(writer->fd, data, size_bytes, (off_t)writer->end);
	return write(writer->fd, data, writer->write_small && size_bytes > SMALL_BYTES ? SMALL_BYTES : size_bytes);
}

/* Before the first write of this generation: what an earlier one left behind goes, and what is to be replaced. */
static int writer_cut(struct writer *writer)
{
	const struct writer_cursor *cursor = weir_cursor(writer->context);

	if (writer->cut_done)
		return 0;
	if (writer_cuts(writer, cursor) && ftruncate(writer->fd, (off_t)cursor->committed)) {
		weir_fail(writer->context, "cannot cut %s to %llu bytes: %s", writer->name,
			  (unsigned long long)cursor->committed, strerror(errno));
		return WEIR_FAILED;
	}
	writer->cut_done = true;
	return 0;
}

/* Writes the buffer out. On failure it keeps what is left. */
static int writer_drain(struct writer *writer)
{
	uint64_t wait_ns = ROOM_WAIT_NS_MIN;
	int r = writer->used ? writer_cut(writer) : 0;

	while (r == 0 && writer->sent < writer->used) {
		ssize_t n = -1;

		if (writer->write_small)
			r = writer_wait_ready(writer);
		if (r != 0)
			break;
		n = writer_put(writer, writer->buffer + writer->sent, writer->used - writer->sent);
		if (n > 0) {
			writer->sent += (size_t)n;
			writer->end += (uint64_t)n;
			wait_ns = ROOM_WAIT_NS_MIN;
		} else if (n == 0 || is_full_error(errno)) {
			r = writer_no_room(writer, n == 0 ? ENOSPC : errno, &wait_ns);
		} else if (errno == EAGAIN) {
			r = writer_wait_ready(writer);
		} else if (errno != EINTR) {
			r = writer_failed(writer, errno);
		}
	}
	if (r != 0)
		return r;
	if (writer->full_said)
		weir_log(WEIR_LOG_NOTICE, "there is room for %s again", writer->name);
	writer->full_said = false;
	writer->used = writer->sent = 0;
	return 0;
}

static int writer_grow(struct writer *writer, size_t size_bytes)
{
	char *buffer = realloc(writer->buffer, size_bytes);

	if (!buffer)
		return error_origin(-ENOMEM);
	writer->buffer = buffer;
	writer->capacity = size_bytes;
	return 0;
}

int writer_room(struct writer *writer, size_t size_bytes)
{
	int r = 0;

	if (writer->capacity - writer->used < size_bytes)
		r = writer_drain(writer);
	if (r == 0 && writer->capacity < size_bytes)
		r = writer_grow(writer, size_bytes);
	return r;
}

int writer_add(struct writer *writer, const void *data, size_t size_bytes)
{
	struct writer_cursor *cursor = weir_cursor(writer->context);
	int r = writer_room(writer, size_bytes + 2);

	if (r != 0)
		return r;
	if (cursor->newline_due && writer->ends_lines && writer->end == cursor->committed && !writer->used)
		writer->buffer[writer->used++] = '\n';
	if (size_bytes)
		memcpy(writer->buffer + writer->used, data, size_bytes);
	writer->used += size_bytes;
	if (writer->ends_lines)
		writer->buffer[writer->used++] = '\n';
	return 0;
}

int writer_flush(struct writer *writer)
{
	struct writer_cursor *cursor = weir_cursor(writer->context);
	int r = writer_drain(writer);

	if (r != 0)
		return r;
	if (writer->end != cursor->committed)
		cursor->newline_due = 0;
	cursor->committed = writer->end;
	return 0;
}

int writer_finish(struct writer *writer)
{
	int r = writer_flush(writer);

	if (r == 0)
		r = writer_cut(writer); /* nothing came at all: an old file still has to go */
	if (r == 0 && fsync(writer->fd) && errno != EINVAL && errno != EROFS && errno != ENOTSUP) {
		weir_fail(writer->context, "cannot bring %s onto the disk: %s; it may be incomplete", writer->name,
			  strerror(errno));
		return WEIR_FAILED;
	}
	return r;
}
