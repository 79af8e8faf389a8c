/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: tcp and source: unix. Lines that others send.
 *
 *      peers ---> socket (epoll) ---> one chunk of each that is ready, in turn ---> items ---> commit ---> "ok" for each, with ack: true
 *
 * One worker has all connections. It sleeps in the runtime, on its epoll; nothing here waits. A lane that is full ends the turn, with what
 * was not emitted still in its socket: so the senders are held up, and memory does not grow, whoever sends however much.
 *
 * A line belongs to the pipeline once its turn is committed. Without an answer a sender cannot know that, so what was on its way when a
 * worker was killed, or the pipeline ended, may be lost: no sender over a bare socket can do better. With `ack: true` it is told, after
 * the commit; who sends again what was not acknowledged loses nothing, and repeats at most what he had sent and not heard of.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sources/connection.h"
#include "worker/sources/listener.h"
#include "worker/sources/open_limit.h"

#define BUDGET 1024u
#define EVENTS 64
#define ACCEPTS 64 /* at a time: those that are there get their turn, too */
#define ACCEPT_PAUSE_NS (200 * NS_PER_MS)
#define REPLIES_MAX_BYTES ((size_t)65536) /* a peer that takes none is not read from any more */
#define LISTENER CONNECTION_NONE

struct sockets {
	struct listener listener;
	struct connections all;
	int epoll;
	struct epoll_event events[EVENTS];
	int n_events, next_event;
	bool accepting;
	uint64_t accept_ns;    /* not accepting: again at that time, at the latest; 0: when a place gets free */
	uint64_t half_line_ns; /* how long a line may take to get its end */
	uint32_t *replying;    /* connections that have replies; owned */
	uint32_t n_replying;
	bool committed; /* flush() has come behind the last produce(): what was emitted counts */
	bool full_said, short_said;
};

/* ---- epoll ---- */

static int watch_listener(struct sockets *state, bool accepting)
{
	struct epoll_event event = { .events = accepting ? EPOLLIN : 0, .data.u32 = LISTENER };

	if (state->accepting == accepting)
		return 0;
	state->accepting = accepting;
	return epoll_ctl(state->epoll, EPOLL_CTL_MOD, state->listener.fd, &event) ? error_origin(-errno) : 0;
}

static void watch_connection(struct sockets *state, struct connection *connection, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)(connection - state->all.at) };

	if (connection->events == events)
		return;
	if (epoll_ctl(state->epoll, connection->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event) == 0)
		connection->events = events;
}

/* ---- opening ---- */

static void sockets_close(struct weir_context *context, void *data);

static int sockets_attach(struct sockets *state, struct weir_context *context)
{
	uint64_t wanted = (uint64_t)weir_option_integer(context, "connections");
	uint32_t capacity = open_limit(wanted);
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = LISTENER };
	int r;

	if (capacity < wanted)
		weir_log(WEIR_LOG_WARNING,
			 "at most %u connections, not %llu: a process may have no more files open (ulimit -n)",
			 capacity, (unsigned long long)wanted);
	r = connections_open(&state->all, context, capacity);
	/* One that goes and comes again in one turn may stand there twice. */
	state->replying = calloc(capacity + BUDGET + EVENTS, sizeof(*state->replying));
	state->half_line_ns = (uint64_t)weir_option_integer(context, "half_line");
	if (r == 0 && !state->replying)
		r = error_origin(-ENOMEM);
	if (r == 0)
		r = listener_open(&state->listener, context);
	if (r != 0)
		return r;
	state->all.local = state->listener.local;
	state->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (state->epoll < 0 || epoll_ctl(state->epoll, EPOLL_CTL_ADD, state->listener.fd, &event))
		return error_origin(-errno);
	state->accepting = true;
	return 0;
}

static int sockets_open(struct weir_context *context, void **ret_state)
{
	struct sockets *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->listener.fd = state->epoll = -1;
	r = sockets_attach(state, context);
	if (r != 0) {
		sockets_close(context, state);
		return r;
	}
	*ret_state = state;
	return 0;
}

/* ---- replies ---- */

static void note_replies(struct sockets *state, struct connection *connection)
{
	if (connection->replying || !connection->replies_bytes)
		return;
	connection->replying = true;
	state->replying[state->n_replying++] = (uint32_t)(connection - state->all.at);
}

static int drop(struct sockets *state, struct connection *connection, const char *why)
{
	state->full_said = false;
	return connection_drop(&state->all, connection, why);
}

static int send_replies(struct sockets *state, struct connection *connection)
{
	int r = connection_reply(connection);

	if (r == CONNECTION_E_EMPTY) {
		bool reads = !connection->closing && connection->replies_bytes < REPLIES_MAX_BYTES;

		watch_connection(state, connection, EPOLLOUT | (reads ? EPOLLIN : 0));
		return 0;
	}
	if (r == CONNECTION_E_END || connection->closing)
		return drop(state, connection, "the connection was closed by its other end");
	watch_connection(state, connection, EPOLLIN);
	return 0;
}

/* At the beginning of a turn all that was emitted is committed. */
static int send_all_replies(struct sockets *state)
{
	uint32_t n = state->n_replying;
	int r = 0;

	state->n_replying = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct connection *connection = &state->all.at[state->replying[i]];
		int status;

		if (connection->fd < 0 || !connection->replying)
			continue;
		connection->replying = false;
		status = send_replies(state, connection);
		r = r == 0 ? status : r;
	}
	return r;
}

/* ---- events ---- */

