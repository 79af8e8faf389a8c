/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe(2), 1 MiB large. `batch` messages are written, and asked for, in one call; with one, straight from the message. Several
 * processes may share an end while a batch is not larger than PIPE_BUF: such a write is one piece.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/transport.h"

#define CHANNEL_NAME "bench pipe"
#define CHANNEL_SHARED 1
#define CHANNEL_CHAINS 1
#define PIPE_SIZE (1 << 20)

struct channel {
	int fds[2];
	unsigned char *buffer;
	size_t room_bytes; /* of the buffer: a batch */
	size_t begin, end; /* in the buffer: what is not yet given out, or not yet written */
	size_t last_bytes; /* reader: length of the message given out */
};

static void channel_open(struct channel *channel, const struct run *run, uint32_t index)
{
	(void)index;
	*channel = (struct channel){ .room_bytes = run->batch * run->size_bytes,
				     .buffer = malloc(run->batch * run->size_bytes) };
	errno = 0;
	if ((run->shape == SHAPE_FAN || run->shape == SHAPE_MANY) && channel->room_bytes > PIPE_BUF)
		die("a batch that several processes write must not be larger than %d bytes", PIPE_BUF);
	if (!channel->buffer || pipe2(channel->fds, O_CLOEXEC) < 0 ||
	    fcntl(channel->fds[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
		die("cannot make a pipe of %d bytes", PIPE_SIZE);
	if (run->poll && fcntl(channel->fds[0], F_SETFL, O_NONBLOCK) < 0)
		die("cannot make a pipe non-blocking");
}

static void channel_role(struct channel *channel, enum role role)
{
	if (role != ROLE_CONSUMER)
		close(channel->fds[0]);
	if (role != ROLE_PRODUCER)
		close(channel->fds[1]);
}

static void pipe_write(const struct channel *channel, const unsigned char *data, size_t size_bytes)
{
	while (size_bytes) {
		ssize_t n = write(channel->fds[1], data, size_bytes);

		if (n < 0)
			die("cannot write");
		data += n;
		size_bytes -= (size_t)n;
	}
}

static inline void channel_flush(struct channel *channel)
{
	if (channel->end)
		pipe_write(channel, channel->buffer, channel->end);
	channel->end = 0;
}

static inline void channel_send(struct channel *channel, const void *data, size_t size_bytes)
{
	if (channel->room_bytes == size_bytes) {
		pipe_write(channel, data, size_bytes);
		return;
	}
	memcpy(channel->buffer + channel->end, data, size_bytes);
	channel->end += size_bytes;
	if (channel->end == channel->room_bytes)
		channel_flush(channel);
}

static void channel_close(struct channel *channel)
{
	channel_flush(channel);
	close(channel->fds[1]);
}

/* Until a whole message is in the buffer. False: the end. */
static bool pipe_read(struct channel *channel, size_t size_bytes)
{
	memmove(channel->buffer, channel->buffer + channel->begin, channel->end - channel->begin);
	channel->end -= channel->begin;
	channel->begin = 0;
	while (channel->end < size_bytes) {
		ssize_t n = read(channel->fds[0], channel->buffer + channel->end, channel->room_bytes - channel->end);

		if (n < 0 && errno != EAGAIN)
			die("cannot read");
		if (n == 0)
			return false;
		channel->end += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static inline const unsigned char *channel_receive(struct channel *channel, size_t size_bytes)
{
	channel->begin += channel->last_bytes;
	channel->last_bytes = 0;
	if (channel->end - channel->begin < size_bytes && !pipe_read(channel, size_bytes))
		return NULL;
	channel->last_bytes = size_bytes;
	return channel->buffer + channel->begin;
}

/* A shared channel is waited for: there is only one. */
static inline const unsigned char *channel_try(struct channel *channel, size_t size_bytes)
{
	return channel_receive(channel, size_bytes);
}

#include "bench/transport_main.h"
