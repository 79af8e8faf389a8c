/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a socket are rows of a table, so that a test can read each of them back.
 *
 *   worker   DEALER --.
 *   worker   DEALER ---+--- ipc://<run_dir>/control --- ROUTER  supervisor
 *   weir ps  DEALER --'
 *
 * IMMEDIATE stays 0 on DEALERs, on purpose. With 1 a message can only be sent once the connection stands, so a worker would have to
 * wait for that before its hello. With 0 it goes into the queue of the one endpoint there is, and leaves when the connection stands;
 * the queue is bounded (SNDHWM), sending never waits (DONTWAIT, and SNDTIMEO 0 beneath it), and closing waits at most LINGER. What
 * makes 0 dangerous elsewhere, messages handed to one of several peers that never comes up, can't be: there is one peer,
 * it is bound before a worker is spawned, and its end is told by the lifeline, not by ZeroMQ.
 *
 * A connect() can find the backlog full; RECONNECT_IVL says when it is tried again. There are no heartbeats: both ends are on one host,
 * the kernel tells of a death, and an idle pipeline must not wake up. Large frames are refused by MAXMSGSIZE before they are
 * stored; the queues bound the number of messages, so a peer costs at most WIRE_QUEUE_MAX * WIRE_SIZE_MAX bytes (a peer that
 * sends parts without end is not bounded by ZeroMQ: hence the same uid, which could as well send a signal).
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/wire/socket.h"

#ifndef ZMQ_IPC_FILTER_UID
#define ZMQ_IPC_FILTER_UID 59
#endif

/* enum wire_socket_kind as bits */
#define SERVER 1u
#define WORKER 2u
#define CLIENT 4u
#define ALL (SERVER | WORKER | CLIENT)

static const struct option_line {
	int option;
	unsigned kinds;
	int value;
} options[] = {
	{ ZMQ_LINGER, SERVER | WORKER, WIRE_LINGER_MS },
	{ ZMQ_LINGER, CLIENT, 0 },
	{ ZMQ_SNDHWM, ALL, WIRE_QUEUE_MAX },
	{ ZMQ_RCVHWM, ALL, WIRE_QUEUE_MAX },
	{ ZMQ_SNDTIMEO, ALL, 0 },
	{ ZMQ_RCVTIMEO, ALL, 0 },
	{ ZMQ_HANDSHAKE_IVL, ALL, WIRE_HANDSHAKE_MS },
	{ ZMQ_HEARTBEAT_IVL, ALL, 0 },
	{ ZMQ_IMMEDIATE, ALL, 0 },
	{ ZMQ_BACKLOG, SERVER, WIRE_BACKLOG },
	{ ZMQ_RECONNECT_IVL, WORKER | CLIENT, 10 },
	{ ZMQ_RECONNECT_IVL_MAX, WORKER | CLIENT, 200 },
};

static void *pass_through(void *mutex)
{
	pthread_mutex_lock(mutex);
	pthread_mutex_unlock(mutex);
	return NULL;
}

/*
 * A context makes two threads with its first socket, and ZeroMQ aborts the process when it can't have them. So they are tried
 * before, both at a time, while running out of memory or processes is still an answer. Returns 0 or -errno.
 */
static int try_threads(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[2];
	unsigned n = 0;
	int error = 0;

	pthread_mutex_lock(&mutex);
	while (n < 2 && error == 0) {
		error = pthread_create(&threads[n], NULL, pass_through, &mutex);
		n += error == 0;
	}
	pthread_mutex_unlock(&mutex);
	while (n)
		pthread_join(threads[--n], NULL);
	return error ? error_origin(-error) : 0;
}

int wire_context_open(int sockets_max, void **ret_context)
{
	int r = try_threads();
	void *context;

	if (r)
		return r;
	context = zmq_ctx_new();
	if (!context)
		return error_origin(-errno);
	if (zmq_ctx_set(context, ZMQ_IO_THREADS, 1) || zmq_ctx_set(context, ZMQ_BLOCKY, 0) ||
	    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, sockets_max)) {
		r = -errno;
		zmq_ctx_term(context);
		return error_origin(r);
	}
	*ret_context = context;
	return 0;
}

static int set_integer(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value)) ? error_origin(-errno) : 0;
}

static int configure(void *socket, enum wire_socket_kind kind)
{
	int64_t size_max = kind == WIRE_CLIENT ? WIRE_REPLY_SIZE_MAX : WIRE_SIZE_MAX;
	uid_t uid = geteuid();
	int r;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!(options[i].kinds & 1u << kind))
			continue;
		r = set_integer(socket, options[i].option, options[i].value);
		if (r)
			return r;
	}
	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof(size_max)))
		return error_origin(-errno);
	if (kind != WIRE_SERVER)
		return 0;
	r = set_integer(socket, ZMQ_ROUTER_MANDATORY, 1);
	if (!r && zmq_setsockopt(socket, ZMQ_IPC_FILTER_UID, &uid, sizeof(uid)))
		r = error_origin(-errno);
	return r;
}

