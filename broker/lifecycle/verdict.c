/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a worker of a pipeline that runs can end, in OTP's words:
 *
 *      ENDED, exit 0 ................ normal                every type: the stream is over, and nobody is started for an end
 *      goodbye "I can't go on" ...... {shutdown, Reason}    permanent: restart; else its stage has failed
 *      stopped, told by us .......... shutdown              restarted with the sibling, or a stand-in; temporary: given up
 *      anything else, exit 0 too .... abnormal              restart; temporary: given up
 *      an item has overrun there .... abnormal              the same, whatever it says of its end: it was made to go
 *
 * Before everybody was ready once, OTP's rule for a supervisor that starts holds: who can't be started fails the start.
 */
#include "broker/lifecycle/verdict.h"

/* Exit 0 proves nothing by itself: a plugin may have called exit(). Both must say so, or we know who has killed it. */
static bool is_clean_end(const struct verdict_facts *facts)
{
	if (facts->overrun)
		return false;
	if (facts->cancelled && !facts->restarts_off)
		return false; /* it has closed nothing: that is an end only if everybody ends */
	return facts->ended && (facts->exited_zero || facts->hung || (facts->stopped && !facts->restarts_off));
}

static enum verdict failure(const struct verdict_facts *facts, enum verdict when_it_ran)
{
	return facts->started ? when_it_ran : VERDICT_START_FAILED;
}

enum verdict verdict_of(const struct verdict_facts *facts)
{
	if (is_clean_end(facts))
		return VERDICT_DONE;
	if (facts->restarts_off)
		return VERDICT_LOST;
	if (facts->stopped)
		return facts->type == PLAN_TEMPORARY ? VERDICT_GIVEN_UP : VERDICT_AGAIN;
	if (facts->failed && !facts->overrun && (facts->type != PLAN_PERMANENT || facts->closed || !facts->started))
		return failure(facts, VERDICT_STAGE_FAILED);
	if (facts->no_program && !facts->started)
		return VERDICT_START_FAILED;
	if (facts->type == PLAN_TEMPORARY)
		return failure(facts, VERDICT_GIVEN_UP);
	return VERDICT_RESTART;
}
