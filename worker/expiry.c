/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work past its deadline is not begun.
 *
 *      source                        stage                       stage
 *      no room for `admission`?      accepted + `expires` over?  ...
 *        yes: WEIR_REJECTED            yes: taken, not begun
 *        ledger: expired               ledger: expired             each where it was found
 *
 * A record carries when its source took it in, over any number of stages and to all that is made of it, so a deadline that is the same for
 * all items needs no room of its own. It does need the general way, and a look at the clock for each item: where items do not expire
 * nothing of this is asked (attach.c).
 *
 * What is not let in is counted by the source as emitted, taken and expired at once: so accepted stays what it is, and the books of all
 * lanes balance without it.
 */
#include "worker/expiry.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "worker/baggage.h"
#include "worker/window.h"

/* One line a second is enough to see it; the ledger has the number. */
static bool may_say(struct worker *worker, uint64_t now_ns)
{
	worker->expired.n++;
	if (worker->expired.said_ns && now_ns - worker->expired.said_ns < NS_PER_S)
		return false;
	worker->expired.said_ns = now_ns;
	return true;
}

uint64_t expiry_of_hand_ns(const struct worker *worker)
{
	bool has_item = worker->phase == PHASE_PROCESS || (worker->phase == PHASE_RUN && worker->step.has_item);

	return has_item && worker->heritage.expires_ns ? worker->context.accepted_ns + worker->heritage.expires_ns :
							 UINT64_MAX;
}

bool expiry_has_come(struct worker *worker, const struct weir_item *item)
{
	uint64_t due_ns = item->accepted_ns + worker->heritage.expires_ns, now_ns;
	char expires[QUANTITY_TEXT_SIZE], over[QUANTITY_TEXT_SIZE];

	if (!worker->heritage.expires_ns)
		return false;
	now_ns = clock_now_ns();
	if (now_ns < due_ns)
		return false;
	worker->cursor.ledger[LEDGER_EXPIRED]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	worker->changed = true;
	counter_add(worker, COUNTER_BYTES_IN, item->size_bytes);
	baggage_end(worker);
	if (may_say(worker, now_ns))
		weir_log(WEIR_LOG_WARNING,
			 "item %" PRIu64
			 " from '%s' has expired (run: %s from its source on) %s ago, and is not begun; %" PRIu64
			 " of this worker so far",
			 item->sequence, worker->inputs[item->input].heritage->peer_stage,
			 quantity_format_duration(worker->heritage.expires_ns, expires),
			 quantity_format_duration(now_ns - due_ns, over), worker->expired.n);
	return true;
}

/* Which item waits is told by the number that it would get. */
void expiry_begin_wait(struct worker *worker)
{
	uint64_t sequence = worker->cursor.sequence + worker->item_emitted;

	if (!worker->heritage.admission_ns || worker->stage.role != WEIR_SOURCE ||
	    (worker->door.since_ns && worker->door.sequence == sequence))
		return;
	worker->door.since_ns = clock_now_ns();
	worker->door.sequence = sequence;
}

bool expiry_at_door(struct worker *worker)
{
	char admission[QUANTITY_TEXT_SIZE];
	uint64_t now_ns;

	expiry_begin_wait(worker);
	if (!worker->door.since_ns)
		return false;
	now_ns = clock_now_ns();
	if (now_ns < expiry_of_wait_ns(worker))
		return false;
	worker->door.since_ns = 0;
	worker->cursor.ledger[LEDGER_ACCEPTED]++;
	worker->cursor.ledger[LEDGER_EMITTED]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	worker->cursor.ledger[LEDGER_EXPIRED]++;
	worker->changed = true;
	if (may_say(worker, now_ns))
		weir_log(WEIR_LOG_WARNING,
			 "an item has waited for room for %s (admission) and is not let in; %" PRIu64
			 " of this worker so far",
			 quantity_format_duration(worker->heritage.admission_ns, admission), worker->expired.n);
	return true;
}
