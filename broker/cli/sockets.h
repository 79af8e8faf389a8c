/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets that weir was started with (socket activation: LISTEN_FDS, LISTEN_FDNAMES), and which source each is for. */
#pragma once

#include <stddef.h>

#include "broker/spec/plan.h"
#include "common/base/text.h"

/* Descriptors and their names, as the environment says it. */
struct sockets {
	int *fds;     /* owned list; the descriptors are the process's */
	char **names; /* owned; "unknown": none was said */
	size_t n;
	int *of_stage; /* owned; by stage: its descriptor, or -1. NULL: nothing was handed over */
};
#define SOCKETS_NULL \
	{            \
		0    \
	}

/*
 * What this process was started with, but for what it has given to systemd itself to keep (broker/keep/keep.h). Returns 0, -ENOMEM, or
 * what sd_listen_fds_with_names() says of an environment that makes no sense.
 */
int sockets_take(struct sockets *sockets);
void sockets_deinit(struct sockets *sockets);

/* Where the stage listens, as its spec says it: `listen` or `path`. NULL: it is no built-in source that listens. */
const char *sockets_address(const struct plan_stage *stage);

/*
 * Finds for each the source that listens there: the one whose name is the socket's, or else the one with its address. Returns 0,
 * sockets->of_stage; SOCKETS_E_WRONG: one of them fits no source, or not the one of its name, or two are for one: `why` says
 * which, and what to do; -ENOMEM.
 */
enum { SOCKETS_E_WRONG = 1 };
int sockets_assign(struct sockets *sockets, const struct plan *plan, struct text *why);
