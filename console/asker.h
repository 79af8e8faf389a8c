/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the supervisor knows, asked over its control socket by a thread of its own: each question at most once a second, whoever
 * many want to know. All calls from any thread.
 */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/text.h"

enum question {
#define QUESTION(id, verb) QUESTION_##id,
#include "console/question.def"
#undef QUESTION
	QUESTION_COUNT
};

#define ASKER_FRESH_NS (1 * NS_PER_S)  /* so old an answer is given again */
#define ASKER_STALE_NS (10 * NS_PER_S) /* and older than that it is none */

struct asker;

/* run_dir is borrowed. Returns 0 or -errno. */
int asker_new(const char *run_dir, struct asker **ret_asker);
/* Waits for the answer that is due, two seconds at most. Fine on NULL. */
struct asker *asker_free(struct asker *asker);

/*
 * The newest answer: one that is fresh, else what comes within wait_ns, else one that is not stale. Appends it, and its age. Returns 0;
 * ASKER_E_NOT_RUNNING; ASKER_E_NO_ANSWER: there is none; ASKER_E_REFUSED: the body says why. Waits wait_ns at most.
 */
enum { ASKER_E_NOT_RUNNING = 1, ASKER_E_NO_ANSWER = 2, ASKER_E_REFUSED = 3 };
int asker_get(struct asker *asker, enum question question, uint64_t wait_ns, struct text *ret_body,
	      uint64_t *ret_age_ns);
/* The same for METRICS, in Prometheus' text format. */
int asker_get_exposition(struct asker *asker, uint64_t wait_ns, struct text *ret_text, uint64_t *ret_age_ns);
/* A sentence for what it returned, static. */
const char *asker_explain(int outcome);
