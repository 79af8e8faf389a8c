/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients of the http source: what they send, and what they are answered, with turns of the stage meanwhile. Over sockets of
 * socket_test.h.
 */
#pragma once

#include "tests/unit/worker/sources/socket_test.h"

/* Everything is set but what a test sets itself; it listens at a port of its own. */
void http_host_init(struct fake_host *host);

/* A POST of this body to /, whole. */
void http_post(int fd, const char *body);
/* The next answer, whole, within a few seconds; "": the connection was closed. Static. */
const char *http_hear(struct fake_host *host, int fd);
/* One turn, and whether there is a byte of an answer. */
bool http_is_answered(struct fake_host *host, int fd);
