/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context of the stage's own, beside that of the worker's client: a flood here must not hold up the control plane's thread.
 *
 * What makes a socket of ZeroMQ unfit for strangers is set here: bounds in both directions, a bound for parts, a peer that
 * connects and says nothing goes, and only peers that can say who they are (ZMTP 3, since 2013) are let in: libzmq takes any
 * bytes for ZMTP 1.0, so that half a request for a web page would come out as messages. It refuses that once there is a domain for
 * authentication; nobody answers for it, so nobody has to authenticate.
 *
 * Binding an ipc:// address, libzmq removes whatever has that name, be it a socket that somebody listens at, or a file. So it is looked
 * at before; and libzmq leaves its own behind.
 */
#include "worker/zmq/messenger.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/wire/socket.h"
#include "worker/sources/listener.h"
#include "worker/zmq/endpoint.h"

#define SOCKETS_MAX 8
#define HANDSHAKE_MS 10000
#define RECONNECT_MS 20
#define RECONNECT_MS_MAX 1000
#define BACKLOG 1024
#define DOMAIN "weir"

/* ---- making ---- */

int messenger_set(struct messenger *messenger, int option, int value)
{
	return zmq_setsockopt(messenger->socket, option, &value, sizeof(value)) ? error_origin(-errno) : 0;
}

