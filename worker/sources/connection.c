/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's bytes into lines.
 *
 *      socket   | line \n line \n line \n li |            looked at (MSG_PEEK), a chunk at a time
 *               |  emitted      | no room    |            only what was emitted is taken out of the socket, and half a line
 *                                        +--> half        its beginning, which waits here for its end
 *
 * So a full lane holds up the sender, and nothing that was taken can be lost for want of room; what a drain finds still in the socket was
 * never accepted, and the sender sees that its connection is reset. Memory is for half lines alone, and bounded for all connections
 * together: beyond that the connection that has the longest one is closed.
 */
#include "worker/sources/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"

#define HALF_BYTES_MIN ((size_t)256)
#define REPLY_ACCEPTED "ok\n"
#define REPLY_REFUSED "refused\n"

/* ---- places ---- */

int connections_open(struct connections *all, struct weir_context *context, uint32_t capacity)
{
	const char *too_long = weir_option_string(context, "too_long");

	all->context = context;
	all->capacity = capacity;
	all->at = calloc(capacity, sizeof(*all->at));
	all->free = calloc(capacity, sizeof(*all->free));
	if (!all->at || !all->free)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < capacity; i++) {
		all->at[i].fd = -1;
		all->free[i] = capacity - 1 - i;
	}
	all->oldest = all->youngest = CONNECTION_NONE;
	all->half_bytes_max = (size_t)weir_option_integer(context, "buffer");
	all->line_max_bytes = weir_item_size_max(context);
	all->too_long = too_long && !strcmp(too_long, "cut")  ? LINE_TOO_LONG_CUT :
			too_long && !strcmp(too_long, "fail") ? LINE_TOO_LONG_FAIL :
								LINE_TOO_LONG_REJECT;
	all->replies = weir_option_boolean(context, "ack");
	all->decodes = weir_decodes(context);
	return 0;
}

struct connection *connections_add(struct connections *all, int fd, const char *peer)
{
	struct connection *connection;

	if (all->n == all->capacity)
		return NULL;
	connection = &all->at[all->free[all->capacity - ++all->n]];
	*connection = (struct connection){ .fd = fd, .before = CONNECTION_NONE, .behind = CONNECTION_NONE };
	snprintf(connection->peer, sizeof(connection->peer), "%s", peer);
	return connection;
}

/* ---- half a line ---- */

static void half_begin(struct connections *all, struct connection *connection)
{
	uint32_t place = (uint32_t)(connection - all->at);

	if (connection->has_half)
		return;
	connection->has_half = true;
	connection->since_ns = clock_now_ns();
	connection->before = all->youngest;
	connection->behind = CONNECTION_NONE;
	if (all->youngest != CONNECTION_NONE)
		all->at[all->youngest].behind = place;
	else
		all->oldest = place;
	all->youngest = place;
}

static void half_end(struct connections *all, struct connection *connection)
{
	if (!connection->has_half)
		return;
	*(connection->before == CONNECTION_NONE ? &all->oldest : &all->at[connection->before].behind) =
		connection->behind;
	*(connection->behind == CONNECTION_NONE ? &all->youngest : &all->at[connection->behind].before) =
		connection->before;
	connection->has_half = false;
	connection->half_bytes = 0;
	connection->long_bytes = 0;
	all->half_bytes -= connection->half_capacity;
	free(connection->half);
	connection->half = NULL;
	connection->half_capacity = 0;
}

static struct connection *longest_half(struct connections *all)
{
	struct connection *longest = NULL;

	for (uint32_t i = all->oldest; i != CONNECTION_NONE; i = all->at[i].behind)
		if (!longest || all->at[i].half_capacity > longest->half_capacity)
			longest = &all->at[i];
	return longest;
}

/* Room for so many bytes in all. Returns 0; CONNECTION_E_END: this very connection had to be dropped; WEIR_FAILED; -ENOMEM. */
static int half_room(struct connections *all, struct connection *connection, size_t size_bytes)
{
	size_t capacity = connection->half_capacity ? connection->half_capacity : HALF_BYTES_MIN;
	char *half;

	while (capacity < size_bytes)
		capacity *= 2;
	if (capacity == connection->half_capacity)
		return 0;
	half_begin(all, connection);
	while (all->half_bytes + (capacity - connection->half_capacity) > all->half_bytes_max) {
		struct connection *longest = longest_half(all);
		int r;

		/* The one that asks is the longest, when its new size is what counts. */
		if (longest->half_capacity < capacity)
			longest = connection;
		r = connection_drop(all, longest,
				    "all connections together have more in lines without an end than `buffer` allows");
		if (r != 0)
			return r;
		if (longest == connection)
			return CONNECTION_E_END;
	}
	half = realloc(connection->half, capacity);
	if (!half)
		return error_origin(-ENOMEM);
	all->half_bytes += capacity - connection->half_capacity;
	connection->half = half;
	connection->half_capacity = capacity;
	return 0;
}

/* ---- replies ---- */

