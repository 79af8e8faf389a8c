/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage that looks at an item and finds that its time has not come says so, and the item is as if it had never been given:
 *
 *      lane 0:  [a: not before 17] b c      process(a) -> WEIR_WAIT      lane 0 rests, and so do b and c: their order is kept
 *      lane 1:  [d] e                       process(d) -> WEIR_OK        others go on
 *      lane 2:                              sleep until 17, or until something comes to lane 1 or 2; then lane 0 is looked at again
 *
 * So waiting needs no memory: what waits lies in its lane, which fills up and holds its producer up. Nothing is in hand meanwhile: no
 * deadline of the stage runs, a death is blamed on nobody, an order is seen at once, and the end of the stream comes behind the last item
 * and not a wait later. A postponed item that expires is counted when it does, not when its time comes.
 *
 * One time stands for all lanes, the earliest. When it has come all are asked again: a stage says the same of an item whose time has still
 * not come, and several lanes that wait for one thing (a rate) are to be asked in turn.
 */
#include "worker/postpone.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/expiry.h"

#define LONG_NS NS_PER_S /* whoever waits for more is not waited for by its neighbours */

int postpone_ask(struct worker *worker, uint64_t until_ns)
{
	uint64_t expiry_ns = expiry_of_hand_ns(worker);

	if (worker->phase != PHASE_PROCESS)
		return error_origin(-EPERM);
	if (worker->in_flight) {
		snprintf(
			worker->reason, sizeof(worker->reason),
			"it postpones an item, which a stage with in_flight can't: let it defer the item and watch a timer");
		return WEIR_FAILED;
	}
	until_ns = until_ns < expiry_ns ? until_ns : expiry_ns;
	worker->postponed.asked_ns = until_ns ? until_ns : 1;
	return WEIR_WAIT;
}

static bool waits_for_long(struct worker *worker)
{
	return worker->postponed.asked_ns > worker_now_ns(worker) + LONG_NS;
}

void postpone(struct worker *worker, struct input_lane *lane)
{
	struct postponed *postponed = &worker->postponed;

	store_relaxed(&worker->segment.hand->busy, 0); /* who dies now is nobody's victim */
	worker->attempt_in_hand = (struct attempt){ 0 };
	postponed->until_ns = deadline_earlier(postponed->until_ns, postponed->asked_ns);
	if (worker->suspect_attempts)
		worker->suspect_asks += waits_for_long(worker) ? POSTPONE_SUSPECT_ASKS : 1;
	postponed->asked_ns = 0;
	if (lane)
		lane->postponed = true;
	else
		postponed->letter = true;
}

static void ask_all_again(struct worker *worker)
{
	worker->postponed = (struct postponed){ 0 };
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			worker->inputs[i].lanes[j].postponed = false;
}

void postpone_begin(struct worker *worker)
{
	if (worker->postponed.until_ns && worker_now_ns(worker) >= worker->postponed.until_ns)
		ask_all_again(worker);
}
