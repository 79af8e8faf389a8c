/* SPDX-License-Identifier: Apache-2.0 */
/* The one factory of ZeroMQ sockets: every option that matters is set here, and tested. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/wire/message.h"

#define WIRE_LINGER_MS 200     /* what was sent may take so long to leave when a socket is closed */
#define WIRE_HANDSHAKE_MS 2000 /* a peer that has connected must have greeted by then */
#define WIRE_QUEUE_MAX 64      /* messages waiting to or from one peer */
#define WIRE_BACKLOG 1024      /* connections not yet accepted: a whole pipeline may start at once */
#define WIRE_PATH_MAX 107u     /* bytes of an ipc path (struct sockaddr_un) */

enum wire_socket_kind {
	WIRE_SERVER, /* ROUTER, the supervisor's: LINGER 200 ms, MANDATORY, MAXMSGSIZE, same uid only */
	WIRE_WORKER, /* DEALER, a worker's: LINGER 200 ms (its goodbye must get out), never waits for ever */
	WIRE_CLIENT, /* DEALER, weir ps and friends: LINGER 0, large replies */
};

/*
 * A ZeroMQ context: one I/O thread, at most sockets_max sockets, sockets linger as they say. Never before fork. Returns 0 and the
 * context, or -errno. zmq_ctx_term() ends it, after all its sockets were closed, within WIRE_LINGER_MS.
 */
int wire_context_open(int sockets_max, void **ret_context);

/* Makes and configures a socket, not yet bound or connected. Returns 0 and the socket, or -errno. zmq_close() ends it. */
int wire_socket_open(void *zmq_context, enum wire_socket_kind kind, void **ret_socket);

/*
 * For poll(2) or epoll, POLLIN; owned by the socket. It becomes readable once for several events, and any send or receive may
 * swallow that: after each use ask wire_readable() before sleeping on it.
 */
int wire_fd(void *socket);
/* Whether a message can be received now. */
bool wire_readable(void *socket);

/* Sends one message to a DEALER's peer. Never blocks. Returns 0, WIRE_E_BUSY (queue full: try later), -errno. */
enum { WIRE_E_BUSY = 1, WIRE_E_GONE = 2, WIRE_E_NOTHING = 3 };
int wire_send(void *socket, const struct message *message);

/* A peer of the ROUTER. */
#define WIRE_PEER_SIZE_MAX 255u
struct wire_peer {
	size_t size_bytes;
	unsigned char bytes[WIRE_PEER_SIZE_MAX];
};
/* ROUTER: sends to a peer. Never blocks. Returns 0, WIRE_E_BUSY, WIRE_E_GONE (no such peer any more), -errno. */
int wire_send_to(void *socket, const struct wire_peer *peer, const struct message *message);

/*
 * Receives without blocking. On a ROUTER fills ret_peer (NULL on a DEALER). The message's byte strings point into
 * *ret_buffer, which the caller frees. Returns 0; WIRE_E_NOTHING; MESSAGE_E_* + WIRE_E_REFUSED: one bad message
 * was taken and thrown away (count it); -errno.
 */
enum { WIRE_E_REFUSED = 16 };
int wire_receive(void *socket, size_t size_max, struct wire_peer *ret_peer, struct message *ret_message,
		 char **ret_buffer);