int wire_socket_open(void *zmq_context, enum wire_socket_kind kind, void **ret_socket)
{
	void *socket = zmq_socket(zmq_context, kind == WIRE_SERVER ? ZMQ_ROUTER : ZMQ_DEALER);
	int r;

	if (!socket)
		return error_origin(-errno);
	r = configure(socket, kind);
	if (r) {
		zmq_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

int wire_fd(void *socket)
{
	int fd = -1;
	size_t size = sizeof(fd);

	must(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0);
	return fd;
}

bool wire_readable(void *socket)
{
	int events = 0;
	size_t size = sizeof(events);

	while (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size))
		if (errno != EINTR)
			return false;
	return events & ZMQ_POLLIN;
}

/*
 * zmq_send() without waiting, again after a signal, and once again when the queue seems full: ZeroMQ looks into its mailbox only every
 * millisecond or so, where it may say that the peer has long taken everything. Returns 0, WIRE_E_BUSY, WIRE_E_GONE, -errno.
 */
static int send_part(void *socket, const void *data, size_t size_bytes, int flags)
{
	bool looked = false;

	while (zmq_send(socket, data, size_bytes, ZMQ_DONTWAIT | flags) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN && !looked) {
			(void)wire_readable(socket); /* empties the mailbox */
			looked = true;
			continue;
		}
		return errno == EAGAIN ? WIRE_E_BUSY : errno == EHOSTUNREACH ? WIRE_E_GONE : error_origin(-errno);
	}
	return 0;
}

int wire_send(void *socket, const struct message *message)
{
	_cleanup_(free) char *data = NULL;
	size_t size_bytes;
	int r = message_encode(message, &data, &size_bytes);

	return r ? error_trace(r) : send_part(socket, data, size_bytes, 0);
}

int wire_send_to(void *socket, const struct wire_peer *peer, const struct message *message)
{
	_cleanup_(free) char *data = NULL;
	size_t size_bytes;
	int r = message_encode(message, &data, &size_bytes);

	if (r)
		return error_trace(r);
	/* A peer that is gone, or has no room, refuses its own address; behind that the rest is always taken. */
	r = send_part(socket, peer->bytes, peer->size_bytes, ZMQ_SNDMORE);
	return r ? r : error_fold(send_part(socket, data, size_bytes, 0));
}

/* One part. Returns 0, WIRE_E_NOTHING, -errno. */
static int receive_part(void *socket, zmq_msg_t *part)
{
	while (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EAGAIN ? WIRE_E_NOTHING : error_origin(-errno);
	}
	return 0;
}

/* Takes the parts that are too many off the queue. Returns 0 or -errno. */
static int discard_rest(void *socket, zmq_msg_t *part)
{
	while (zmq_msg_more(part)) {
		int r = receive_part(socket, part);

		if (r)
			return error_fold(r);
	}
	return 0;
}

/* One message's parts. Returns 0 and the payload in *part; WIRE_E_NOTHING; WIRE_E_REFUSED + MESSAGE_E_MALFORMED; -errno. */
static int receive_parts(void *socket, struct wire_peer *ret_peer, zmq_msg_t *part)
{
	bool well = true;
	int r = receive_part(socket, part);

	if (r)
		return r;
	if (ret_peer) {
		ret_peer->size_bytes = 0;
		well = zmq_msg_more(part) && zmq_msg_size(part) <= sizeof(ret_peer->bytes);
		if (well) {
			ret_peer->size_bytes = zmq_msg_size(part);
			memcpy(ret_peer->bytes, zmq_msg_data(part), ret_peer->size_bytes);
			r = receive_part(socket, part);
			if (r)
				return error_fold(r);
		}
	}
	if (well && !zmq_msg_more(part))
		return 0;
	r = discard_rest(socket, part);
	return r ? r : WIRE_E_REFUSED + MESSAGE_E_MALFORMED;
}

int wire_receive(void *socket, size_t size_max, struct wire_peer *ret_peer, struct message *ret_message,
		 char **ret_buffer)
{
	_cleanup_(free) char *buffer = NULL;
	zmq_msg_t part;
	size_t size_bytes;
	int r;

	must(zmq_msg_init(&part) == 0);
	r = receive_parts(socket, ret_peer, &part);
	if (r)
		goto out;
	size_bytes = zmq_msg_size(&part);
	buffer = malloc(size_bytes ? size_bytes : 1);
	if (!buffer) {
		r = error_origin(-ENOMEM);
		goto out;
	}
	memcpy(buffer, zmq_msg_data(&part), size_bytes);
	r = message_decode(buffer, size_bytes, size_max, ret_message);
	if (r)
		r += WIRE_E_REFUSED;
	else
		*ret_buffer = steal_pointer(&buffer);
out:
	zmq_msg_close(&part);
	return r;
}
