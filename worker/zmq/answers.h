/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of a turn are answered with once that is committed. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/zmq/envelope.h"
#include "worker/zmq/messenger.h"

#define ANSWERS_MAX 64u /* requests of a turn */

struct answers {
	struct answer {
		struct envelope envelope;
		const char *word; /* not owned */
		bool is_fault;    /* instead of a reply: an empty part before the word tells them apart */
	} at[ANSWERS_MAX];
	uint32_t n;
	uint64_t n_lost; /* nobody was there any more, or took them */
	bool lost_said;
};

/* What the one whose envelope is at[n] is told, later. There must be room. */
void answers_note(struct answers *answers, const char *word, bool is_fault);
/* Sends all: their turn is committed. Never blocks. Returns 0 or -errno. */
int answers_send(struct answers *answers, const struct messenger *messenger);

/* Tells somebody at once why there is no reply. Returns as envelope_send(). */
int answer_fault(const struct envelope *envelope, const struct messenger *messenger, const char *word);