/* Out of descriptors, or of memory: those who wait have to wait. */
static int accept_failed(struct sockets *state, int error)
{
	if (error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM)
		return 0;
	if (!state->short_said)
		weir_log(WEIR_LOG_WARNING,
			 "cannot accept a connection: %s; those that wait are accepted when that is over",
			 strerror(error));
	state->short_said = true;
	state->accept_ns = clock_now_ns() + ACCEPT_PAUSE_NS;
	return watch_listener(state, false);
}

static int accept_some(struct sockets *state)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		char peer[LISTENER_PEER_SIZE];
		struct connection *connection;
		int fd;

		if (state->all.n == state->all.capacity) {
			if (!state->full_said)
				weir_log(
					WEIR_LOG_WARNING,
					"there are %u connections, which is all there may be: others wait until one ends",
					state->all.capacity);
			state->full_said = true;
			state->accept_ns = 0;
			return watch_listener(state, false);
		}
		fd = listener_accept(&state->listener, peer);
		if (fd == -EAGAIN)
			return 0;
		if (fd < 0)
			return accept_failed(state, -fd);
		state->short_said = false;
		connection = connections_add(&state->all, fd, peer);
		watch_connection(state, connection, EPOLLIN);
		if (!connection->events)
			(void)drop(state, connection, NULL);
	}
	return 0;
}

static int may_accept_again(struct sockets *state, uint64_t now_ns)
{
	if (state->accepting || state->all.n == state->all.capacity || now_ns < state->accept_ns)
		return 0;
	return watch_listener(state, true);
}

/* Returns 0: it has had its turn; else what produce() returns. */
static int read_some(struct sockets *state, struct connection *connection, unsigned *budget)
{
	int r = connection_read(&state->all, connection, budget);

	if (connection->fd >= 0)
		note_replies(state, connection);
	if (r == CONNECTION_E_EMPTY)
		return 0;
	if (r != CONNECTION_E_END)
		return r;
	if (connection->fd < 0)
		return 0;
	if (!connection->replies_bytes)
		return drop(state, connection, NULL);
	connection->closing = true; /* it has said all, and waits for its answers */
	watch_connection(state, connection, EPOLLOUT);
	return 0;
}

static int handle(struct sockets *state, const struct epoll_event *event, unsigned *budget)
{
	struct connection *connection;

	if (event->data.u32 == LISTENER)
		return state->accepting ? accept_some(state) : 0;
	connection = &state->all.at[event->data.u32];
	if (connection->fd < 0)
		return 0;
	if (!connection->replying && connection->replies_bytes && event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		return send_replies(state, connection);
	if (connection->closing || !(connection->events & EPOLLIN))
		return 0;
	return read_some(state, connection, budget);
}

/* A line that has been begun so long ago; unless its rest has come, and it was us who had no time. */
static int drop_half_lines(struct sockets *state, uint64_t now_ns)
{
	while (state->half_line_ns && state->all.oldest != CONNECTION_NONE) {
		struct connection *connection = &state->all.at[state->all.oldest];
		char byte;
		int r;

		if (now_ns < connection->since_ns + state->half_line_ns ||
		    recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			return 0;
		r = drop(state, connection, "its end has not come within `half_line`");
		if (r != 0)
			return r;
	}
	return 0;
}

static uint64_t wake_ns(const struct sockets *state)
{
	uint64_t wake = state->accepting ? 0 : state->accept_ns;

	if (state->n_replying)
		return 1; /* as soon as the commit is done */
	if (state->half_line_ns && state->all.oldest != CONNECTION_NONE)
		wake = deadline_earlier(wake, state->all.at[state->all.oldest].since_ns + state->half_line_ns);
	return wake;
}

static int look(struct sockets *state, struct weir_context *context)
{
	int r = may_accept_again(state, clock_now_ns()), n;

	if (r != 0)
		return r;
	n = epoll_wait(state->epoll, state->events, EVENTS, 0);
	if (n < 0 && errno != EINTR)
		return error_origin(-errno);
	state->n_events = n > 0 ? n : 0;
	state->next_event = 0;
	if (n > 0)
		return 0;
	weir_watch(context, state->epoll, POLLIN, wake_ns(state));
	return WEIR_WAIT;
}

static int sockets_begin(struct sockets *state)
{
	uint64_t now_ns = clock_now_ns();
	int r;

	state->committed = false;
	r = send_all_replies(state);
	return r == 0 ? drop_half_lines(state, now_ns) : r;
}

static int sockets_produce(struct weir_context *context, void *data)
{
	struct sockets *state = data;
	unsigned budget = BUDGET;
	int r = sockets_begin(state);

	while (r == 0 && budget) {
		if (state->next_event == state->n_events) {
			r = look(state, context);
			continue;
		}
		r = handle(state, &state->events[state->next_event], &budget);
		if (r == 0) {
			state->next_event++;
			budget -= budget > 0; /* an event costs something, too */
		}
	}
	return r == 0 ? WEIR_MORE : r;
}

static int sockets_flush(struct weir_context *context, void *data)
{
	struct sockets *state = data;

	(void)context;
	state->committed = true;
	return 0;
}

static void sockets_close(struct weir_context *context, void *data)
{
	struct sockets *state = data;

	(void)context;
	if (!state)
		return;
	/* What the last turn has committed is told before the connections go: nobody calls produce() any more. */
	if (state->committed)
		(void)send_all_replies(state);
	connections_close(&state->all);
	fd_close(state->epoll);
	listener_close(&state->listener);
	free(state->replying);
	free(state);
}

const struct weir_stage sockets_source_callbacks = {
	.open = sockets_open,
	.produce = sockets_produce,
	.flush = sockets_flush,
	.close = sockets_close,
};
