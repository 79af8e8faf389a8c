/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines out of bytes that can be read again.
 *
 *     file     ... ========|------------------------------------|.........
 *                      position                            offset + filled
 *     buffer   |  done     |  line  \n  line  \n  line  \n  li  |  room  |
 *            offset
 *
 * Items are emitted straight from the buffer. The position is the whole state: the buffer is only a window, so a new process
 * that finds the position in the cursor goes on at the same byte. A line that is longer than an item may be is not collected; the
 * position runs over it and remembers where it began, so it costs no more memory than any other, however long it is, and a kill
 * in its middle does not start it over. Once its end is known it is refused as a whole, and its head is read again for that.
 *
 * Where a newline need not be the end (`decode: csv`, `msgpack`), weir_cut() looks for it. A record that seems to have none, since a quote
 * is never closed, is its first line: so one stray quote costs one line. Of values without newlines what is left is one bad record.
 */
#include "worker/sources/line_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define READ_BYTES ((size_t)256 * 1024)

struct line {
	const char *data;
	size_t size_bytes;
	uint64_t next; /* offset behind its newline; 0: out of sight */
};

enum { LINE_E_LONG = 100 }; /* longer than an item may be; its end may be out of sight */

int line_feed_init(struct line_feed *feed, struct weir_context *context)
{
	const char *too_long = weir_option_string(context, "too_long"), *binary = weir_option_string(context, "binary");

	*feed = (struct line_feed){ .context = context, .fd = -1, .line_max_bytes = weir_item_size_max(context) };
	feed->too_long = too_long && !strcmp(too_long, "cut")  ? LINE_TOO_LONG_CUT :
			 too_long && !strcmp(too_long, "fail") ? LINE_TOO_LONG_FAIL :
								 LINE_TOO_LONG_REJECT;
	feed->decodes = weir_decodes(context);
	feed->cutting = weir_cutting(context);
	feed->refuse_binary = feed->cutting != WEIR_CUT_VALUES && (!binary || strcmp(binary, "accept") != 0);
	feed->capacity = feed->line_max_bytes + READ_BYTES;
	feed->buffer = malloc(feed->capacity);
	return feed->buffer ? 0 : error_origin(-ENOMEM);
}

void line_feed_deinit(struct line_feed *feed)
{
	free(feed->buffer);
	feed->buffer = NULL;
}

void line_feed_set(struct line_feed *feed, const char *name, int fd, uint64_t start, bool complete)
{
	feed->name = name;
	feed->fd = fd;
	feed->start = start;
	feed->complete = complete;
	feed->offset = 0;
	feed->filled = feed->scanned = 0;
	feed->cut = (struct weir_cut){ 0 };
}

int line_feed_check_binary(struct weir_context *context, const char *name, const char *bytes, size_t n, uint64_t at)
{
	const char *nul;

	if (at >= LINE_FEED_BINARY_BYTES)
		return 0;
	if (n > LINE_FEED_BINARY_BYTES - at)
		n = (size_t)(LINE_FEED_BINARY_BYTES - at);
	nul = memchr(bytes, '\0', n);
	if (!nul)
		return 0;
	weir_fail(
		context,
		"%s: binary file (NUL at byte %llu) where lines were expected; leave it out, or set `binary: accept` on this stage",
		name, (unsigned long long)(at + (uint64_t)(nul - bytes)));
	return WEIR_FAILED;
}

/* The end of the file has been met: it must not lie before what has been read. */
static int feed_end(struct line_feed *feed)
{
	uint64_t seen = feed->offset + feed->filled;
	struct stat st;

	if (fstat(feed->fd, &st))
		return error_origin(-errno);
	if ((uint64_t)st.st_size >= seen)
		return feed->complete ? WEIR_CLOSED : WEIR_WAIT;
	if (feed->ask_same)
		return LINE_FEED_CHANGED;
	weir_fail(
		feed->context,
		"%s was truncated to %llu bytes while it was read, below byte %llu where reading stood; restore it and run again",
		feed->name, (unsigned long long)st.st_size, (unsigned long long)seen);
	return WEIR_FAILED;
}

static int feed_unreadable(struct line_feed *feed, int error, uint64_t at)
{
	feed->read_error = error;
	if (feed->ask_same)
		return LINE_FEED_UNREADABLE;
	weir_fail(feed->context, "cannot read %s at byte %llu: %s", feed->name, (unsigned long long)at,
		  strerror(error));
	return WEIR_FAILED;
}

