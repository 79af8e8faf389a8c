/* SPDX-License-Identifier: Apache-2.0 */
/* AF_UNIX SOCK_SEQPACKET: one call a message, which the kernel keeps whole. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/transport.h"

#define CHANNEL_NAME "bench seqpacket"
#define CHANNEL_SHARED 1
#define CHANNEL_CHAINS 0
#define BUFFER_MIN (1 << 20)

struct channel {
	int fds[2]; /* reader, writer */
	unsigned char *buffer;
	int flags;
};

static void channel_open(struct channel *channel, const struct run *run, uint32_t index)
{
	int size_bytes = run->size_bytes * 4 < BUFFER_MIN ? BUFFER_MIN : (int)run->size_bytes * 4;

	(void)index;
	*channel = (struct channel){ .buffer = malloc(run->size_bytes), .flags = run->poll ? MSG_DONTWAIT : 0 };
	if (!channel->buffer || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel->fds) < 0)
		die("cannot make a pair of sockets");
	/* Beyond net.core.wmem_max only root may; without it small messages still go. */
	if (setsockopt(channel->fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size_bytes, sizeof(size_bytes)) < 0 &&
	    setsockopt(channel->fds[1], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof(size_bytes)) < 0)
		die("cannot set the size of a socket's buffer");
}

static void channel_role(struct channel *channel, enum role role)
{
	if (role != ROLE_CONSUMER)
		close(channel->fds[0]);
	if (role != ROLE_PRODUCER)
		close(channel->fds[1]);
}

static inline void channel_flush(struct channel *channel)
{
	(void)channel;
}

static inline void channel_send(struct channel *channel, const void *data, size_t size_bytes)
{
	if (send(channel->fds[1], data, size_bytes, MSG_NOSIGNAL) != (ssize_t)size_bytes)
		die("cannot send");
}

static void channel_close(struct channel *channel)
{
	close(channel->fds[1]);
}

static inline const unsigned char *channel_receive(struct channel *channel, size_t size_bytes)
{
	ssize_t n;

	do
		n = recv(channel->fds[0], channel->buffer, size_bytes, channel->flags);
	while (n < 0 && errno == EAGAIN);
	if (n < 0)
		die("cannot receive");
	return n == (ssize_t)size_bytes ? channel->buffer : NULL;
}

#include "bench/transport_main.h"
