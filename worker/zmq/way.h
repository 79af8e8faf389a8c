/* SPDX-License-Identifier: Apache-2.0 */
/* The way back: what the worker that has a client and one that has a reply for him say to each other. Both; main thread. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/zmq/messenger.h"

#define WAY_KEY "weir.reply" /* of the pair of an item's baggage that says where its reply goes */
#define WAY_WORKERS_MAX 64u
#define WAY_ADDRESS_MAX 128u

/* Whom an item's reply is for. Plain data: goes along as baggage. */
struct way_address {
	uint64_t session;  /* of one worker's life: nobody answers for another one's */
	uint64_t number;   /* of the request in it */
	uint64_t until_ns; /* CLOCK_MONOTONIC: the client hears of it by then, or never */
	uint32_t slot;     /* where the request is kept */
	uint32_t worker;   /* index among those of its stage */
};
static_assert(sizeof(struct way_address) == 32, "plain data");

enum way_kind { WAY_HELLO = 1, WAY_REPLY, WAY_BYE, WAY_HEARD };
enum way_outcome { WAY_NONE, WAY_ANSWERED, WAY_UNKNOWN, WAY_GONE };

/* The first part of each message; of a reply a second one follows, its bytes. Both ends are of one build. */
struct way_note {
	uint32_t kind;    /* enum way_kind */
	uint32_t outcome; /* WAY_HEARD: enum way_outcome */
	uint64_t session, number;
	uint64_t stage; /* who speaks: way_hash() of its stage */
	uint32_t slot;
	uint32_t worker; /* who speaks: its index there */
	uint32_t index;  /* WAY_REPLY: in its turn; WAY_HEARD: of the one that was heard */
	uint32_t unused; /* 0 */
};
static_assert(sizeof(struct way_note) == 48, "no gaps");

uint64_t way_hash(const char *stage);

/* Where that worker of that source hears replies, in the folder of the run. */
void way_endpoint(const struct weir_context *context, const char *stage, uint32_t worker, char ret[WAY_ADDRESS_MAX]);

/* A socket of this type for the way, neither bound nor connected. Returns 0 or -errno. */
int way_open(struct messenger *messenger, struct weir_context *context, int type);

/* Who the context's worker is goes into the note. Returns as messenger_send_copy(). */
int way_say(const struct messenger *messenger, const struct weir_context *context, struct way_note note,
	    const void *body, size_t size_bytes);

/* The part is a note. Returns false: it is none. */
bool way_read(zmq_msg_t *part, struct way_note *ret_note);
