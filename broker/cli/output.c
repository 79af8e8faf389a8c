/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      lines --> backlog --> pieces of whole lines --> poll, write --> whatever standard error is
 *                   |                                     |
 *                   '- full: dropped, and the display     '- failed (a full disk): lost; the next piece is preceded by a line that says so,
 *                      says so when there is room             and if not even that can be written, it is tried again with the next
 *
 * A piece is at most PIPE_BUF bytes and ends with a line where it can: a pipe takes it whole, and what others write into the
 * same pipe comes between lines. A file takes all at once: where one write waits for the disk, sixteen wait sixteen times. The
 * descriptor is not made non-blocking: that would be so for everybody who shares it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/cli/courier.h"
#include "broker/cli/output.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define PIECE_BYTES 4096u /* PIPE_BUF */
#define ROOM_FOR_WORDS_BYTES 1024u
#define FINISH_STALL_NS (3 * NS_PER_S)
#define FINISH_ALL_NS (10 * NS_PER_S)
#define FINISH_TERMINAL_NS (30 * NS_PER_S) /* somebody reads there: that takes longer */

static const size_t limits_bytes[] = {
	[OUTPUT_LINE] = 64ul * 1024, [OUTPUT_FAILURE] = 96ul * 1024, [OUTPUT_LAST] = SIZE_MAX
};

struct output {
	int fd;
	size_t piece_bytes;      /* at most */
	struct courier *courier; /* NULL: there was no room for a thread */
	output_loss_fn *format_loss;
	const void *loss_data;
	output_send_fn *send; /* NULL: lines are written */
	uint64_t n_dropped;   /* the loop's: lines that did not get into the backlog */
	/* who delivers alone: */
	uint64_t n_lost; /* lines that could not be written */
	int lost_errno;
	bool torn; /* what was written last is no whole line */
};

/* ---- in the thread ---- */

static uint64_t count_lines(const char *bytes, size_t size_bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size_bytes; i++)
		n += bytes[i] == '\n';
	return n;
}

/* As many whole lines as go into a piece; of a longer one, its begin. */
static size_t piece_size(const struct output *output, const char *bytes, size_t size_bytes)
{
	const char *end;

	if (size_bytes <= output->piece_bytes)
		return size_bytes;
	end = memrchr(bytes, '\n', output->piece_bytes);
	return end ? (size_t)(end - bytes) + 1 : output->piece_bytes;
}

static size_t send_lines(struct output *output, const char *bytes, size_t size_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		const char *end = memchr(bytes + done, '\n', size_bytes - done);
		size_t size = end ? (size_t)(end + 1 - bytes) - done : size_bytes - done;
		int r = output->send(output->fd, bytes + done, size);

		if (r < 0) {
			errno = -r;
			break;
		}
		done += size;
		if (output->courier)
			courier_moved(output->courier);
	}
	return done;
}

/* Returns the bytes that were written; fewer than all: errno says why. */
static size_t write_piece(struct output *output, const char *bytes, size_t size_bytes)
{
	struct pollfd pollfd = { .fd = output->fd, .events = POLLOUT };
	size_t done = 0;

	if (output->send)
		return send_lines(output, bytes, size_bytes);
	while (done < size_bytes) {
		ssize_t n;

		(void)poll(&pollfd, 1, -1);
		n = write(output->fd, bytes + done, size_bytes - done);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			break;
		if (n <= 0)
			continue;
		done += (size_t)n;
		output->torn = bytes[done - 1] != '\n';
		if (output->courier)
			courier_moved(output->courier);
	}
	return done;
}

static void lose(struct output *output, const char *bytes, size_t size_bytes)
{
	output->lost_errno = errno;
	output->n_lost += count_lines(bytes, size_bytes);
}

/* Returns false if that can't be written either. */
static bool tell_lost(struct output *output)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (!output->n_lost)
		return true;
	if (output->torn)
		text_add_char(&text, '\n');
	output->format_loss(output->loss_data, output->n_lost, strerrordesc_np(output->lost_errno), &text);
	if (write_piece(output, text_get(&text), text.length) < text.length)
		return false;
	output->n_lost = 0;
	return true;
}

static void deliver(void *data, const char *bytes, size_t size_bytes)
{
	struct output *output = data;

	(void)tell_lost(output);
	while (size_bytes) {
		size_t piece = piece_size(output, bytes, size_bytes);
		size_t done = tell_lost(output) ? write_piece(output, bytes, piece) : 0;

		if (done < piece)
			lose(output, bytes + done, piece - done);
		bytes += piece;
		size_bytes -= piece;
	}
}

/* ---- in the loop ---- */

struct output *output_new(int fd, output_loss_fn *format_loss, const void *loss_data)
{
	struct output *output = calloc(1, sizeof(*output));
	struct stat st;

	must(output);
	output->fd = fd;
	output->piece_bytes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? SIZE_MAX : PIECE_BYTES;
	output->format_loss = format_loss;
	output->loss_data = loss_data;
	(void)courier_new("weir-log", deliver, output, &output->courier);
	return output;
}

void output_send_by(struct output *output, output_send_fn *send)
{
	output->send = send;
	output->piece_bytes = SIZE_MAX;
}

bool output_has_thread(const struct output *output)
{
	return output->courier;
}

void output_write(struct output *output, enum output_rank rank, const struct text *text, uint64_t n_lines)
{
	if (!text->length)
		return;
	if (!output->courier)
		deliver(output, text_get(text), text->length);
	else if (!courier_post(output->courier, text_get(text), text->length, limits_bytes[rank]))
		output->n_dropped += n_lines;
}

bool output_idle(struct output *output)
{
	struct pollfd pollfd = { .fd = output->fd, .events = POLLOUT };

	return (!output->courier || courier_idle(output->courier)) && poll(&pollfd, 1, 0) > 0;
}

uint64_t output_take_dropped(struct output *output, enum output_rank rank)
{
	uint64_t n = output->n_dropped;

	if (!n ||
	    (rank != OUTPUT_LAST && courier_load_bytes(output->courier) + ROOM_FOR_WORDS_BYTES > limits_bytes[rank]))
		return 0;
	output->n_dropped = 0;
	return n;
}

/* Nobody has to wait for the reader of a pipe that holds it all. */
static void enlarge_pipe(const struct output *output, size_t more_bytes)
{
	int size_bytes = fcntl(output->fd, F_GETPIPE_SZ);

	if (size_bytes > 0)
		(void)fcntl(output->fd, F_SETPIPE_SZ, size_bytes + (int)(more_bytes + 2 * PIECE_BYTES));
}

bool output_finish(struct output *output)
{
	if (!output->courier)
		return !output->n_lost;
	courier_nudge(output->courier); /* what was lost is told, if it can be now */
	if (!courier_wait(output->courier, NS_PER_MS, NS_PER_MS))
		enlarge_pipe(output, courier_load_bytes(output->courier));
	if (isatty(output->fd))
		return courier_wait(output->courier, FINISH_TERMINAL_NS, FINISH_TERMINAL_NS);
	return courier_wait(output->courier, FINISH_STALL_NS, FINISH_ALL_NS);
}

void output_free(struct output *output)
{
	if (output && courier_free(output->courier))
		free(output);
}

int output_hold_standard(void)
{
	static const int modes[] = { [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		/* all below are open, so this one is the lowest that is free */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
			return error_origin(-errno);
	return 0;
}
