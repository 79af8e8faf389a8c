/* SPDX-License-Identifier: Apache-2.0 */
/* Where the console listens: unix:PATH or HOST:PORT; and which Host a request over TCP may name. */
#pragma once

#include <stdbool.h>

#include "common/base/text.h"

#define LISTENER_HOSTS_MAX 8u

struct listener {
	int fd;
	char *path; /* unix: removed at the end; NULL: TCP */
	char *said; /* where that is, for people */
	const char *hosts[LISTENER_HOSTS_MAX];
	unsigned n_hosts;
};

/*
 * Opens it. A unix socket is 0600; one that nobody listens at is replaced. Keeps `hosts`. Returns 0, or -1 with a sentence in `why`. May
 * block on the look-up of a name.
 */
int listener_open(struct listener *listener, const char *where, struct text *why);
void listener_close(struct listener *listener);

/*
 * Whether a request with that Host (NULL: none) may be answered: over TCP only addresses, localhost and names that were given, so that a
 * page from elsewhere whose name leads here (DNS rebinding) gets nothing. Pure.
 */
bool listener_takes_host(const struct listener *listener, const char *host);
