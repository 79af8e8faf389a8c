/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/worker.h"

#include <poll.h>
#include <string.h>

#include "common/observe/ledger.h"

void worker_start(struct worker *worker)
{
	for (unsigned i = 0; i < N_INPUTS; i++)
		lane_in_rewind(&worker->in[i]);
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		lane_out_rewind(&worker->out[i]);
	worker->cursor = *cursor_current(worker->own);
	commit_init(&worker->commit, worker->own);
}

static void hand_take(struct segment_hand *hand, const struct lane_in *lane, const struct item_header *header)
{
	store_relaxed(&hand->busy, 0);
	fence_release();
	store_relaxed(&hand->position, lane->next);
	store_relaxed(&hand->sequence, header->sequence);
	store_relaxed(&hand->lane, lane->index);
	store_release(&hand->busy, 1);
}

static int emit(struct worker *worker, unsigned output, unsigned input, uint64_t sequence)
{
	struct item_header header = { .size_bytes = payload_size(sequence),
				      .kind = ITEM_DATA,
				      .sequence = worker->cursor.sequence,
				      .ticket = worker->cursor.outputs[0].ticket };
	const struct payload payload = { .input = input, .sequence = sequence };
	void *place;
	int r = lane_out_reserve(&worker->out[output], header.size_bytes, &place);

	if (r)
		return r;
	memcpy(place, &payload, header.size_bytes);
	lane_out_push(&worker->out[output], &header);
	worker->cursor.sequence++;
	return 0;
}

/* One item from one input, whole or not at all: 0, or what stopped it. */
static int take(struct worker *worker, unsigned input)
{
	uint64_t built[N_OUTPUTS], sequence = worker->cursor.sequence;
	struct item_header header;
	const void *payload;
	int r = lane_in_peek(&worker->in[input], &header, &payload);

	if (r)
		return r;
	hand_take(worker->own->hand, &worker->in[input], &header);
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		built[i] = worker->out[i].built;
	for (unsigned i = 0; i < N_OUTPUTS && !r; i++)
		r = emit(worker, i, input, header.sequence);
	if (r) {
		for (unsigned i = 0; i < N_OUTPUTS; i++)
			worker->out[i].built = built[i];
		worker->cursor.sequence = sequence;
	} else {
		lane_in_advance(&worker->in[input], &header);
		worker->cursor.ledger[LEDGER_TAKEN]++;
		worker->cursor.ledger[LEDGER_EMITTED] += N_OUTPUTS;
	}
	store_release(&worker->own->hand->busy, 0);
	return r;
}

static void wake_peers(struct worker *worker)
{
	fence_seq_cst(); /* [D1] */
	doorbell_wake(&worker->consumer, ARM_DATA, 0);
	doorbell_wake(&worker->producer, ARM_SPACE, worker->in[0].capacity_bytes);
}

static void commit_turn(struct worker *worker)
{
	/* every byte of the stage's cursor tells the turn, so that a torn copy shows */
	memset(worker->cursor.stage, (int)(worker->cursor.ledger[LEDGER_TAKEN] & 0xff), sizeof(worker->cursor.stage));
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		commit_add_tail(&worker->commit, &worker->out[i]);
	commit_add_cursor(&worker->commit, &worker->cursor);
	for (unsigned i = 0; i < N_INPUTS; i++)
		commit_add_done(&worker->commit, &worker->in[i]);
	commit_publish(&worker->commit);
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		worker->out[i].tail = worker->out[i].built;
	for (unsigned i = 0; i < N_INPUTS; i++) {
		worker->in[i].done = worker->in[i].next;
		lane_in_release(&worker->in[i]);
	}
	wake_peers(worker);
}

static enum worker_outcome finish(struct worker *worker)
{
	if (!worker->cursor.finished) {
		worker->cursor.finished = 1;
		commit_turn(worker);
	}
	for (unsigned i = 0; i < N_OUTPUTS; i++)
		lane_out_close(&worker->out[i]);
	wake_peers(worker);
	return WORKER_ENDED;
}

/* Arms, looks once more, polls without waiting, disarms: the waiter's half of the doorbell protocol. */
static void sleep_once(struct worker *worker)
{
	struct segment_armed *armed = worker->own->armed;
	struct pollfd pollfd = { .fd = worker->doorbell, .events = POLLIN };
	struct item_header header;
	const void *payload;

	store_relaxed(&armed->need_bytes, 64);
	store_release(&armed->word, ++worker->epoch << 8 | ARM_DATA | ARM_SPACE);
	fence_seq_cst(); /* [D1] */
	if (lane_in_peek(&worker->in[0], &header, &payload) == LANE_E_EMPTY)
		poll(&pollfd, 1, 0);
	store_release(&armed->word, 0);
	doorbell_clear(worker->doorbell);
}

/* 0: took some; 1: nothing could be taken now; 2: all inputs at their end; 3: broken. */
static int turn(struct worker *worker, unsigned batch)
{
	unsigned taken = 0, closed = 0;

	for (unsigned i = 0; i < N_INPUTS; i++) {
		int r = 0;

		for (unsigned n = 0; n < batch && !r; n++) {
			r = take(worker, i);
			taken += !r;
		}
		if (r == LANE_E_BROKEN)
			return 3;
		closed += r == LANE_E_CLOSED;
	}
	if (!taken)
		return closed == N_INPUTS ? 2 : 1;
	if (lane_out_push_run_end(&worker->out[0], worker->cursor.outputs[0].ticket))
		return 3;
	worker->cursor.outputs[0].ticket++;
	commit_turn(worker);
	return 0;
}

enum worker_outcome worker_run(struct worker *worker, unsigned batch)
{
	int r = 0;

	if (worker->cursor.finished)
		return finish(worker);
	while (!r)
		r = turn(worker, batch);
	if (r == 2)
		return finish(worker);
	sleep_once(worker);
	return r == 3 ? WORKER_BROKEN : WORKER_IDLE;
}
