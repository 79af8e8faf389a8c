/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: who may ask, how much and for how long. Only GET and HEAD; each connection has a thread of its own, which may wait, so there are
 * SERVER_CONNECTIONS_MAX at most.
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"
#include "console/listener.h"
#include "console/routes.h"

#define SERVER_CONNECTIONS_MAX 64u
#define SERVER_HEADER_BYTES 16384u
/* So long a request may take, from its first byte to the last one of its answer, and a connection may lie idle. */
#define SERVER_REQUEST_NS (15 * NS_PER_S)

struct server;

/* Serves from now on, in threads. console and listener are borrowed. Returns 0 or -errno. */
int server_new(const struct console *console, const struct listener *listener, struct server **ret_server);
/* Cuts all connections off and waits for their threads, two seconds or so at most. Fine on NULL. */
struct server *server_free(struct server *server);
/* Cuts off whose time is up. Call it each second or so. */
void server_expire(struct server *server, uint64_t now_ns);
