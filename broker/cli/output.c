/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/output.h"
#include "common/base/error.h"

#define BACKLOG_MAX_BYTES (64u * 1024)
#define PIECE_BYTES 4096u /* PIPE_BUF: a pipe that is ready takes so much without waiting */

static bool writable(int fd, int wait_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	return poll(&pollfd, 1, wait_ms) > 0;
}

/* Returns the bytes that are dealt with: written, or never to be written because the reader is gone. */
static size_t write_some(int fd, const char *data, size_t n, int wait_ms)
{
	size_t done = 0;

	while (done < n && writable(fd, wait_ms)) {
		ssize_t written = write(fd, data + done, n - done < PIECE_BYTES ? n - done : PIECE_BYTES);

		if (written >= 0)
			done += (size_t)written;
		else if (errno != EINTR && errno != EAGAIN)
			return n;
	}
	return done;
}

static void flush(struct output *output, int wait_ms)
{
	size_t done = write_some(output->fd, text_get(&output->backlog), output->backlog.length, wait_ms);

	if (!done)
		return;
	memmove(output->backlog.data, output->backlog.data + done, output->backlog.length - done + 1);
	output->backlog.length -= done;
}

void output_write(struct output *output, const char *data, size_t size_bytes)
{
	size_t done = 0;

	flush(output, 0);
	if (output->backlog.length + size_bytes > BACKLOG_MAX_BYTES) {
		output->n_dropped++;
		return;
	}
	if (output->n_dropped) {
		text_printf(&output->backlog,
			    "weir: %" PRIu64 " messages were dropped because standard error was not read\n",
			    output->n_dropped);
		output->n_dropped = 0;
		flush(output, 0);
	}
	if (!output->backlog.length)
		done = write_some(output->fd, data, size_bytes, 0);
	text_add_bytes(&output->backlog, data + done, size_bytes - done);
}

bool output_idle(struct output *output)
{
	flush(output, 0);
	return !output->backlog.length && writable(output->fd, 0);
}

void output_finish(struct output *output)
{
	while (output->backlog.length)
		flush(output, -1);
}

void output_deinit(struct output *output)
{
	text_deinit(&output->backlog);
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
