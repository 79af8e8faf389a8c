/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping and waking; serving the control plane meanwhile. */
#pragma once

#include <poll.h>

#include "worker/worker.h"

/*
 * Sleeps until one of `events` (ARM_DATA: an input has an item or has closed; ARM_SPACE: the outputs that are waited for have
 * room for need_bytes), the watch fires, a run is due (not inside a callback), or there is news from the supervisor.
 * events 0: only the others. Bounded to a second. Returns 0: look again; WEIR_CANCELLED. Does not come back if the
 * supervisor is dead.
 */
int wait_sleep(struct worker *worker, uint32_t events, uint64_t need_bytes);

/* The same for room, or for what the stage watches. */
int wait_watching(struct worker *worker, uint64_t need_bytes);

enum {
	WAIT_E_NOTHING = 201, /* the next wait_sleep() for data need not look first */
	WAIT_E_OTHER = 202,   /* something else to see to */
};

/* A new order in the middle of a turn: a cancel ends the work; any other the turn, for the next begins with saying that it was seen. */
static inline int wait_ordered(uint32_t order)
{
	return order >= BOARD_CANCEL ? WEIR_CANCELLED : WAIT_E_OTHER;
}

/*
 * For a turn that has found nothing: looks again and again, before any sleep, for an item that take_plain() would find. Returns 0: one has
 * come; WAIT_E_*.
 */
int wait_for_plain(struct worker *worker);

/*
 * Looks, without sleeping, whether the watch has fired; then produce() is wanted. For a worker that has no reason to sleep. Returns 0,
 * WEIR_CANCELLED, -errno.
 */
int wait_look(struct worker *worker);

/* What a channel call sleeps for: any of it. */
struct wait_request {
	uint32_t events;                                          /* ARM_*, for neighbours to ring for */
	uint64_t need_bytes;                                      /* ARM_SPACE */
	bool (*is_over)(struct worker *worker, const void *data); /* changes nothing */
	const void *data;
	struct pollfd *fds; /* revents are set on return, if it slept; else stay */
	size_t n_fds;
	uint64_t wake_ns; /* 0: none */
	uint32_t
		input_number; /* ARM_DATA: of this input alone, counted from 1; 0: of any. For people: it decides nothing */
};

/*
 * Sleeps once, at most a second: may come back for nothing. Returns 0: look again, and at the clock; WEIR_CANCELLED; -errno. Does not
 * come back if the supervisor is dead.
 */
int wait_for_request(struct worker *worker, const struct wait_request *request);

/* weir_wait(): for a stage that waits inside a callback. Same returns. */
int wait_for_stage(struct worker *worker, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns);

/* Looks at the board: acknowledges a new order. Returns 0 or WEIR_CANCELLED. One or two loads when there is no news. */
int wait_check_order(struct worker *worker);

/* Sleeps for news from the supervisor, at most a second, before the pipeline runs. Returns 0 or -errno. */
int wait_for_start(struct worker *worker);
