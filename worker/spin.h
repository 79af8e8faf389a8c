/* SPDX-License-Identifier: Apache-2.0 */
/* How long a worker looks again and again before it goes to sleep. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct spin {
	uint32_t rounds;  /* looks before a sleep; 0: not used yet */
	uint32_t skip;    /* sleeps still to come before a long spin is tried again */
	uint32_t backoff; /* that many, after the next long spin that was in vain */
	struct spin_away {
		uint32_t skip;    /* sleeps still to come before the processor is given away again */
		uint32_t backoff; /* about that many, after the next time that somebody kept it */
	} away[2];                /* who waits for data, for room */
};

/* Looks to make before the next sleep. crowded: more workers live than there are processors for them. Wait-free. */
uint32_t spin_rounds(const struct spin *spin, bool crowded);
/* The event came while it was looking. */
void spin_succeeded(struct spin *spin);
/* It went to sleep after that many looks, and slept so long. */
void spin_failed(struct spin *spin, uint32_t rounds, uint64_t slept_ns);

/* How often to give the processor away and look again, after those looks and before the sleep. Wait-free. */
uint32_t spin_yields(struct spin *spin, bool crowded, bool for_room);
/* It was given away, came back after that time, and then the event had come, or not. Returns whether to go on. */
bool spin_yielded(struct spin *spin, bool for_room, uint64_t away_ns, bool over);
