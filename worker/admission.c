/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At the door of a lane.
 *
 *     full: block       wait                                 (output.c; nothing here)
 *     full: reject      a source is told, WEIR_REJECTED; an operator's item becomes a dead letter
 *     full: drop-new    gone
 *     full: drop-old    the oldest ones that the reader has not begun are gone: common/flow/hold.c
 *     capacity: 0       one item at a time, and the next turn begins when the reader has committed it
 *
 * What is skipped was emitted all the same: emitted = taken + dropped + refused + in the lanes. The lines lie in the producer's cursor,
 * so an item is either in the lane or counted, whenever the producer is killed.
 *
 * A lane is full of what its reader has not got round to. It is not full of what the producer itself still hides: as long as
 * complete items wait for this turn's commit the answer is "wait", which commits them, and the next look finds out whether
 * the reader is behind. Without that a large batch into a small lane would be dropped in front of an idle reader.
 *
 * A stage with a loop of its own meets its reader where a step ends, in the call that begins the next one: the send itself could not
 * wait, for what it sent takes effect with its step, whose item and cursor are still being worked on (docs/decisions/0011).
 *
 * A rendezvous needs no word of its own. The reader's `done` at the writer's tail says that everything is done and committed.
 * Several items that a stage makes of one go over together: they take effect together, so nobody could do one before the other.
 */
#include "worker/admission.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/must.h"
#include "worker/baggage.h"
#include "worker/burial.h"
#include "worker/key.h"
#include "worker/retire.h"
#include "worker/wait.h"

uint64_t admission_complete_end(const struct worker *worker, const struct output_lane *lane)
{
	return lane->mark_item == worker->item_number ? lane->mark : lane->lane.built;
}

bool admission_lane_empty(const struct worker *worker, const struct output_lane *lane)
{
	return load_acquire(&lane->lane.peer->done) ==
	       admission_complete_end(worker, lane); /* [L4] mate: commit_store */
}

int admission_reserve(const struct worker *worker, const struct output_edge *edge, uint32_t lane, size_t size_bytes,
		      void **ret_payload)
{
	struct output_lane *output = &edge->lanes[lane];
	int r;

	if (edge->heritage->rendezvous && !admission_lane_empty(worker, output))
		return LANE_E_FULL;
	size_bytes += baggage_size(worker);
	if (edge->heritage->full == HERITAGE_FULL_DROP_OLD)
		r = lane_out_reserve_beside(&output->lane, size_bytes, ret_payload);
	else
		r = lane_out_reserve(&output->lane, size_bytes, ret_payload);
	if (r == 0 && worker->baggage.n_words) {
		baggage_write(worker, *ret_payload);
		*ret_payload = (unsigned char *)*ret_payload + baggage_size(worker);
	}
	return r;
}

int admission_drop_old(const struct worker *worker, const struct output_edge *edge, uint32_t lane, size_t size_bytes,
		       void **ret_payload)
{
	struct output_lane *output = &edge->lanes[lane];
	int r = admission_complete_end(worker, output) == output->lane.tail ?
			lane_out_drop(&output->lane, baggage_size(worker) + size_bytes) :
			LANE_E_FULL;

	return r == 0 ? admission_reserve(worker, edge, lane, size_bytes, ret_payload) : r;
}

void admission_find_lane(struct worker *worker, struct output_edge *edge, const void *data, size_t size_bytes)
{
	uint64_t hash;

	if (!edge->key)
		return;
	if (!key_hash(edge->key, data, size_bytes, &hash))
		counter_add(worker, COUNTER_UNKEYED, 1);
	edge->key_lane = key_lane(hash, edge->n_lanes);
}

void *admission_scratch(struct worker *worker, size_t size_bytes)
{
	struct reserved *reserved = &worker->reserved;

	if (reserved->scratch_bytes < size_bytes || !reserved->scratch) {
		free(reserved->scratch);
		reserved->scratch = malloc(size_bytes ? size_bytes : 1);
		must(reserved->scratch);
		reserved->scratch_bytes = size_bytes;
	}
	return reserved->scratch;
}

bool admission_gives_up(const struct worker *worker, const struct output_edge *edge)
{
	if (!admission_never_waits(edge))
		return false;
	/* With a flush() nothing can be committed while an item is in hand. */
	if (worker->stage.flush && worker->phase != PHASE_PRODUCE &&
	    (worker->phase != PHASE_RUN || worker->stage.role != WEIR_SOURCE))
		return true;
	for (uint32_t i = 0; i < edge->n_lanes; i++)
		if (admission_complete_end(worker, &edge->lanes[i]) != edge->lanes[i].lane.tail)
			return false;
	return true;
}

