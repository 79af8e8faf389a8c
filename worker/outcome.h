/* SPDX-License-Identifier: Apache-2.0 */
/* What a callback said, checked: foreign code may return anything. */
#pragma once

#include "worker/worker.h"

/* Sets of outcomes that a callback has. */
#define OUTCOME(status_) (1u << (status_))
#define OUTCOMES_ENDING (OUTCOME(WEIR_OK) | OUTCOME(WEIR_CANCELLED) | OUTCOME(WEIR_FAILED))
#define OUTCOMES_OF_ITEM                                                                                           \
	(OUTCOMES_ENDING | OUTCOME(WEIR_MORE) | OUTCOME(WEIR_HELD) | OUTCOME(WEIR_REJECTED) | OUTCOME(WEIR_WAIT) | \
	 OUTCOME(WEIR_EXPIRED) | OUTCOME(WEIR_PEER_LOST))

/*
 * The callback has returned `status`. Returns it if it is negative or among `outcomes`, else WEIR_FAILED with the reason in
 * worker->reason. WEIR_MORE needs a produce(), WEIR_CANCELLED an order to cancel. Ends the phase.
 */
int outcome_check(struct worker *worker, const char *callback, uint32_t outcomes, int status);

/*
 * The same after a callback that waits in weir_emit(): a stage that overlooks a refused emit, or only hands its status on, must
 * not lose the output in silence. Returns WEIR_CANCELLED or WEIR_FAILED then.
 */
int outcome_after_emits(struct worker *worker, const char *callback, uint32_t outcomes, int status);

/*
 * Puts into worker->reason what an emit of the item in hand has failed of, if that was no outcome but an error: a push of what
 * was not reserved, or a system call.
 */
void outcome_explain_refusal(struct worker *worker);
