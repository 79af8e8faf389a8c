/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of the socket sources: peers that connect, send, wait for answers and go, and turns of the stage meanwhile. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/worker/fake_host.h"

/* Everything is set but what a test sets itself; the socket is `name` in the folder of stage_test.h; NULL: TCP, at a port of its own. */
void socket_host_init(struct fake_host *host, const char *name);

/* A peer. The stage listens. */
/* The descriptor that listens at that path, in this process. */
int socket_of(const char *name);
int peer_connect(const char *name);
void peer_send(int fd, const char *text);
void peer_send_bytes(int fd, const void *bytes, size_t n);
/* What the stage has answered until now, up to so many bytes, within a few seconds; NUL-terminated in `text`. */
void peer_hear(struct fake_host *host, int fd, char *text, size_t n_bytes);
void peer_reset(int fd); /* closes it, as if the cable was cut */

/* Turns until there are so many items, and then until there is nothing to do. Fails the test if that never comes. */
void socket_turns(struct fake_host *host, uint64_t n_items);
/* The same until so many have been refused. */
void socket_turns_refused(struct fake_host *host, uint64_t n_refused);
/* Turns for so long. */
void socket_turns_for(struct fake_host *host, uint64_t time_ns);
