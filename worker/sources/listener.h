/* SPDX-License-Identifier: Apache-2.0 */
/* A socket that listens: TCP at the option `listen`, or a Unix socket at the option `path`; or the one that weir was started with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

struct listener {
	int fd; /* -1: none */
	bool local;
	char *path; /* local: of the socket that is ours to remove; owned */
	uint64_t device, inode;
};

/*
 * Binds and listens. Returns 0; WEIR_FAILED after weir_fail(): the address can't be had; -EADDRINUSE: a later generation finds it taken,
 * for a moment perhaps; -errno. May block on the look-up of a name.
 */
int listener_open(struct listener *listener, struct weir_context *context);
void listener_close(struct listener *listener);

/*
 * Makes way for a Unix socket at that path: a socket that nobody listens at is removed. Returns 0; -EADDRINUSE: somebody does; -EEXIST: it
 * is no socket; -errno.
 */
int listener_clear_way(const char *path);

#define LISTENER_PEER_SIZE 64u
/* Accepts one connection, which does not block. Returns its fd and who it is, or -errno: -EAGAIN: nobody waits. */
int listener_accept(const struct listener *listener, char ret_peer[LISTENER_PEER_SIZE]);
