/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose replies the pipeline makes: who asked, until when he waits, and the replies as they come. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/zmq/envelope.h"
#include "worker/zmq/messenger.h"
#include "worker/zmq/way.h"

#define REQUESTS_NONE UINT32_MAX
#define REQUESTS_SINKS_MAX 256u

struct requests {
	const struct messenger *clients; /* not owned */
	struct messenger way;
	struct request {
		struct envelope envelope;
		uint64_t number; /* 0: nobody's */
		uint64_t until_ns;
		uint32_t older, newer; /* newer also: the next free one */
	} * at;
	uint32_t n_max, n_used, free, oldest, newest;
	uint64_t session, next_number, within_ns;
	uint64_t over_ns;  /* by when it is over, whatever comes; 0: it goes on */
	uint64_t quiet_ns; /* behind the end, by when it is over if no sink is heard of; 0: it does not matter */
	bool comes_after;  /* another worker: not all sinks have been heard of, for they say who they are once */
	/* Workers that have replies to give, as far as they have been heard of. */
	struct requests_sink {
		uint64_t stage;
		uint32_t worker;
		bool has_ended;
	} sinks[REQUESTS_SINKS_MAX];
	uint32_t n_sinks;
	uint64_t n_lost; /* clients that were gone, or took nothing */
};

/*
 * Reads the options `within` and `requests`, and opens the way back. Returns 0; WEIR_FAILED after weir_fail(); -errno. `clients` is the
 * socket that has them.
 */
int requests_open(struct requests *requests, struct weir_context *context, const struct messenger *clients);
/* Fine on one that is all zero. */
void requests_close(struct requests *requests);

/* So many are under way that no more can be taken. */
bool requests_are_full(const struct requests *requests);

/* What is emitted next is the next request: it takes along where its reply goes, and by when. Returns 0 or what weir_baggage_set() says. */
int requests_address(struct requests *requests, struct weir_context *context);
/* It was emitted, and came from there. There must be room. */
void requests_add(struct requests *requests, const struct weir_context *context, const struct envelope *envelope);

/*
 * Hands out the replies that have come, and tells those for whom none has come in time. Never blocks. Returns 0 or -errno.
 */
int requests_serve(struct requests *requests, struct weir_context *context);
/* By when to look again; 0: no need. */
uint64_t requests_wake_ns(const struct requests *requests);

/* The stream has ended. True: no reply will come any more, or none that anybody waits for. */
bool requests_are_over(struct requests *requests, const struct weir_context *context);
/* It has not. */
void requests_go_on(struct requests *requests);
/* Tells all that are left that it is over. */
void requests_end(struct requests *requests);
