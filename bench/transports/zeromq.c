/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZeroMQ PUSH/PULL over ipc, default high-water marks; the I/O thread of each side runs on its process's processor.
 *
 * Whoever stands alone at its end of a channel binds, the others connect: the source deals to its workers, the sink collects. PUSH says
 * nothing when it closes, so a worker looks now and then whether the sink has everything.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/transport.h"

#define CHANNEL_NAME "bench zeromq"
#define CHANNEL_SHARED 1
#define CHANNEL_CHAINS 1
#define LOOK_MS 100

struct channel {
	char address[256];
	uint32_t index;
	void *socket;
	zmq_msg_t message;
	int flags;
	bool dealt; /* one producer, several consumers */
};

static void *context; /* one for the process */

static void channel_open(struct channel *channel, const struct run *run, uint32_t index)
{
	*channel = (struct channel){ .index = index,
				     .flags = run->poll ? ZMQ_DONTWAIT : 0,
				     .dealt = run->shape == SHAPE_FAN && index == 0 };
	snprintf(channel->address, sizeof(channel->address), "ipc://%s/zeromq-%d-%u", run->folder, getpid(), index);
}

/* A context does not live through a fork, so it is made here. */
static void channel_role(struct channel *channel, enum role role)
{
	const int look_ms = LOOK_MS;
	bool binds = role == (channel->dealt ? ROLE_PRODUCER : ROLE_CONSUMER);

	if (role == ROLE_NONE)
		return;
	if (!context)
		context = zmq_ctx_new();
	channel->socket = context ? zmq_socket(context, role == ROLE_PRODUCER ? ZMQ_PUSH : ZMQ_PULL) : NULL;
	if (!channel->socket || zmq_msg_init(&channel->message) < 0 ||
	    (channel->dealt && zmq_setsockopt(channel->socket, ZMQ_RCVTIMEO, &look_ms, sizeof(look_ms)) < 0))
		die("cannot make a socket");
	if (!binds)
		run_wait_bound(channel->index); /* else the next try comes 100 ms later */
	if (binds ? zmq_bind(channel->socket, channel->address) < 0 :
		    zmq_connect(channel->socket, channel->address) < 0)
		die("cannot use %s", channel->address);
	if (binds)
		run_bound(channel->index);
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

/*
 * Nothing is kept back, so nothing is to do; the socket stays until the process ends, after the consumer has everything: what a peer has
 * closed on is lost while the reader's queue is at its high-water mark.
 */
static void channel_close(struct channel *channel)
{
	(void)channel;
}

static inline const unsigned char *channel_receive(struct channel *channel, size_t size_bytes)
{
	int n;

	while ((n = zmq_msg_recv(&channel->message, channel->socket, channel->flags)) < 0 && errno == EAGAIN)
		if (channel->dealt && run_is_done())
			return NULL;
	return n == (int)size_bytes ? zmq_msg_data(&channel->message) : NULL;
}

/* A shared channel is waited for: there is only one. */
static inline const unsigned char *channel_try(struct channel *channel, size_t size_bytes)
{
	return channel_receive(channel, size_bytes);
}

#include "bench/transport_main.h"
