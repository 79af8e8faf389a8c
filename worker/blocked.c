/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for whom is known best to the one who waits, and it has time to say so: it is about to sleep.
 *
 *      worker                                       supervisor
 *      state, wait_for, wait_lane on its line  ---> looks at all lines, now and then, while somebody works or waits for room
 *      wakes up: state = busy                       nobody does: board->at_rest = 1
 *      fence                                        fence
 *      board->at_rest? "awake" ------------------>  looks once more at all lines, and only then stops looking
 *
 * Whichever fence comes first, one of the two sees the other, as with doorbells. So a pipeline at rest has no timer, and one that begins
 * to work again is looked at from its first item on.
 */
#include "worker/blocked.h"

#include "worker/admission.h"
#include "worker/credit.h"
#include "worker/output.h"
#include "worker/recording.h"

static uint32_t writer_of(const struct output_edge *edge, uint32_t lane, uint32_t *what)
{
	if (lane == NO_LANE)
		*what |= WAIT_ANY_OF_EDGE;
	return edge->n_lanes ? edge->lanes[lane == NO_LANE ? 0 : lane].lane.index : NO_LANE;
}

/* Room, in one of its kinds. */
static uint32_t room(struct worker *worker, const struct wait_request *request, uint32_t *ret_lane)
{
	uint32_t what = WAIT_FOR_ROOM, output, lane;
	const struct output_edge *edge;

	if (worker->lingering)
		return WAIT_FOR_READERS;
	if (worker->rendezvous && !admission_handed_over(worker))
		return WAIT_FOR_COMMIT;
	if (worker->retiring || request->events & ARM_DATA)
		return what; /* in a lane that is no output's any more; or in one of several outputs */
	output = output_awaited(worker, request->need_bytes, &lane);
	if (output >= worker->n_outputs)
		return what;
	edge = &worker->outputs[output];
	if (edge->credit && !credit_left(edge))
		what = WAIT_FOR_CREDIT;
	*ret_lane = writer_of(edge, lane, &what);
	return what;
}

static uint32_t item(const struct worker *worker, const struct wait_request *request, uint32_t *ret_lane)
{
	uint32_t edge = request->input_number - 1;

	if (!request->input_number || request->events & ARM_SPACE || !worker->inputs[edge].n_lanes)
		return WAIT_FOR_ITEM;
	*ret_lane = worker->inputs[edge].lanes[0].lane.index;
	return WAIT_FOR_ITEM | WAIT_ANY_OF_EDGE;
}

static void note(struct worker *worker, enum worker_state state, uint32_t what, uint32_t lane, uint64_t now_ns)
{
	store_relaxed(&worker->segment.status->wait_for, what);
	worker_set_state_at(worker, state, lane, now_ns);
}

void blocked_note(struct worker *worker, const struct wait_request *request, enum worker_state state, uint64_t now_ns)
{
	uint32_t what = 0, lane = NO_LANE;

	if (request->events & ARM_DATA)
		what |= item(worker, request, &lane);
	if (request->events & ARM_SPACE)
		what |= room(worker, request, &lane);
	if (!request->events && worker->cursor.finished)
		what |= WAIT_FOR_READERS;
	if (worker->postponed.until_ns && !(request->events & ARM_SPACE))
		what |= WAIT_FOR_DUE;
	what |= (request->n_fds ? WAIT_FOR_EVENT : 0) | (request->wake_ns ? WAIT_FOR_TIME : 0);
	recording_block(worker, request, what, now_ns);
	note(worker, state, what, lane, now_ns);
}

void blocked_note_outside(struct worker *worker, size_t n_fds, uint64_t deadline_ns, uint64_t now_ns)
{
	note(worker, WORKER_STATE_WAIT_OUTSIDE,
	     (n_fds ? WAIT_FOR_EVENT : 0) | (deadline_ns && deadline_ns != UINT64_MAX ? WAIT_FOR_TIME : 0), NO_LANE,
	     now_ns);
}

void blocked_over(struct worker *worker, uint64_t now_ns, bool looks_round)
{
	meter_unblocked(worker, now_ns);
	note(worker, WORKER_STATE_BUSY, 0, NO_LANE, now_ns);
	fence_seq_cst(); /* [B3] mate: stall_rest */
	if (!looks_round && load_relaxed(&worker->board->at_rest))
		(void)client_send_status(worker->client, worker_state_name(WORKER_STATE_BUSY), "awake");
}

/* As the sleeps for room downstream, this is none of the item's time: its deadline stands still. */
void blocked_note_store(struct worker *worker, uint64_t now_ns)
{
	note(worker, WORKER_STATE_WAIT_SPACE, WAIT_FOR_STORE, NO_LANE, now_ns);
}

void blocked_store_over(struct worker *worker, uint64_t now_ns)
{
	counter_add(worker, COUNTER_WAITS_SPACE, 1);
	counter_add(worker, COUNTER_WAIT_SPACE_NS, now_ns - load_relaxed(&worker->segment.status->since_ns));
	blocked_over(worker, now_ns, false);
}