/* Room for one more is made before its line is emitted. */
static int reply_room(struct connections *all, struct connection *connection)
{
	size_t capacity = connection->replies_capacity ? connection->replies_capacity * 2 : 256;
	char *replies;

	if (!all->replies || connection->replies_capacity - connection->replies_bytes >= sizeof(REPLY_REFUSED))
		return 0;
	replies = realloc(connection->replies, capacity);
	if (!replies)
		return error_origin(-ENOMEM);
	connection->replies = replies;
	connection->replies_capacity = capacity;
	return 0;
}

static void reply_add(struct connections *all, struct connection *connection, const char *reply)
{
	if (!all->replies)
		return;
	memcpy(connection->replies + connection->replies_bytes, reply, strlen(reply));
	connection->replies_bytes += strlen(reply);
}

int connection_reply(struct connection *connection)
{
	ssize_t n = 0;

	while (connection->replies_bytes) {
		n = send(connection->fd, connection->replies, connection->replies_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? CONNECTION_E_EMPTY : CONNECTION_E_END;
		connection->replies_bytes -= (size_t)n;
		memmove(connection->replies, connection->replies + n, connection->replies_bytes);
	}
	free(connection->replies);
	connection->replies = NULL;
	connection->replies_capacity = 0;
	return 0;
}

/* ---- a line ---- */

/* Returns 0 once it is taken, refused or not; WEIR_FULL; else what produce() returns. */
static int line_emit(struct connections *all, struct connection *connection, const char *line, size_t size_bytes)
{
	int r = reply_room(all, connection);

	if (r != 0)
		return r;
	if (all->decodes)
		weir_place(all->context, connection->peer, connection->line + 1);
	r = weir_emit(all->context, WEIR_ALL_OUTPUTS, line, size_bytes);
	if (r != 0 && r != WEIR_REJECTED)
		return r == WEIR_TOO_LARGE ? error_origin(-EMSGSIZE) : r;
	reply_add(all, connection, r == 0 ? REPLY_ACCEPTED : REPLY_REFUSED);
	connection->line++;
	return 0;
}

static int line_refuse(struct connections *all, struct connection *connection, const char *head, size_t head_bytes,
		       uint64_t size_bytes)
{
	char size[QUANTITY_TEXT_SIZE], limit[QUANTITY_TEXT_SIZE];
	int r = reply_room(all, connection);

	if (r == 0)
		r = weir_accept_rejected(
			all->context, head, head_bytes,
			"%s:%llu: the line has %s bytes and an item may have %s; give the stage behind this one a larger `lane:`, or "
			"set `too_long: cut`%s",
			connection->peer, (unsigned long long)connection->line + 1,
			quantity_format_count(size_bytes, size), quantity_format_count(all->line_max_bytes, limit),
			size_bytes > head_bytes ? " (only its beginning is kept)" : "");
	if (r != 0)
		return r;
	reply_add(all, connection, REPLY_REFUSED);
	connection->line++;
	return 0;
}

static int line_too_long_fails(struct connections *all, const struct connection *connection)
{
	char limit[QUANTITY_TEXT_SIZE];

	weir_fail(
		all->context,
		"%s:%llu: the line is longer than %s bytes, the largest item that fits the lane; give the stage behind this one a "
		"larger `lane:`, or set `too_long: reject` or `cut`",
		connection->peer, (unsigned long long)connection->line + 1,
		quantity_format_count(all->line_max_bytes, limit));
	return WEIR_FAILED;
}

/* Puts the piece behind what there is, up to so many bytes. */
static int half_append(struct connections *all, struct connection *connection, const char *piece, size_t size_bytes,
		       size_t max_bytes)
{
	size_t n = connection->half_bytes < max_bytes ? max_bytes - connection->half_bytes : 0;
	int r;

	n = n < size_bytes ? n : size_bytes;
	r = half_room(all, connection, connection->half_bytes + n);
	if (r != 0)
		return r;
	memcpy(connection->half + connection->half_bytes, piece, n);
	connection->half_bytes += n;
	return 0;
}

static size_t head_max(const struct connections *all)
{
	return all->line_max_bytes < LINE_FEED_HEAD_BYTES ? all->line_max_bytes : LINE_FEED_HEAD_BYTES;
}

/* A piece of a line that is, or gets, too long. Returns 0, or what produce() returns: the piece is not taken then. */
static int long_piece(struct connections *all, struct connection *connection, const char *piece, size_t size_bytes)
{
	size_t before = connection->half_bytes;
	int r = 0;

	if (connection->long_bytes) {
		connection->long_bytes += size_bytes;
		return 0;
	}
	if (all->too_long == LINE_TOO_LONG_FAIL)
		return line_too_long_fails(all, connection);
	r = half_append(all, connection, piece, size_bytes,
			all->too_long == LINE_TOO_LONG_CUT ? all->line_max_bytes : head_max(all));
	if (r != 0)
		return r;
	if (all->too_long == LINE_TOO_LONG_CUT)
		r = line_emit(all, connection, connection->half, connection->half_bytes);
	if (r != 0) {
		connection->half_bytes = before;
		return r;
	}
	connection->long_bytes = before + size_bytes;
	if (connection->half_bytes > head_max(all))
		connection->half_bytes = head_max(all);
	half_begin(all, connection);
	return 0;
}

/* The end of a line, whose last piece this is. */
static int line_end(struct connections *all, struct connection *connection, const char *piece, size_t size_bytes)
{
	size_t before = connection->half_bytes;
	int r;

	if (connection->long_bytes || before + size_bytes > all->line_max_bytes) {
		r = long_piece(all, connection, piece, size_bytes);
		if (r == 0 && all->too_long == LINE_TOO_LONG_REJECT)
			r = line_refuse(all, connection, connection->half, connection->half_bytes,
					connection->long_bytes);
	} else if (!before) {
		return line_emit(all, connection, piece, size_bytes);
	} else {
		r = half_append(all, connection, piece, size_bytes, all->line_max_bytes);
		if (r == 0)
			r = line_emit(all, connection, connection->half, connection->half_bytes);
		if (r != 0 && r != CONNECTION_E_END)
			connection->half_bytes = before;
	}
	if (r == 0)
		half_end(all, connection);
	return r;
}

static int line_piece(struct connections *all, struct connection *connection, const char *piece, size_t size_bytes)
{
	int r = 0;

	if (!size_bytes)
		return 0;
	if (connection->long_bytes || connection->half_bytes + size_bytes > all->line_max_bytes)
		return long_piece(all, connection, piece, size_bytes);
	r = half_append(all, connection, piece, size_bytes, all->line_max_bytes);
	if (r == 0)
		half_begin(all, connection);
	return r;
}

/* ---- a chunk ---- */

/* They were looked at, so they are there. */
static void take_out(struct connections *all, const struct connection *connection, size_t size_bytes)
{
	int flags = MSG_DONTWAIT | (all->local ? 0 : MSG_TRUNC); /* TCP need not copy what is thrown away */

	while (size_bytes) {
		ssize_t n = recv(connection->fd, all->chunk, size_bytes, flags);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			break;
		size_bytes -= n > 0 ? (size_t)n : 0;
	}
}

/* Returns 0 when nothing is left; WEIR_MORE: no budget; WEIR_FULL. *ret_used bytes are to be taken out. */
static int chunk_lines(struct connections *all, struct connection *connection, size_t size_bytes, unsigned *budget,
		       size_t *ret_used)
{
	const char *at = all->chunk, *end = at + size_bytes;
	int r = 0;

	while (r == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (!newline) {
			r = line_piece(all, connection, at, (size_t)(end - at));
			at = r == 0 ? end : at;
			break;
		}
		if (!*budget) {
			r = WEIR_MORE;
			break;
		}
		r = line_end(all, connection, at, (size_t)(newline - at));
		if (r == 0) {
			at = newline + 1;
			--*budget;
		}
	}
	*ret_used = (size_t)(at - all->chunk);
	return r;
}

/* A last line without a newline counts, as in a file. */
static int stream_end(struct connections *all, struct connection *connection)
{
	int r = connection->has_half ? line_end(all, connection, "", 0) : 0;

	return r == 0 ? CONNECTION_E_END : r == WEIR_FULL ? WEIR_MORE : r;
}

int connection_read(struct connections *all, struct connection *connection, unsigned *budget)
{
	size_t used;
	ssize_t n;
	int r;

	do
		n = recv(connection->fd, all->chunk, sizeof(all->chunk), MSG_DONTWAIT | MSG_PEEK);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return CONNECTION_E_EMPTY;
	if (n < 0) {
		char why[128];

		snprintf(why, sizeof(why), "the connection ended in its middle: %s", strerror(errno));
		r = connection_drop(all, connection, why);
		return r == 0 ? CONNECTION_E_END : r;
	}
	if (n == 0)
		return stream_end(all, connection);
	r = chunk_lines(all, connection, (size_t)n, budget, &used);
	if (connection->fd >= 0)
		take_out(all, connection, used);
	return r == 0 ? CONNECTION_E_EMPTY : r == WEIR_FULL ? WEIR_MORE : r;
}

/* ---- the end ---- */

int connection_drop(struct connections *all, struct connection *connection, const char *why)
{
	int r = 0;

	if (connection->has_half && why)
		r = weir_accept_rejected(all->context, connection->half, connection->half_bytes,
					 "%s:%llu: a line without an end: %s", connection->peer,
					 (unsigned long long)connection->line + 1, why);
	half_end(all, connection);
	free(connection->replies);
	connection->replies = NULL;
	connection->replies_bytes = connection->replies_capacity = 0;
	connection->fd = fd_close(connection->fd);
	all->free[all->capacity - all->n--] = (uint32_t)(connection - all->at);
	return r;
}

void connections_close(struct connections *all)
{
	for (uint32_t i = 0; all->at && i < all->capacity; i++)
		if (all->at[i].fd >= 0)
			(void)connection_drop(all, &all->at[i], NULL);
	free(all->at);
	free(all->free);
	all->at = NULL;
	all->free = NULL;
}
