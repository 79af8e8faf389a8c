/* SPDX-License-Identifier: Apache-2.0 */
/* Where an answer goes: the parts before a request's own, which come back with it. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/zmq/messenger.h"
#include "worker/zmq/parcel.h"

#define ENVELOPE_MAX 512 /* bytes of it, and one for each of its parts */

struct envelope {
	unsigned char parts[ENVELOPE_MAX]; /* each with its length before it */
	uint16_t size_bytes;
};

/*
 * Takes the next request: the parts before its own go into the envelope, the rest into the parcel. `part` is used on the way.
 * Returns 0; MESSENGER_E_EMPTY: there is none; ENVELOPE_E_LONG: it was taken, but there is no place for where it comes from; -errno.
 */
enum { ENVELOPE_E_LONG = 340 };
int envelope_take(struct envelope *envelope, const struct messenger *messenger, struct parcel *parcel, zmq_msg_t *part);

/* A part of an answer. */
struct envelope_part {
	const void *bytes;
	size_t size_bytes;
};
/* Sends these parts (copied) there. Never blocks. Returns 0; MESSENGER_E_FULL, MESSENGER_E_GONE: nothing was sent; -errno. */
int envelope_send(const struct envelope *envelope, const struct messenger *messenger, const struct envelope_part *parts,
		  size_t n_parts);