static int set_bounds(struct messenger *messenger, const struct weir_context *context)
{
	int queue = (int)weir_option_integer(context, "queue");
	int64_t size_max = weir_option_given(context, "size_max") ? weir_option_integer(context, "size_max") : -1;
	int linger_ms = weir_option_given(context, "linger") ?
				(int)(weir_option_integer(context, "linger") / (int64_t)NS_PER_MS) :
				0;
	const struct {
		int option, value;
	} rows[] = {
		{ ZMQ_SNDHWM, queue },
		{ ZMQ_RCVHWM, queue },
		{ ZMQ_LINGER, linger_ms },
		{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
		{ ZMQ_RECONNECT_IVL, RECONNECT_MS },
		{ ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX },
		{ ZMQ_BACKLOG, BACKLOG },
		{ ZMQ_TCP_KEEPALIVE, 1 },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && r == 0; i++)
		r = messenger_set(messenger, rows[i].option, rows[i].value);
	if (r == 0 && zmq_setsockopt(messenger->socket, ZMQ_MAXMSGSIZE, &size_max, sizeof(size_max)))
		r = error_origin(-errno);
	if (r == 0 && zmq_setsockopt(messenger->socket, ZMQ_ZAP_DOMAIN, DOMAIN, strlen(DOMAIN)))
		r = error_origin(-errno);
	return r;
}

int messenger_open(struct messenger *messenger, struct weir_context *context, int type)
{
	int r;

	*messenger = (struct messenger){ 0 };
	r = wire_context_open(SOCKETS_MAX, &messenger->zmq);
	if (r != 0)
		return r;
	messenger->socket = zmq_socket(messenger->zmq, type);
	r = messenger->socket ? set_bounds(messenger, context) : error_origin(-errno);
	if (r != 0)
		messenger_close(messenger);
	return r;
}

/* If it is still the one that was bound: somebody else may have taken the name. */
static void remove_path(const struct messenger_path *path)
{
	struct stat st;

	if (lstat(path->name, &st) == 0 && st.st_dev == path->device && st.st_ino == path->inode)
		(void)unlink(path->name);
}

void messenger_close(struct messenger *messenger)
{
	if (messenger->socket)
		zmq_close(messenger->socket);
	while (messenger->zmq && zmq_ctx_term(messenger->zmq) && errno == EINTR)
		;
	for (uint32_t i = 0; i < messenger->n_paths; i++)
		remove_path(&messenger->paths[i]);
	*messenger = (struct messenger){ 0 };
}

/* ---- addresses ---- */

static int refuse(struct weir_context *context, const char *verb, const char *endpoint, const char *why,
		  const char *advice)
{
	weir_fail(context, "cannot %s %s: %s; %s", verb, endpoint, why, advice);
	return WEIR_FAILED;
}

static int set_ipv6(struct messenger *messenger, const char *endpoint)
{
	return endpoint_is_ipv6(endpoint) ? messenger_set(messenger, ZMQ_IPV6, 1) : 0;
}

static void say_where(const struct messenger *messenger)
{
	char where[512];
	size_t size = sizeof(where);

	if (zmq_getsockopt(messenger->socket, ZMQ_LAST_ENDPOINT, where, &size) == 0)
		weir_log(WEIR_LOG_NOTICE, "listening at %s", where);
}

static int note_path(struct messenger *messenger, const char *path)
{
	struct stat st;

	if (!path)
		return 0;
	if (lstat(path, &st))
		return -errno;
	messenger->paths[messenger->n_paths++] = (struct messenger_path){ path, st.st_dev, st.st_ino };
	return 0;
}

int messenger_bind(struct messenger *messenger, struct weir_context *context, const char *endpoint)
{
	const char *wrong = endpoint_wrong(endpoint, ENDPOINT_BIND), *path = endpoint_path(endpoint);
	int r;

	if (wrong)
		return refuse(context, "bind", endpoint, "this is no address for it", wrong);
	r = set_ipv6(messenger, endpoint);
	if (r == 0 && path)
		r = messenger->n_paths < MESSENGER_PATHS_MAX ? listener_clear_way(path) : -E2BIG;
	if (r == 0 && zmq_bind(messenger->socket, endpoint))
		r = -errno;
	if (r == 0)
		r = note_path(messenger, path);
	if (r == -EADDRINUSE && weir_generation(context) > 0)
		return error_origin(r);
	if (r != 0)
		return refuse(context, "bind", endpoint, zmq_strerror(-r), endpoint_advice(-r));
	say_where(messenger);
	return 0;
}

static int attach_to(struct messenger *messenger, struct weir_context *context, const char *endpoint)
{
	const char *wrong = endpoint_wrong(endpoint, ENDPOINT_CONNECT);
	int r;

	if (wrong)
		return refuse(context, "connect to", endpoint, "this is no address for it", wrong);
	r = set_ipv6(messenger, endpoint);
	if (r == 0 && zmq_connect(messenger->socket, endpoint))
		return refuse(context, "connect to", endpoint, zmq_strerror(errno), endpoint_advice(errno));
	return r;
}

int messenger_attach(struct messenger *messenger, struct weir_context *context)
{
	const char *const *bind = weir_option_list(context, "bind"), *const *connect =
									     weir_option_list(context, "connect");
	int r = 0;

	for (size_t i = 0; bind && bind[i] && r == 0; i++)
		r = messenger_bind(messenger, context, bind[i]);
	for (size_t i = 0; connect && connect[i] && r == 0; i++)
		r = attach_to(messenger, context, connect[i]);
	return r;
}

int messenger_check_addresses(struct weir_context *context, const char *option)
{
	const char *const *list = weir_option_list(context, option);
	enum endpoint_use use = strcmp(option, "connect") ? ENDPOINT_BIND : ENDPOINT_CONNECT;
	int r = 0;

	for (size_t i = 0; list && list[i]; i++) {
		const char *wrong = endpoint_wrong(list[i], use);

		if (!wrong)
			continue;
		weir_complain(context, option, 0, "'%s': %s", list[i], wrong);
		r = WEIR_FAILED;
	}
	return r;
}

/* ---- traffic ---- */

int messenger_fd(const struct messenger *messenger)
{
	return wire_fd(messenger->socket);
}

bool messenger_can(const struct messenger *messenger, short what)
{
	int events = 0;
	size_t size = sizeof(events);

	while (zmq_getsockopt(messenger->socket, ZMQ_EVENTS, &events, &size))
		if (errno != EINTR)
			return false;
	return events & what;
}

int messenger_receive(const struct messenger *messenger, zmq_msg_t *part)
{
	while (zmq_msg_recv(part, messenger->socket, ZMQ_DONTWAIT) < 0)
		if (errno != EINTR)
			return errno == EAGAIN ? MESSENGER_E_EMPTY : error_origin(-errno);
	return 0;
}

int messenger_send(const struct messenger *messenger, zmq_msg_t *part, bool more)
{
	while (zmq_msg_send(part, messenger->socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0)
		if (errno != EINTR)
			return errno == EAGAIN       ? MESSENGER_E_FULL :
			       errno == EHOSTUNREACH ? MESSENGER_E_GONE :
						       error_origin(-errno);
	return 0;
}

int messenger_send_copy(const struct messenger *messenger, const void *bytes, size_t n, bool more)
{
	zmq_msg_t part;
	int r;

	if (zmq_msg_init_size(&part, n))
		return error_origin(-ENOMEM);
	if (n)
		memcpy(zmq_msg_data(&part), bytes, n);
	r = messenger_send(messenger, &part, more);
	zmq_msg_close(&part);
	return r;
}
