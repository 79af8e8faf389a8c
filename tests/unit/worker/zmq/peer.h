/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of the zmq stages: plain sockets of libzmq, in this process, as programs of others would have them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/worker/fake_host.h"

/* Hosts whose options are set as the defaults say, but for `type`, and `bind` or `connect`: at the ipc address `name`; NULL: neither. */
void zmq_source_init(struct fake_host *host, const char *type, const char *bind, const char *connect);
void zmq_sink_init(struct fake_host *host, const char *type, const char *bind, const char *connect);
/* The ipc address of that name in the folder of stage_test.h; static, good for the next three calls. */
const char *peer_address(const char *name);

/*
 * A peer's socket, bound or connected; type: ZMQ_PUSH ... peer_deinit() closes all of them. Waits at most some seconds wherever it waits.
 */
void *peer_bind(int type, const char *address);
/* One that keeps one message, and takes no more. */
void *peer_bind_slow(int type, const char *address);
void *peer_connect_to(int type, const char *address);
/* The same, bound to any free port of 127.0.0.1. */
void *peer_bind_tcp(int type, char *ret_address, size_t size);
void peer_close(void *peer);
void peer_deinit(void);

void peer_says(void *peer, const char *text);
/* A message of several parts; NULL ends them. */
void peer_says_parts(void *peer, const char *const *parts);
void peer_says_bytes(void *peer, const void *bytes, size_t n, bool more);
/* The next part. Fails the test if none comes. Returns whether more follow. */
bool peer_hears(void *peer, char *text, size_t size);
/* Nothing comes for some time. */
bool peer_hears_nothing(void *peer);

/* Turns until there are so many items, or dead letters; then until there is nothing to do. Fails the test if that never comes. */
void zmq_turns(struct fake_host *host, uint64_t n_items);
void zmq_turns_refused(struct fake_host *host, uint64_t n_refused);
