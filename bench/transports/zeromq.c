/* SPDX-License-Identifier: Apache-2.0 */
/* ZeroMQ PUSH/PULL over ipc, default high-water marks; the I/O thread of each side runs on its process's processor. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/transport.h"

#define CHANNEL_NAME "bench zeromq"
#define CHANNEL_SHARED 0
#define CHANNEL_CHAINS 0

struct channel {
	char address[256];
	void *context, *socket;
	zmq_msg_t message;
	int flags;
};

static void channel_open(struct channel *channel, const struct run *run, uint32_t index)
{
	*channel = (struct channel){ .flags = run->poll ? ZMQ_DONTWAIT : 0 };
	snprintf(channel->address, sizeof(channel->address), "ipc://%s/zeromq-%d-%u", run->folder, getpid(), index);
}

/* A context does not live through a fork, so it is made here. */
static void channel_role(struct channel *channel, enum role role)
{
	channel->context = zmq_ctx_new();
	channel->socket =
		channel->context ? zmq_socket(channel->context, role == ROLE_PRODUCER ? ZMQ_PUSH : ZMQ_PULL) : NULL;
	if (!channel->socket || zmq_msg_init(&channel->message) < 0)
		die("cannot make a socket");
	if (role == ROLE_PRODUCER ? zmq_connect(channel->socket, channel->address) < 0 :
				    zmq_bind(channel->socket, channel->address) < 0)
		die("cannot use %s", channel->address);
}

static inline void channel_flush(struct channel *channel)
{
	(void)channel;
}

static inline void channel_send(struct channel *channel, const void *data, size_t size_bytes)
{
	if (zmq_send(channel->socket, data, size_bytes, 0) < 0)
		die("cannot send");
}

/* Returns when everything has been handed to the kernel. */
static void channel_close(struct channel *channel)
{
	zmq_close(channel->socket);
	zmq_ctx_term(channel->context);
}

static inline const unsigned char *channel_receive(struct channel *channel, size_t size_bytes)
{
	int n;

	do
		n = zmq_msg_recv(&channel->message, channel->socket, channel->flags);
	while (n < 0 && errno == EAGAIN);
	return n == (int)size_bytes ? zmq_msg_data(&channel->message) : NULL;
}

#include "bench/transport_main.h"
