/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of peers who wait for a word, and the word, once the turn that took them is committed. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/zmq/messenger.h"
#include "worker/zmq/parcel.h"

#define ANSWERS_MAX 64u          /* requests of a turn */
#define ANSWERS_ENVELOPE_MAX 512 /* bytes of an envelope, and one for each of its parts */

struct answers {
	struct answer {
		unsigned char envelope[ANSWERS_ENVELOPE_MAX]; /* parts, each with its length before it */
		uint16_t envelope_bytes;
		const char *word; /* not owned */
	} at[ANSWERS_MAX];
	uint32_t n;
	uint64_t n_lost; /* nobody was there any more, or took them */
	bool lost_said;
};

/*
 * Takes a request: its envelope becomes that of at[n], the rest goes into the parcel. `part` is used on the way. There must be room.
 * Returns 0; MESSENGER_E_EMPTY: there is none; ANSWERS_E_ENVELOPE: it was taken, but has no place for its envelope; -errno.
 */
enum { ANSWERS_E_ENVELOPE = 340 };
int answers_take(struct answers *answers, const struct messenger *messenger, struct parcel *parcel, zmq_msg_t *part);

/* What the one who was taken last is told, later. */
void answers_note(struct answers *answers, const char *word);
/* Sends all: their turn is committed. Never blocks. Returns 0 or -errno. */
int answers_send(struct answers *answers, const struct messenger *messenger);
