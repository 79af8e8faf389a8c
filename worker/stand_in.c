/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The branch of a stage that has failed for good is dropped, and everybody else goes on:
 *
 *      read ---> parse ---> price (failed) ---> write        price's seats: a stand-in, which has the lanes and the cursor,
 *                  '------> archive                          and nothing of the stage
 *
 *      stand-in    leaves its inputs (worker/leave.c)        parse goes on for archive; where nobody else listens, sources end
 *                  discards what still comes                 counted LEDGER_CANCELLED, so nobody waits for room
 *                  ends when its inputs do; its lanes        write does all that it was given, and is told that this was no
 *                  close as lost                             end: so it can't go on, and a stand-in follows there, too
 *
 * So there is no lane without a reader, no end that is none, and nothing new that could be killed half-way. What the stage held can't be
 * finished by anybody, and is cancelled with the rest; a source's stand-in has simply ended.
 */
#include "worker/stand_in.h"

#include "worker/leave.h"

static int stand_in_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context;
	(void)state;
	(void)item;
	return WEIR_OK; /* not called: every input is left before the first item is taken */
}

static int stand_in_wait(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static int stand_in_end(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_CLOSED;
}

void stand_in_open(struct worker *worker)
{
	uint64_t *ledger = worker->cursor.ledger;
	/* Somebody has cancelled the stage: he had a reason. Else it has failed. */
	uint32_t cause = load_relaxed(&worker->board->slots[worker->heritage.slot].cause);

	worker->stage = (struct weir_stage){
		.abi = WEIR_STAGE_ABI,
		.size_bytes = sizeof(struct weir_stage),
		.role = (enum weir_role)worker->heritage.role,
		.name = worker->heritage.kind,
	};
	if (worker->stage.role == WEIR_SOURCE)
		worker->stage.produce = stand_in_end;
	else
		worker->stage.process = stand_in_process;
	if (worker->in_flight) /* has a produce(), always */
		worker->stage.produce = stand_in_wait;
	worker->unwanted_cause = cause > CAUSE_NONE && cause < CAUSE_COUNT ? (enum cause)cause : CAUSE_SIBLING_FAILED;
	ledger[LEDGER_CANCELLED] += ledger[LEDGER_HELD];
	worker->cursor.cancelled_by[worker->unwanted_cause] += ledger[LEDGER_HELD];
	ledger[LEDGER_HELD] = 0;
	if (worker->n_inputs)
		leave_ask(worker, WEIR_ALL_INPUTS);
}
