/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   worker  --HELLO slot, token-->  ROUTER --> supervisor_hello() says yes: this peer speaks for the slot from now on
 *           --READY BYE ...------>         --> its peer? supervisor_message()  : refused and counted
 *           <--DRAIN CANCEL ------  control_server_send(slot)
 *   client  --REQUEST verb------->         --> request_answer() --REPLY json-->
 *
 * Who may speak is decided by the folder (0700), the socket (0600), the peer's uid, and for workers by the token. What is
 * said is decided by message_decode(). Whatever fails is thrown away and counted; nobody is told, nothing is closed.
 *
 * Waking. ZeroMQ's descriptor tells of a change once, and any call on the socket, a send too, may swallow that. So every use ends in
 * server_rearm(), which asks the socket itself whether there is something to receive, and if so comes back by a timer. The
 * descriptor is watched level-triggered, which can't miss what an edge would tell; it is quiet as soon as the mailbox is
 * empty, so an idle server never wakes.
 *
 * A flood. After MESSAGES_PER_DISPATCH the server stops listening for PAUSE_US, whatever waits; meanwhile the loop serves deaths,
 * timers and logs, of which control would otherwise be the first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/control/requests.h"
#include "broker/control/server.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"
#include "common/wire/socket.h"

#define SERVER_MAGIC UINT64_C(0x5245565245535257)
#define MESSAGES_PER_DISPATCH 64
#define PAUSE_US 1000u
#define LOG_PERIOD_NS (10 * NS_PER_S)
#define SOCKETS_MAX 4

struct control_server {
	uint64_t magic;
	sd_event_source *readable, *again;
	void *context, *socket;
	char *path, *endpoint;
	struct supervisor *supervisor; /* borrowed; NULL: not yet */
	struct wire_peer *peers;       /* by slot; size 0: nobody has said hello */
	uint32_t n_slots;
	struct request_counters counters;
	void (*log)(void *data, const char *line);
	void *log_data;
	uint64_t log_next_ns; /* 0: nothing was logged yet */
	uint64_t logged;      /* refusals that the log knows of */
};

static void refuse(struct control_server *server, const char *why)
{
	uint64_t now_ns = clock_now_ns();
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	server->counters.refused++;
	if (!server->log || now_ns < server->log_next_ns)
		return;
	text_printf(&line, "control socket: refused a message: %s", why);
	if (server->log_next_ns)
		text_printf(&line, " (%" PRIu64 " refused since the last such line, %" PRIu64 " in all)",
			    server->counters.refused - server->logged, server->counters.refused);
	server->log_next_ns = now_ns + LOG_PERIOD_NS;
	server->logged = server->counters.refused;
	server->log(server->log_data, text_get(&line));
}

static bool is_peer_of(const struct control_server *server, uint64_t slot, const struct wire_peer *peer)
{
	const struct wire_peer *known = slot < server->n_slots ? &server->peers[slot] : NULL;

	return known && known->size_bytes && known->size_bytes == peer->size_bytes &&
	       memcmp(known->bytes, peer->bytes, peer->size_bytes) == 0;
}

/* The slot that an UP message speaks for. */
static uint64_t slot_of(const struct message *message)
{
	switch (message->type) {
	case MESSAGE_HELLO:
		return message->hello.slot;
	case MESSAGE_READY:
		return message->ready.slot;
	case MESSAGE_BYE:
		return message->bye.slot;
	case MESSAGE_STATUS:
		return message->status.slot;
	case MESSAGE_ACK:
		return message->ack.slot;
	case MESSAGE_SCOPES:
		return message->scopes.slot;
	case MESSAGE_SCOPE_CANCEL:
		return message->scope_cancel.slot;
	default:
		return UINT64_MAX;
	}
}

static void serve_worker(struct control_server *server, const struct wire_peer *peer, const struct message *message)
{
	uint64_t slot = slot_of(message);

	if (!server->supervisor)
		refuse(server, "a worker's message before there are workers");
	else if (message->type != MESSAGE_HELLO && !is_peer_of(server, slot, peer))
		refuse(server, "it speaks for a worker but did not say hello");
	else if (message->type != MESSAGE_HELLO)
		supervisor_message(server->supervisor, (uint32_t)slot, message);
	else if (slot >= server->n_slots || !supervisor_hello(server->supervisor, message))
		refuse(server, "a hello from a process that was not invited");
	else
		server->peers[slot] = *peer;
}

static void serve_client(struct control_server *server, const struct wire_peer *peer,
			 const struct message_request *request)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct message reply = { .type = MESSAGE_REPLY };

	reply.reply.correlation = request->correlation;
	reply.reply.status = request_answer(server->supervisor, &server->counters, request, clock_now_ns(), &body);
	if (body.length > WIRE_REPLY_SIZE_MAX - 64) {
		text_clear(&body);
		text_add(&body, "{\"error\":\"the answer is too large for a message\"}");
		reply.reply.status = REQUEST_FAILED;
	}
	reply.reply.body = (struct message_bytes){ text_get(&body), body.length };
	if (wire_send_to(server->socket, peer, &reply) != 0)
		server->counters.dropped++;
}

static void serve(struct control_server *server, const struct wire_peer *peer, const struct message *message)
{
	switch (message_direction(message->type)) {
	case MESSAGE_UP:
		serve_worker(server, peer, message);
		break;
	case MESSAGE_ASK:
		serve_client(server, peer, &message->request);
		break;
	default:
		refuse(server, "only the supervisor may say that");
	}
}

