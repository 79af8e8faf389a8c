/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No item costs a look at the clock only because its stage has a deadline: so when it was begun is not known here, but for items in
 * flight, which are stamped. A stage that asks is told the earlier of two times, and never more than it is given:
 *
 *      own      now, when it asks first for this item, + deadline
 *      board    seen first by the supervisor + deadline, which is when it will cancel; there as soon as the item is older than a look
 */
#include "worker/attempt.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "worker/baggage.h"
#include "worker/burial.h"
#include "worker/in_flight_priv.h"
#include "worker/replay.h"
#include "worker/turn_priv.h"

static bool has_item(const struct worker *worker)
{
	return worker->phase == PHASE_PROCESS || (worker->phase == PHASE_RUN && worker->step.has_item);
}

/* What the supervisor says of just this item. */
static uint64_t board_deadline_ns(const struct worker *worker)
{
	const struct board_slot *slot = &worker->board->slots[worker->heritage.slot];
	const struct segment_hand *hand = worker->segment.hand;
	uint64_t due_ns = load_acquire(&slot->due_ns); /* [B5] mate: publish_due */
	bool same = load_relaxed(&slot->due_lane) == load_relaxed(&hand->lane) &&
		    load_relaxed(&slot->due_position) == load_relaxed(&hand->position);

	fence_acquire(); /* [B5] */
	return due_ns && same && load_relaxed(&slot->due_ns) == due_ns ? due_ns : UINT64_MAX;
}

static uint64_t own_deadline_ns(struct worker *worker)
{
	const struct segment_hand *hand = worker->segment.hand;
	struct attempt *attempt = &worker->attempt_in_hand;
	uint32_t lane = load_relaxed(&hand->lane);
	uint64_t position = load_relaxed(&hand->position);

	if (!attempt->deadline_ns || attempt->lane != lane || attempt->position != position)
		*attempt = (struct attempt){ .lane = lane,
					     .position = position,
					     .deadline_ns = clock_now_ns() + worker->heritage.deadline_ns };
	return attempt->deadline_ns;
}

uint64_t attempt_deadline_ns(struct worker *worker)
{
	const struct in_flight *in_flight = worker->in_flight;
	const struct in_flight_item *entry;
	uint64_t own_ns, board_ns;

	if (!worker->heritage.deadline_ns || !has_item(worker))
		return UINT64_MAX;
	entry = in_flight ? in_flight->given ? in_flight->given : in_flight->in_hand : NULL;
	if (entry)
		return entry->deadline_ns;
	own_ns = own_deadline_ns(worker);
	board_ns = board_deadline_ns(worker);
	return board_ns < own_ns ? board_ns : own_ns;
}

enum dead_letter_cause attempt_explain(const struct worker *worker, uint32_t n_attempts, char *reason,
				       size_t size_bytes)
{
	char deadline[QUANTITY_TEXT_SIZE];
	uint32_t n_overruns = replay_overruns(worker);

	for (uint32_t i = 0; i < worker->heritage.n_deaths; i++)
		n_overruns += worker->heritage.deaths[i].overrun;
	quantity_format_duration(worker->heritage.deadline_ns, deadline);
	if (n_overruns == n_attempts) {
		snprintf(reason, size_bytes, "it has overrun the deadline of %s, in each of %u attempt%s", deadline,
			 n_attempts, n_attempts == 1 ? "" : "s");
		return DEAD_LETTER_DEADLINE;
	}
	snprintf(reason, size_bytes, "%u worker%s died with it in hand", n_attempts, n_attempts == 1 ? "" : "s");
	if (n_overruns)
		snprintf(reason + strlen(reason), size_bytes - strlen(reason), ", %u of them past its deadline of %s",
			 n_overruns, deadline);
	return DEAD_LETTER_ATTEMPTS;
}

int turn_give_up(struct worker *worker, const struct weir_item *item)
{
	enum dead_letter_cause cause;
	char reason[128];
	int r;

	cause = attempt_explain(worker, item->attempt, reason, sizeof(reason));
	r = burial_of_item(worker, item, cause, reason);
	if (r != 0)
		return r;
	weir_log(WEIR_LOG_ERROR, "item %llu from '%s' is given up: %s; it lies in %s",
		 (unsigned long long)item->sequence, worker->inputs[item->input].heritage->peer_stage, reason,
		 burial_place(worker));
	worker->cursor.ledger[LEDGER_DEAD_LETTERED]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	baggage_end(worker);
	return 0;
}
