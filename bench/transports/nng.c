/* SPDX-License-Identifier: Apache-2.0 */
/* nng push/pull over ipc, send buffer of 1,024 messages; its threads run on their process's processor. */
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/transport.h"

#define CHANNEL_NAME "bench nng"
#define CHANNEL_SHARED 0
#define CHANNEL_CHAINS 0
#define BUFFER_MESSAGES 1024

struct channel {
	char address[256];
	nng_socket socket;
	nng_msg *message;
	int flags;
};

static void nng_must(int error, const char *what)
{
	errno = 0;
	if (error)
		die("%s: %s", what, nng_strerror(error));
}

static void channel_open(struct channel *channel, const struct run *run, uint32_t index)
{
	*channel = (struct channel){ .flags = run->poll ? NNG_FLAG_NONBLOCK : 0 };
	snprintf(channel->address, sizeof(channel->address), "ipc://%s/nng-%d-%u", run->folder, getpid(), index);
}

static void channel_role(struct channel *channel, enum role role)
{
	nng_must(role == ROLE_PRODUCER ? nng_push0_open(&channel->socket) : nng_pull0_open(&channel->socket), "socket");
	if (role == ROLE_PRODUCER) {
		nng_must(nng_socket_set_int(channel->socket, NNG_OPT_SENDBUF, BUFFER_MESSAGES), "buffer");
		nng_must(nng_dial(channel->socket, channel->address, NULL, NNG_FLAG_NONBLOCK), "dial");
	} else {
		nng_must(nng_socket_set_size(channel->socket, NNG_OPT_RECVMAXSZ, 0), "size");
		nng_must(nng_listen(channel->socket, channel->address, NULL, 0), "listen");
	}
}

static inline void channel_flush(struct channel *channel)
{
	(void)channel;
}

static inline void channel_send(struct channel *channel, const void *data, size_t size_bytes)
{
	nng_must(nng_send(channel->socket, (void *)(uintptr_t)data, size_bytes, 0), "send");
}

/* It would drop what is not yet written: the process stays until all has arrived, and ends with the socket open. */
static void channel_close(struct channel *channel)
{
	(void)channel;
}

static inline const unsigned char *channel_receive(struct channel *channel, size_t size_bytes)
{
	int error;

	nng_msg_free(channel->message);
	channel->message = NULL;
	do
		error = nng_recvmsg(channel->socket, &channel->message, channel->flags);
	while (error == NNG_EAGAIN);
	return error == 0 && nng_msg_len(channel->message) == size_bytes ? nng_msg_body(channel->message) : NULL;
}

#include "bench/transport_main.h"