static int keep_refused(struct worker *worker, const struct output_edge *edge, const void *data, size_t size_bytes)
{
	char reason[256];
	/* Each refusal moves one of the two, so no two have the same number. */
	uint64_t number = worker->cursor.ledger[LEDGER_REFUSED] + edge->item_skipped;
	unsigned char packed[ITEM_EXTENSION_SIZE_MAX];
	struct dead_letter letter = {
		.cause = DEAD_LETTER_REJECTED,
		.reason = reason,
		.sequence = worker->cursor.sequence + worker->item_emitted,
		.input = "",
		.data = data,
		.size_bytes = size_bytes,
		.accepted_ns = worker->context.accepted_ns,
		.baggage = packed,
		.baggage_bytes = baggage_size(worker),
		.producer = worker->heritage.slot,
		.part = DEAD_LETTER_PART(DEAD_LETTER_AT_FULL_LANE, (uint64_t)(edge - worker->outputs) << 40 |
									   (number & ((UINT64_C(1) << 40) - 1))),
	};

	if (letter.baggage_bytes)
		baggage_write(worker, packed);
	snprintf(reason, sizeof(reason), "the lane to '%s' was full, and its stage says full: reject",
		 edge->heritage->peer_stage);
	return burial_keep(worker, &letter);
}

int admission_skip(struct worker *worker, struct output_edge *edge, const void *data, size_t size_bytes)
{
	int r = 0;

	if (edge->heritage->full == HERITAGE_FULL_REJECT && worker->stage.role != WEIR_SOURCE)
		r = keep_refused(worker, edge, data, size_bytes);
	if (r == 0)
		edge->item_skipped++;
	return r;
}

/* One line a second is enough to see it; the ledger has the number. */
static void say_skipped(struct worker *worker, struct output_edge *edge)
{
	edge->skipped += edge->item_skipped;
	if (edge->said_ns && worker_now_ns(worker) - edge->said_ns < NS_PER_S)
		return;
	edge->said_ns = worker_now_ns(worker);
	weir_log(edge->heritage->full == HERITAGE_FULL_REJECT ? WEIR_LOG_WARNING : WEIR_LOG_DEBUG,
		 "the lane to '%s' is full: %" PRIu64 " items %s by this worker so far", edge->heritage->peer_stage,
		 edge->skipped, edge->heritage->full == HERITAGE_FULL_REJECT ? "refused" : "dropped");
}

void admission_item_end(struct worker *worker, struct output_edge *edge)
{
	if (!edge->item_skipped)
		return;
	worker->cursor.ledger[LEDGER_EMITTED] += edge->item_skipped;
	worker->cursor.ledger[edge->heritage->full == HERITAGE_FULL_REJECT ? LEDGER_REFUSED : LEDGER_DROPPED_NEW] +=
		edge->item_skipped;
	say_skipped(worker, edge);
	edge->item_skipped = 0;
	worker->changed = true;
}

bool admission_refused(const struct worker *worker, uint32_t output)
{
	uint32_t first = output == WEIR_ALL_OUTPUTS ? 0 : output,
		 end = output == WEIR_ALL_OUTPUTS ? worker->n_outputs : output + 1;

	for (uint32_t i = first; i < end; i++)
		if (!worker->outputs[i].item_skipped || worker->outputs[i].heritage->full != HERITAGE_FULL_REJECT)
			return false;
	return first < end;
}

bool admission_handed_over(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		const struct output_edge *edge = &worker->outputs[i];

		for (uint32_t j = 0; edge->heritage->rendezvous && j < edge->n_lanes + edge->n_retired + edge->n_closed;
		     j++)
			if (load_acquire(&edge->lanes[j].lane.peer->done) != edge->lanes[j].lane.tail) /* [L4] */
				return false;
	}
	return true;
}

int admission_hand_over(struct worker *worker)
{
	int r = 0;

	if (!worker->rendezvous || admission_handed_over(worker))
		return 0;
	worker->handing_over = true;
	while (r == 0 && !admission_handed_over(worker)) {
		r = wait_sleep(worker, ARM_SPACE, 1);
		if (r == 0)
			r = retire_check(worker); /* of another edge: else it would wake us again and again */
	}
	worker->handing_over = false;
	return r;
}
