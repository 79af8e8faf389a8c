/* SPDX-License-Identifier: Apache-2.0 */
/* A ZeroMQ socket of a stage, with a context of its own. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>
#include <zmq.h>

#define MESSENGER_PATHS_MAX 16u

struct messenger {
	void *zmq, *socket; /* NULL: none */
	/* Names of sockets in the file system, which are ours to remove. */
	struct messenger_path {
		const char *name; /* in the options */
		uint64_t device, inode;
	} paths[MESSENGER_PATHS_MAX];
	uint32_t n_paths;
};

/*
 * A context with one socket of that type (ZMQ_PULL ...), neither bound nor connected, with the bounds that the options `queue` and, as far
 * as the kind has them, `size_max` and `linger` say. Returns 0 or -errno. May be called for several.
 */
int messenger_open(struct messenger *messenger, struct weir_context *context, int type);
/* Closes both. What was sent may take `linger` to leave: so long it blocks. Fine on one that is all zero, and twice. */
void messenger_close(struct messenger *messenger);

/*
 * Binds and connects as the options `bind` and `connect` say. Returns 0; WEIR_FAILED after weir_fail(): an address can't be had;
 * -EADDRINUSE: a later generation finds it taken, for a moment perhaps; -errno.
 */
int messenger_attach(struct messenger *messenger, struct weir_context *context);
/* Binds to this address alone; returns as above. */
int messenger_bind(struct messenger *messenger, struct weir_context *context, const char *endpoint);

/* An option of the socket that is a number. Returns 0 or -errno. */
int messenger_set(struct messenger *messenger, int option, int value);

/*
 * Readable, for poll(2), once something has happened; any call may swallow that. So sleep on it only after messenger_can() has said no.
 * Owned by the socket.
 */
int messenger_fd(const struct messenger *messenger);
/* Whether it can be received from (ZMQ_POLLIN) or sent to (ZMQ_POLLOUT) now. Hears what has happened meanwhile. */
bool messenger_can(const struct messenger *messenger, short what);

enum {
	MESSENGER_E_EMPTY = 320, /* nothing to receive now */
	MESSENGER_E_FULL = 321,  /* nobody takes more now, or nobody is there */
	MESSENGER_E_GONE = 322,  /* ROUTER: no such peer any more */
};
/* The next part. Never blocks. Returns 0, MESSENGER_E_EMPTY, -errno. */
int messenger_receive(const struct messenger *messenger, zmq_msg_t *part);
/* Takes the part (it is empty then), if it returns 0. Never blocks. Returns 0, MESSENGER_E_FULL, MESSENGER_E_GONE, -errno. */
int messenger_send(const struct messenger *messenger, zmq_msg_t *part, bool more);
/* The same with a copy of these bytes. Returns as it does, or -ENOMEM. */
int messenger_send_copy(const struct messenger *messenger, const void *bytes, size_t n, bool more);

/* check(): complains of addresses in that option that can't be used so. Returns 0 or WEIR_FAILED. */
int messenger_check_addresses(struct weir_context *context, const char *option);
