/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/verdict.h"

enum verdict verdict_of(const struct verdict_facts *facts)
{
	/* Exit 0 proves nothing by itself: a plugin may have called exit(). Both must say so. */
	if (facts->ended && (facts->exited_zero || facts->hung))
		return VERDICT_DONE;
	if (facts->restarts_off)
		return VERDICT_LOST;
	if (facts->failed)
		return facts->started ? VERDICT_STAGE_FAILED : VERDICT_START_FAILED;
	if (facts->no_program && !facts->started)
		return VERDICT_START_FAILED;
	return VERDICT_RESTART;
}
