/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why there is a rule for sleeping: ZeroMQ's descriptor becomes readable when its I/O thread has put something into the socket's
 * mailbox, and the next call of any kind, a send too, empties the mailbox. So poll(2) alone misses a message that arrived while
 * something was being sent. `unread` remembers that such a call was made; only WIRE_E_NOTHING from a receive clears it.
 *
 *   supervisor --> I/O thread --> mailbox --> fd readable --> poll wakes --> client_rang: unread = true --> client_receive ...
 *                                    |
 *                                    '--- emptied by client_send_*: fd silent, but unread = true -----------> client_receive ...
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/wire/heritage.h"
#include "worker/client.h"

#define TEXT_SIZE_MAX 4096u /* bytes of a reason or detail */

struct client {
	void *context, *socket;
	int fd;
	bool unread;
	uint64_t refused;
	char *buffer; /* of the last message received */
	uint64_t slot, generation;
	uint8_t token[HERITAGE_TOKEN_SIZE];
};

int client_open(const struct heritage *heritage, struct client **ret_client)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return error_origin(-ENOMEM);
	client->slot = heritage->slot;
	client->generation = heritage->generation;
	memcpy(client->token, heritage->token, sizeof(client->token));
	r = wire_context_open(1, &client->context);
	if (!r)
		r = wire_socket_open(client->context, WIRE_WORKER, &client->socket);
	if (!r && zmq_connect(client->socket, heritage->control_endpoint))
		r = error_origin(-errno);
	if (r) {
		client_close(client);
		return error_trace(r);
	}
	client->fd = wire_fd(client->socket);
	client->unread = true;
	*ret_client = client;
	return 0;
}

struct client *client_close(struct client *client)
{
	if (!client)
		return NULL;
	if (client->socket)
		zmq_close(client->socket);
	/* Waits for the socket's LINGER; after a signal it wants to be called again. */
	while (client->context && zmq_ctx_term(client->context) && errno == EINTR)
		;
	free(client->buffer);
	free(client);
	return NULL;
}

int client_fd(const struct client *client)
{
	return client->fd;
}

void client_rang(struct client *client)
{
	client->unread = true;
}

bool client_unread(const struct client *client)
{
	return client->unread;
}

uint64_t client_refused(const struct client *client)
{
	return client->refused;
}

int client_receive(struct client *client, struct message *ret_message)
{
	for (;;) {
		struct message message;
		char *buffer = NULL;
		int r = wire_receive(client->socket, WIRE_SIZE_MAX, NULL, &message, &buffer);

		if (r == WIRE_E_NOTHING)
			client->unread = false;
		if (r == WIRE_E_NOTHING || r < 0)
			return r;
		if (r > 0 || message_direction(message.type) != MESSAGE_DOWN) {
			client->refused++;
			free(buffer);
			continue;
		}
		free(client->buffer);
		client->buffer = buffer;
		*ret_message = message;
		return 0;
	}
}

static int say(struct client *client, const struct message *message)
{
	client->unread = true;
	return wire_send(client->socket, message);
}

int client_send_hello(struct client *client)
{
	struct message message = { .type = MESSAGE_HELLO };

	message.hello.slot = client->slot;
	message.hello.generation = client->generation;
	message.hello.pid = (uint64_t)getpid();
	message.hello.token = (struct message_bytes){ (const char *)client->token, sizeof(client->token) };
	return say(client, &message);
}

int client_send_ready(struct client *client)
{
	struct message message = { .type = MESSAGE_READY };

	message.ready.slot = client->slot;
	return say(client, &message);
}

int client_send_ack(struct client *client, uint32_t order, uint64_t seen_ns)
{
	struct message message = { .type = MESSAGE_ACK };

	message.ack.slot = client->slot;
	message.ack.order = order;
	message.ack.seen_ns = seen_ns;
	return say(client, &message);
}

int client_send_scopes(struct client *client, uint32_t epoch)
{
	struct message message = { .type = MESSAGE_SCOPES };

	message.scopes.slot = client->slot;
	message.scopes.epoch = epoch;
	return say(client, &message);
}

int client_send_scope_cancel(struct client *client, uint64_t scope, uint32_t cause)
{
	struct message message = { .type = MESSAGE_SCOPE_CANCEL };

	message.scope_cancel.slot = client->slot;
	message.scope_cancel.scope = scope;
	message.scope_cancel.cause = cause;
	return say(client, &message);
}

/* A stage's words need not be UTF-8 and have no limit; the wire's must and have. */
static struct message_bytes repaired(const char *string, struct text *text)
{
	size_t n = string ? strlen(string) : 0;

	for (size_t i = 0; i < n && text->length < TEXT_SIZE_MAX;) {
		size_t length = text_utf8_length((const unsigned char *)string + i, n - i);

		if (length)
			text_add_bytes(text, string + i, length);
		else
			text_add(text, "\xef\xbf\xbd");
		i += length ? length : 1;
	}
	return (struct message_bytes){ text_get(text), text->length };
}

int client_send_bye(struct client *client, int status, const char *reason, const char *option)
{
	_cleanup_(text_deinit) struct text reason_text = TEXT_NULL, option_text = TEXT_NULL;
	struct message message = { .type = MESSAGE_BYE };

	message.bye.slot = client->slot;
	message.bye.status = (uint64_t)(int64_t)status;
	message.bye.reason = repaired(reason, &reason_text);
	message.bye.option = repaired(option, &option_text);
	return say(client, &message);
}

int client_send_status(struct client *client, const char *state, const char *detail)
{
	_cleanup_(text_deinit) struct text state_text = TEXT_NULL, detail_text = TEXT_NULL;
	struct message message = { .type = MESSAGE_STATUS };

	message.status.slot = client->slot;
	message.status.state = repaired(state, &state_text);
	message.status.detail = repaired(detail, &detail_text);
	return say(client, &message);
}
