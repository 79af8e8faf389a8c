/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer is a word. Where replies are what clients wait for, a word that stands for none has an empty part before it: a reply has one
 * part.
 *
 * An answer for a peer who is gone, or takes none, is dropped: he has to ask again in any case, as after a kill.
 */
#include "worker/zmq/answers.h"

#include <string.h>
#include <weir/log.h>

void answers_note(struct answers *answers, const char *word, bool is_fault)
{
	answers->at[answers->n].word = word;
	answers->at[answers->n++].is_fault = is_fault;
}

int answer_fault(const struct envelope *envelope, const struct messenger *messenger, const char *word)
{
	const struct envelope_part parts[] = { { "", 0 }, { word, strlen(word) } };

	return envelope_send(envelope, messenger, parts, 2);
}

static int send_one(const struct answer *answer, const struct messenger *messenger)
{
	const struct envelope_part part = { answer->word, strlen(answer->word) };

	return answer->is_fault ? answer_fault(&answer->envelope, messenger, answer->word) :
				  envelope_send(&answer->envelope, messenger, &part, 1);
}

int answers_send(struct answers *answers, const struct messenger *messenger)
{
	for (uint32_t i = 0; i < answers->n; i++) {
		int r = send_one(&answers->at[i], messenger);

		if (r < 0)
			return r;
		answers->n_lost += r != 0;
	}
	answers->n = 0;
	if (answers->n_lost && !answers->lost_said)
		weir_log(WEIR_LOG_WARNING,
			 "an answer is dropped: its peer has gone, or takes none; he has to ask again. (Said once)");
	answers->lost_said = answers->n_lost > 0;
	return 0;
}
