/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is checked: the turn goes by these numbers. A process() that says WEIR_CLOSED would end the stage with its input full and
 * its producers waiting for ever; one that says WEIR_CANCELLED would be a clean exit that never closed its lanes.
 */
#include "worker/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/cancelled.h"
#include "worker/postpone.h"

#define STATUSES_MAX 32 /* bits of a set */

int outcome_check(struct worker *worker, const char *callback, uint32_t outcomes, int status)
{
	const char *why = "";

	/* The item in hand alone may be dropped, and only by process(). */
	bool may_drop = worker->phase == PHASE_PROCESS && cancelled_in_hand(worker) != CAUSE_NONE;
	bool in_process = worker->phase == PHASE_PROCESS;

	worker->phase = PHASE_NONE;
	if (status == WEIR_PENDING && !worker->in_flight) {
		outcomes = 0;
		why = " with in_flight: 1 (give the stage more)";
	} else if (status == WEIR_MORE && !worker->stage.produce) {
		outcomes = 0;
		why = " without a produce()";
	} else if (status == WEIR_WAIT && in_process && !postpone_was_asked(worker)) {
		outcomes = 0;
		why = " without weir_postpone()";
	} else if ((status == WEIR_EXPIRED || status == WEIR_PEER_LOST) && in_process && !worker->reason[0]) {
		outcomes = 0;
		why = " without weir_reject()";
	} else if (status == WEIR_CANCELLED && !worker_cancelled(worker) && !may_drop) {
		outcomes = 0;
		why = " before it, or the scope of its item, is cancelled";
	}
	if (status < 0 || (status < STATUSES_MAX && outcomes & OUTCOME(status)))
		return status;
	snprintf(worker->reason, sizeof(worker->reason),
		 "its %s() returned %d (%s), which it may not%s; mend the stage", callback, status,
		 weir_status_name(status), why);
	return WEIR_FAILED;
}

void outcome_explain_refusal(struct worker *worker)
{
	if (worker->emit_refused == -EINVAL)
		snprintf(
			worker->reason, sizeof(worker->reason),
			"it emits to an output that it does not have, or its weir_push() is for more than weir_reserve() gave "
			"it, or for nothing that is still reserved; mend the stage");
	else if (worker->emit_refused < 0)
		snprintf(worker->reason, sizeof(worker->reason), "an item could not be emitted: %s",
			 strerror(-worker->emit_refused));
}

int outcome_after_emits(struct worker *worker, const char *callback, uint32_t outcomes, int status)
{
	bool passes_on =
		status == worker->emit_refused || status == WEIR_OK || status == WEIR_MORE || status == WEIR_HELD;

	if (!worker->emit_refused || !passes_on)
		return outcome_check(worker, callback, outcomes, status);
	worker->phase = PHASE_NONE;
	if (worker->emit_refused == WEIR_TOO_LARGE)
		snprintf(
			worker->reason, sizeof(worker->reason),
			"the outputs of one item do not fit a lane, or the credit of the way back; give the stage behind this one a larger `lane:` or `credit:`");
	outcome_explain_refusal(worker);
	return worker->emit_refused == WEIR_CANCELLED ? WEIR_CANCELLED : WEIR_FAILED;
}
