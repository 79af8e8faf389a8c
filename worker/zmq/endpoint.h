/* SPDX-License-Identifier: Apache-2.0 */
/* An address of ZeroMQ's, as a spec says it: tcp://HOST:PORT or ipc://PATH. */
#pragma once

#include <stdbool.h>

enum endpoint_use { ENDPOINT_BIND, ENDPOINT_CONNECT };

/* NULL: it may be used so; else what is wrong with it, and what to write instead; static. Touches nothing. Pure. */
const char *endpoint_wrong(const char *endpoint, enum endpoint_use use);

/* The path of an ipc:// address that has a place in the file system; NULL: it has none. Points into it. */
const char *endpoint_path(const char *endpoint);

/* Its host is a number of IPv6. */
bool endpoint_is_ipv6(const char *endpoint);

/* What a person can do about this errno of zmq_bind() or zmq_connect(); static. */
const char *endpoint_advice(int error);
