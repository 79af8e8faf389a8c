/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An item is the n-th of the slot that emitted it. That stays so when it is given again, and when its producer moves it to another lane
 * (retire.c). Which lane, and which number, stands in the note of the item in hand, whatever way the item has come. A dead
 * letter remembers both: given again, it is the item that it was, also for a store that had it before it became a letter.
 */
#include "worker/identity.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/in_flight.h"
#include "worker/replay.h"

static bool has_hand(const struct worker *worker)
{
	return worker->phase == PHASE_PROCESS || (worker->phase == PHASE_RUN && worker->step.has_item);
}

/* The lane's other end. false: this worker has no such lane. */
static bool find_lane(const struct worker *worker, uint32_t lane, struct weir_identity *identity)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			if (worker->inputs[i].lanes[j].lane.index == lane) {
				identity->input = i;
				identity->producer =
					worker->heritage.peers ?
						worker->heritage.peers[worker->inputs[i].heritage->lanes[j].peer].slot :
						0;
				return true;
			}
	return false;
}

/*
 * The edge that a letter came by: it names the stage only. Of several from there nobody knows which one it was, and a wrong one
 * could make it somebody else.
 */
static uint32_t input_of(const struct worker *worker, const struct dead_letter *letter)
{
	uint32_t found = WEIR_IDENTITY_LETTER, n = 0;

	for (uint32_t i = 0; i < worker->n_inputs; i++)
		if (!strcmp(worker->inputs[i].heritage->peer_stage, letter->input)) {
			found = i;
			n++;
		}
	return n == 1 ? found : WEIR_IDENTITY_LETTER;
}

static void identify_letter(const struct worker *worker, struct weir_identity *ret_identity)
{
	const struct dead_letter *letter = replay_letter(worker);

	*ret_identity = (struct weir_identity){ .run = letter->run,
						.sequence = letter->sequence,
						.part = letter->part,
						.producer = letter->producer,
						.input = input_of(worker, letter) };
}

int identity_of_hand(const struct weir_context *context, struct weir_identity *ret_identity)
{
	struct worker *worker = worker_of((struct weir_context *)(uintptr_t)context);
	const struct segment_hand *hand = worker->segment.hand;

	if (!has_hand(worker))
		return -EPERM;
	if (replay_in_hand(worker)) {
		identify_letter(worker, ret_identity);
		return WEIR_OK;
	}
	*ret_identity =
		(struct weir_identity){ .run = worker->heritage.run, .sequence = load_relaxed(&hand->sequence) };
	return find_lane(worker, load_relaxed(&hand->lane), ret_identity) ? WEIR_OK : error_origin(-EPERM);
}
