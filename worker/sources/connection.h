/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that come over a connection, and a word back for each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/sources/line_feed.h"
#include "worker/sources/listener.h"

#define CONNECTION_CHUNK_BYTES ((size_t)65536)
#define CONNECTION_NONE UINT32_MAX

struct connection {
	int fd; /* -1: this place is free */
	char peer[LISTENER_PEER_SIZE];
	uint64_t line; /* lines that have come */
	char *half;    /* of the line that has no end yet; owned */
	size_t half_bytes, half_capacity;
	uint64_t long_bytes;     /* 0, or so many bytes have come of a line that is too long; `half` is its beginning */
	uint64_t since_ns;       /* its first byte came then */
	uint32_t before, behind; /* in the list of those that have half a line, the oldest first */
	bool has_half;

	char *replies; /* owned */
	size_t replies_bytes, replies_capacity;
	bool replying;   /* it is in the list of those that have replies */
	bool closing;    /* nothing more is read; it is closed when the replies are away */
	uint32_t events; /* that epoll tells of it */
};

/* What all connections of a stage have in common. */
struct connections {
	struct weir_context *context;
	struct connection *at; /* capacity of them; owned */
	uint32_t capacity, n;
	uint32_t *free;                    /* a stack of the places that are free; owned */
	uint32_t oldest, youngest;         /* of those that have half a line */
	size_t half_bytes, half_bytes_max; /* memory for half lines */
	size_t line_max_bytes;
	enum line_too_long too_long;
	bool replies, local, decodes;
	char chunk[CONNECTION_CHUNK_BYTES];
};

int connections_open(struct connections *all, struct weir_context *context, uint32_t capacity);
void connections_close(struct connections *all);

/* A place for a new connection, or NULL: there are as many as there may be. */
struct connection *connections_add(struct connections *all, int fd, const char *peer);
/* Closes it. A line of it that has no end is a dead letter, if `why` says why; NULL: it is let go. Returns 0, WEIR_FAILED. */
int connection_drop(struct connections *all, struct connection *connection, const char *why);

enum {
	CONNECTION_E_EMPTY = 300, /* nothing more now */
	CONNECTION_E_END = 301,   /* it is over; connection_drop() is due when its replies are away */
};

/*
 * Emits lines as long as there is room, budget and input. What is not emitted stays in the socket. Does not block. Returns WEIR_MORE (no
 * room, no budget), CONNECTION_E_*, WEIR_FAILED, WEIR_CANCELLED, negative errno.
 */
int connection_read(struct connections *all, struct connection *connection, unsigned *budget);

/* Sends replies, whose lines have been committed. Returns 0: all are away; CONNECTION_E_EMPTY: some wait; CONNECTION_E_END: nobody. */
int connection_reply(struct connection *connection);
