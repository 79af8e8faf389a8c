/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that can be read only once (a pipe, a socket, a terminal), moved into a spool that outlives the worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arrival {
	int from;  /* borrowed */
	int spool; /* borrowed */
	bool is_pipe;
	uint64_t end; /* bytes that have arrived in all; offset in the spool */
};

enum {
	ARRIVAL_E_EMPTY = 1, /* nothing to read now */
	ARRIVAL_E_END = 2,   /* end of the stream */
};

/*
 * Finds out how much has arrived in the life of earlier workers; what lies before offset `done` is known to have. Returns 0 or -errno.
 */
int arrival_open(struct arrival *arrival, int from, int spool, uint64_t done);

/* Moves what is there now, at most about a megabyte. Does not block. Returns 0 (arrival->end has grown), ARRIVAL_E_*, -errno. */
int arrival_take(struct arrival *arrival);

/* Gives back the memory of the bytes in [from, to). */
void arrival_forget(const struct arrival *arrival, uint64_t from, uint64_t to);
