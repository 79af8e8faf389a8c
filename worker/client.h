/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's end of the control plane: one DEALER to the supervisor. Single-threaded; nothing here ever waits, except
 * client_close() for at most 200 ms. The truth about orders stands on the board; a message says who and why.
 *
 * The rule for sleeping: client_fd() tells of new messages only once, and sending may swallow what it tells. So before each poll:
 *
 *     while (client_unread(client) && client_receive(client, &message) == 0)
 *             handle(&message);
 *     poll(... client_fd(client), POLLIN ...);
 *     if (revents of client_fd)
 *             client_rang(client);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/message.h"
#include "common/wire/socket.h"

struct client;
struct heritage;

/*
 * Connects to heritage->control_endpoint (copies what it needs of the heritage). Says nothing yet. Messages sent before the
 * connection stands are queued. Never before fork: make it in the process that uses it. Returns 0 and the client, or -errno.
 */
int client_open(const struct heritage *heritage, struct client **ret_client);

/* Closes; waits until what was sent is out, at most 200 ms. Fine on NULL. Always returns NULL. */
struct client *client_close(struct client *client);

/* For poll(2), POLLIN; owned by the client. Edge-triggered: see the rule above. */
int client_fd(const struct client *client);
/* poll(2) said that client_fd() is readable. */
void client_rang(struct client *client);
/* True if client_receive() may have something: call it until it says WIRE_E_NOTHING before going to sleep. No system call. */
bool client_unread(const struct client *client);

/*
 * The next message of the supervisor (DRAIN, CANCEL, DEADLINE, QUERY: nothing else comes out of here; bad ones are thrown
 * away and counted). Its strings live until the next call. Returns 0; WIRE_E_NOTHING; -errno.
 */
int client_receive(struct client *client, struct message *ret_message);
/* Messages thrown away so far. */
uint64_t client_refused(const struct client *client);

/* What a worker says. All return 0; WIRE_E_BUSY (queue full: the supervisor does not read); -errno. They never block. */
int client_send_hello(struct client *client);
int client_send_ready(struct client *client);
/*
 * status: 0, a weir_status, or a negative errno, which travels as its 64-bit two's complement; reason, option: NULL or text (cut
 * to 4 KiB, repaired to UTF-8).
 */
int client_send_bye(struct client *client, int status, const char *reason, const char *option);
/* An order (enum board_order) has been seen; nothing of what it forbids starts after this; seen_ns: when. */
int client_send_ack(struct client *client, uint32_t order, uint64_t seen_ns);
/* Scopes that were cancelled up to this epoch have been seen; no item of theirs starts after this. */
int client_send_scopes(struct client *client, uint32_t epoch);
/* The stage wants the scope to be cancelled. */
int client_send_scope_cancel(struct client *client, uint64_t scope, uint32_t cause);
/* In answer to QUERY, or when the board says at_rest: the state's name, and a sentence about it or NULL. */
int client_send_status(struct client *client, const char *state, const char *detail);