static const char *refusal_name(int outcome)
{
	switch (outcome) {
	case WIRE_E_REFUSED + MESSAGE_E_VERSION:
		return "another version of the protocol; is that weir of the same version?";
	case WIRE_E_REFUSED + MESSAGE_E_UNKNOWN:
		return "an unknown type";
	default:
		return "it is malformed";
	}
}

/* Receives and serves at most so many. Returns true if there may be more. */
static bool serve_some(struct control_server *server, int n_max)
{
	for (int i = 0; i < n_max; i++) {
		struct wire_peer peer;
		struct message message;
		_cleanup_(free) char *buffer = NULL;
		int r = wire_receive(server->socket, WIRE_SIZE_MAX, &peer, &message, &buffer);

		if (r == WIRE_E_NOTHING)
			return false;
		if (r < 0) {
			refuse(server, zmq_strerror(-r));
			return true; /* not at once: it may be memory that is short */
		}
		if (r)
			refuse(server, refusal_name(r));
		else
			serve(server, &peer, &message);
	}
	return true;
}

/* Comes back after delay_us, and listens to the descriptor again only then. */
static void come_back(struct control_server *server, uint64_t delay_us)
{
	(void)sd_event_source_set_enabled(server->readable, SD_EVENT_OFF);
	(void)sd_event_source_set_time_relative(server->again, delay_us);
	(void)sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
}

static bool is_coming_back(const struct control_server *server)
{
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(server->again, &enabled);
	return enabled != SD_EVENT_OFF;
}

/* After any use of the socket: what it may have swallowed is asked for again. */
static void server_rearm(struct control_server *server)
{
	if (!is_coming_back(server) && wire_readable(server->socket))
		come_back(server, 0);
}

static void dispatch(struct control_server *server)
{
	if (serve_some(server, MESSAGES_PER_DISPATCH))
		come_back(server, PAUSE_US);
	else
		server_rearm(server);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct control_server *server = data;

	(void)source, (void)fd, (void)events;
	must(server->magic == SERVER_MAGIC);
	dispatch(server);
	return 0;
}

static int on_again(sd_event_source *source, uint64_t at_us, void *data)
{
	struct control_server *server = data;

	(void)source, (void)at_us;
	must(server->magic == SERVER_MAGIC);
	(void)sd_event_source_set_enabled(server->readable, SD_EVENT_ON);
	dispatch(server);
	return 0;
}

/* The socket must never be open to others, not even between bind() and chmod(). */
static int bind_private(struct control_server *server)
{
	mode_t before = umask(0177);
	struct stat st;
	int r = zmq_bind(server->socket, server->endpoint) ? error_origin(-errno) : 0;

	umask(before);
	if (r)
		return r;
	if (lstat(server->path, &st))
		return error_origin(-errno);
	return S_ISSOCK(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0777) == 0600 ? 0 : error_origin(-EPERM);
}

static int server_listen(struct control_server *server, sd_event *event)
{
	int r;

	r = wire_context_open(SOCKETS_MAX, &server->context);
	if (!r)
		r = wire_socket_open(server->context, WIRE_SERVER, &server->socket);
	if (!r)
		r = bind_private(server);
	if (!r)
		r = sd_event_add_io(event, &server->readable, wire_fd(server->socket), EPOLLIN, on_readable, server);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &server->again, CLOCK_MONOTONIC, 0, 1, on_again, server);
	return r < 0 ? error_trace(r) : 0;
}

int control_server_new(sd_event *event, const char *run_dir, uint32_t n_slots, struct control_server **ret_server)
{
	struct text path = TEXT_NULL, endpoint = TEXT_NULL;
	struct control_server *server;
	int r;

	if (strlen(run_dir) + strlen("/control") > WIRE_PATH_MAX)
		return error_origin(-ENAMETOOLONG);
	server = calloc(1, sizeof(*server));
	if (!server)
		return error_origin(-ENOMEM);
	server->magic = SERVER_MAGIC;
	server->n_slots = n_slots;
	server->peers = calloc(n_slots ? n_slots : 1, sizeof(*server->peers));
	text_printf(&path, "%s/control", run_dir);
	text_printf(&endpoint, "ipc://%s", text_get(&path));
	server->path = text_steal(&path);
	server->endpoint = text_steal(&endpoint);
	r = server->peers ? server_listen(server, event) : error_origin(-ENOMEM);
	if (r) {
		control_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct control_server *control_server_free(struct control_server *server)
{
	if (!server)
		return NULL;
	sd_event_source_disable_unref(server->readable);
	sd_event_source_disable_unref(server->again);
	if (server->socket) {
		zmq_close(server->socket);
		unlink(server->path);
	}
	while (server->context && zmq_ctx_term(server->context) && errno == EINTR)
		;
	free(server->path);
	free(server->endpoint);
	free(server->peers);
	server->magic = 0;
	free(server);
	return NULL;
}

void control_server_serve(struct control_server *server, struct supervisor *supervisor)
{
	server->supervisor = supervisor;
}

void control_server_log_to(struct control_server *server, void (*log)(void *data, const char *line), void *data)
{
	server->log = log;
	server->log_data = data;
}

const char *control_server_endpoint(const struct control_server *server)
{
	return server->endpoint;
}

bool control_server_send(struct control_server *server, uint32_t slot, const struct message *message)
{
	int r;

	if (slot >= server->n_slots || !server->peers[slot].size_bytes)
		return false;
	/* Who is gone stays known until the next hello: its last words may still lie in the queue. */
	r = wire_send_to(server->socket, &server->peers[slot], message);
	server_rearm(server);
	return r == 0;
}

uint64_t control_server_refused(const struct control_server *server)
{
	return server->counters.refused;
}