/* Moves the window up to `from` and reads on. Returns 0 with more bytes, or the status of the end. */
static int feed_fill(struct line_feed *feed, uint64_t from)
{
	size_t done = (size_t)(from - feed->offset);
	uint64_t at;
	ssize_t n;

	must(done <= feed->filled);
	memmove(feed->buffer, feed->buffer + done, feed->filled - done);
	feed->filled -= done;
	feed->scanned = feed->scanned > done ? feed->scanned - done : 0;
	feed->offset = from;
	must(feed->filled < feed->capacity);

	at = feed->offset + feed->filled;
	do
		n = pread(feed->fd, feed->buffer + feed->filled, feed->capacity - feed->filled, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return feed_unreadable(feed, errno, at);
	if (feed->ask_same && feed->ask_same(feed->ask_data, at + (uint64_t)n) != 0)
		return LINE_FEED_CHANGED;
	if (n == 0)
		return feed_end(feed);
	feed->filled += (size_t)n;
	return !feed->refuse_binary ? 0 :
				      line_feed_check_binary(feed->context, feed->name, feed->buffer + feed->filled - n,
							     (size_t)n, at - feed->start);
}

/* The next newline at or behind `from`, or NULL; never looks at a byte twice. */
static const char *feed_newline(struct line_feed *feed, uint64_t from)
{
	size_t start = (size_t)(from - feed->offset);
	const char *newline;

	if (feed->scanned < start)
		feed->scanned = start;
	newline = memchr(feed->buffer + feed->scanned, '\n', feed->filled - feed->scanned);
	feed->scanned = newline ? (size_t)(newline - feed->buffer) : feed->filled;
	return newline;
}

/* The record that begins at `from` goes on behind the window, or is longer than it. */
#define CUT_MORE(feed_, from_)                                         \
	((struct line){ (feed_)->buffer + ((from_) - (feed_)->offset), \
			(feed_)->filled - (size_t)((from_) - (feed_)->offset), 0 })

/* A line that ends, or not. Returns true: *ret is whole. */
static bool feed_cut_line(struct line_feed *feed, uint64_t from, struct line *ret)
{
	const char *newline = feed_newline(feed, from);

	*ret = CUT_MORE(feed, from);
	if (newline)
		ret->size_bytes = (size_t)(newline - ret->data);
	ret->next = from + ret->size_bytes + (newline ? 1 : 0);
	return newline;
}

/* The same where weir_cut() has to say. Returns WEIR_OK, WEIR_MORE, WEIR_REJECTED. Never looks at a byte twice, but for the last. */
static int feed_cut_record(struct line_feed *feed, uint64_t from, struct line *ret)
{
	size_t start = (size_t)(from - feed->offset), record = 0, used = 0;
	struct weir_cut cut;
	int r;

	if (feed->scanned <= start) {
		feed->scanned = start;
		feed->cut = (struct weir_cut){ 0 };
	}
	cut = feed->cut;
	*ret = CUT_MORE(feed, from);
	r = weir_cut(feed->context, &cut, feed->buffer + feed->scanned, feed->filled - feed->scanned, &record, &used);
	if (r == WEIR_MORE) {
		feed->cut = cut;
		feed->scanned += used;
	} else if (r == WEIR_OK) {
		ret->size_bytes = feed->scanned - start + record;
		ret->next = from + (feed->scanned - start) + used;
	}
	return r;
}

/* What is taken for a record that has no end: its first line, or all there is. */
static void feed_cut_short(struct line_feed *feed, uint64_t from, struct line *ret)
{
	size_t record, used;

	*ret = CUT_MORE(feed, from);
	weir_cut_short(feed->context, ret->data, ret->size_bytes, &record, &used);
	ret->size_bytes = record;
	ret->next = from + used;
}

/* Returns 0: *ret is whole, and may be too long; WEIR_MORE: it goes on behind the window; WEIR_REJECTED: nobody knows where it ends. */
static int feed_look(struct line_feed *feed, uint64_t from, struct line *ret)
{
	int r;

	if (feed->cutting == WEIR_CUT_LINES)
		return feed_cut_line(feed, from, ret) ? 0 : WEIR_MORE;
	r = feed_cut_record(feed, from, ret);
	if (r == WEIR_MORE && ret->size_bytes > feed->line_max_bytes && feed->cutting == WEIR_CUT_RECORDS) {
		feed_cut_short(feed, from, ret);
		if (ret->next == from + ret->size_bytes)
			ret->next = 0; /* not even its first line ends in sight */
		r = 0;
	}
	return r;
}

static int feed_find(struct line_feed *feed, uint64_t from, struct line *ret)
{
	for (;;) {
		int r = feed_look(feed, from, ret);

		if (r == WEIR_REJECTED || ret->size_bytes > feed->line_max_bytes)
			return LINE_E_LONG;
		if (r == 0)
			return 0;
		r = feed_fill(feed, from);
		if (r == WEIR_CLOSED && feed->filled) { /* the window begins at `from` now */
			feed_cut_short(feed, from, ret);
			return 0;
		}
		if (r != 0)
			return r;
	}
}

static int feed_emit(struct line_feed *feed, const char *data, size_t size_bytes)
{
	int r = weir_emit(feed->context, WEIR_ALL_OUTPUTS, data, size_bytes);

	if (r == WEIR_REJECTED) /* at a full lane: counted by the runtime, and nobody here to tell */
		return 0;
	return r == WEIR_FULL ? WEIR_MORE : r == WEIR_TOO_LARGE ? error_origin(-EMSGSIZE) : r;
}

/* A line that does not fit comes into sight. Returns 0 once the position says so. */
static int feed_begin_long(struct line_feed *feed, struct line_position *position, const struct line *line)
{
	char limit[QUANTITY_TEXT_SIZE];
	int r;

	quantity_format_count(feed->line_max_bytes, limit);
	if (feed->too_long == LINE_TOO_LONG_FAIL && feed->cutting != WEIR_CUT_VALUES) {
		weir_fail(
			feed->context,
			"%s:%llu: the line is longer than %s bytes, the largest item that fits the lane; give the stage behind this "
			"one a larger `lane:`, or set `too_long: reject` or `cut`",
			feed->name, (unsigned long long)position->line + 1, limit);
		return WEIR_FAILED;
	}
	if (feed->too_long == LINE_TOO_LONG_CUT && feed->cutting != WEIR_CUT_VALUES) {
		weir_place(feed->context, feed->name, position->line + 1);
		r = feed_emit(feed, line->data, feed->line_max_bytes);
		if (r != 0)
			return r;
		if (!feed->cut_said)
			weir_log(
				WEIR_LOG_WARNING,
				"%s:%llu: cut to %s bytes, the largest item that fits the lane; more such lines are not mentioned",
				feed->name, (unsigned long long)position->line + 1, limit);
		feed->cut_said = true;
	}
	position->long_from = position->offset + 1;
	return 0;
}

/* Where values follow each other without newlines, the next one begins where the last one ends, which nobody knows. */
static int feed_refuse_rest(struct line_feed *feed, const struct line_position *position, const char *head,
			    size_t head_bytes, uint64_t size_bytes)
{
	char size[QUANTITY_TEXT_SIZE], limit[QUANTITY_TEXT_SIZE];

	return weir_accept_rejected(
		feed->context, head, head_bytes,
		"%s:%llu: from here on, byte %llu, these are no values that can be told apart, or one is larger than the %s bytes "
		"of an item: the %s bytes that are left are refused%s",
		feed->name, (unsigned long long)position->line + 1, (unsigned long long)position->long_from - 1,
		quantity_format_count(feed->line_max_bytes, limit), quantity_format_count(size_bytes, size),
		size_bytes > LINE_FEED_HEAD_BYTES ? " (only their beginning is kept)" : "");
}

static int feed_refuse_long(struct line_feed *feed, const struct line_position *position, const char *head,
			    size_t head_bytes, uint64_t size_bytes)
{
	char size[QUANTITY_TEXT_SIZE], limit[QUANTITY_TEXT_SIZE];

	return weir_accept_rejected(
		feed->context, head, head_bytes,
		"%s:%llu: the line has %s bytes and an item may have %s; give the stage behind this one a larger `lane:`, or set "
		"`too_long: cut`%s",
		feed->name, (unsigned long long)position->line + 1, quantity_format_count(size_bytes, size),
		quantity_format_count(feed->line_max_bytes, limit),
		size_bytes > LINE_FEED_HEAD_BYTES ? " (only its beginning is kept)" : "");
}

/* The end of a line that did not fit: size_bytes in all. */
static int feed_end_long(struct line_feed *feed, struct line_position *position, uint64_t size_bytes)
{
	size_t wanted = size_bytes < LINE_FEED_HEAD_BYTES ? (size_t)size_bytes : LINE_FEED_HEAD_BYTES;
	char *head;
	ssize_t n;
	int r;

	if (feed->too_long == LINE_TOO_LONG_CUT && feed->cutting != WEIR_CUT_VALUES)
		return 0;
	head = malloc(wanted);
	if (!head)
		return error_origin(-ENOMEM);
	do
		n = pread(feed->fd, head, wanted, (off_t)(position->long_from - 1));
	while (n < 0 && errno == EINTR);
	if (feed->cutting == WEIR_CUT_VALUES)
		r = feed_refuse_rest(feed, position, head, n > 0 ? (size_t)n : 0, size_bytes);
	else
		r = feed_refuse_long(feed, position, head, n > 0 ? (size_t)n : 0, size_bytes);
	free(head);
	return r;
}

/* Runs over a line that does not fit, one window at a time. Returns 0 when it is behind, WEIR_MORE when there is more of it. */
static int feed_pass_long(struct line_feed *feed, struct line_position *position)
{
	const char *newline = feed->cutting == WEIR_CUT_VALUES ? NULL : feed_newline(feed, position->offset);
	uint64_t end = feed->offset + (newline ? (uint64_t)(newline - feed->buffer) : feed->filled);
	int r;

	if (!newline) {
		position->offset = end;
		r = feed_fill(feed, end);
		if (r != WEIR_CLOSED)
			return r == 0 ? WEIR_MORE : r;
	}
	r = feed_end_long(feed, position, end - (position->long_from - 1));
	if (r != 0)
		return r;
	*position = (struct line_position){ .offset = end + (newline ? 1 : 0), .line = position->line + 1 };
	return 0;
}

/* Lines that a record takes up. */
static uint64_t feed_lines(const struct line_feed *feed, const struct line *record)
{
	const char *at = record->data, *end = at + record->size_bytes;
	uint64_t n = 1;

	if (feed->cutting == WEIR_CUT_RECORDS)
		while ((at = memchr(at, '\n', (size_t)(end - at)))) {
			n++;
			at++;
		}
	return n;
}

/* A record of several lines that is too long as a whole, with its end in sight: it is refused at once. */
static int feed_pass_record(struct line_feed *feed, struct line_position *position, const struct line *record)
{
	size_t head = record->size_bytes < LINE_FEED_HEAD_BYTES ? record->size_bytes : LINE_FEED_HEAD_BYTES;
	int r = feed_refuse_long(feed, position, record->data, head, record->size_bytes);

	if (r != 0)
		return r;
	position->offset = record->next;
	position->line += feed_lines(feed, record);
	return 0;
}

static int feed_one(struct line_feed *feed, struct line_position *position)
{
	struct line line;
	int r;

	if (position->long_from)
		return feed_pass_long(feed, position);
	r = feed_find(feed, position->offset, &line);
	if (r == LINE_E_LONG && feed->cutting == WEIR_CUT_RECORDS && line.next &&
	    feed->too_long == LINE_TOO_LONG_REJECT)
		return feed_pass_record(feed, position, &line);
	if (r == LINE_E_LONG)
		return feed_begin_long(feed, position, &line);
	if (r != 0)
		return r;
	weir_place(feed->context, feed->name, position->line + 1);
	r = feed_emit(feed, line.data, line.size_bytes);
	if (r != 0)
		return r;
	position->offset = line.next;
	position->line += feed_lines(feed, &line);
	return 0;
}

/*
 * The lines that lie in the buffer whole and are not too long: most of them, so without a question that is only for others. Leaves the
 * next one to feed_one(). Returns 0, or what feed_emit() says.
 */
static int feed_whole(struct line_feed *feed, struct line_position *position, unsigned *budget)
{
	const char *line = feed->buffer + (position->offset - feed->offset), *end = feed->buffer + feed->filled;
	unsigned n = 0;
	int r = 0;

	while (n < *budget) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline || (size_t)(newline - line) > feed->line_max_bytes)
			break;
		if (feed->decodes)
			weir_place(feed->context, feed->name, position->line + n + 1);
		r = feed_emit(feed, line, (size_t)(newline - line));
		if (r != 0)
			break;
		line = newline + 1;
		n++;
	}
	position->offset = feed->offset + (uint64_t)(line - feed->buffer);
	position->line += n;
	*budget -= n;
	return r;
}

int line_feed_produce(struct line_feed *feed, struct line_position *position, unsigned *budget)
{
	if (position->offset < feed->offset || position->offset - feed->offset > feed->filled) {
		feed->offset = position->offset;
		feed->filled = feed->scanned = 0;
	}
	for (; *budget; --*budget) {
		bool passing = position->long_from;
		int r = passing || feed->cutting != WEIR_CUT_LINES ? 0 : feed_whole(feed, position, budget);

		if (r != 0)
			return r;
		if (!*budget)
			break;
		r = feed_one(feed, position);

		if (r != 0 && !(passing && r == WEIR_MORE))
			return r;
	}
	return WEIR_MORE;
}
