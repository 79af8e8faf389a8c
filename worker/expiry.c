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
 * nothing of this is asked (attach.c). A deadline of an item's own stands in its extension, beside its baggage (stamp.c, weir_expire_at()):
 * records with one go the general way anyway, and the earlier of the two counts.
 *
 * What is not let in is counted by the source as emitted, taken and expired at once: so accepted stays what it is, and the books of all
 * lanes balance without it.
 */
#include "worker/expiry.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "worker/baggage.h"
#include "worker/recording.h"
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

/* When the run of an item that is as old as that is over, by the spec and by what it has brought along. UINT64_MAX: never. */
static uint64_t run_end_ns(const struct worker *worker, uint64_t accepted_ns)
{
	uint64_t expires_ns = worker->heritage.expires_ns,
		 end_ns = deadline_earlier(expires_ns ? accepted_ns + expires_ns : 0, worker->baggage.deadline_ns);

	return end_ns ? end_ns : UINT64_MAX;
}

uint64_t expiry_of_hand_ns(const struct worker *worker)
{
	bool has_item = worker->phase == PHASE_PROCESS || (worker->phase == PHASE_RUN && worker->step.has_item);

	if (worker->phase == PHASE_FLUSH)
		return worker->begun_end_ns ? worker->begun_end_ns : UINT64_MAX;
	return has_item ? run_end_ns(worker, worker->context.accepted_ns) : UINT64_MAX;
}

static void say_expired(struct worker *worker, const struct weir_item *item, uint64_t end_ns, uint64_t now_ns)
{
	char expires[QUANTITY_TEXT_SIZE], over[QUANTITY_TEXT_SIZE];
	bool own = end_ns == worker->baggage.deadline_ns;

	if (!may_say(worker, now_ns))
		return;
	weir_log(WEIR_LOG_WARNING,
		 "item %" PRIu64 " from '%s' has expired (run: %s%s) %s ago, and is not begun; %" PRIu64
		 " of this worker so far",
		 item->sequence, worker->inputs[item->input].heritage->peer_stage,
		 own ? "a deadline of its own" : quantity_format_duration(worker->heritage.expires_ns, expires),
		 own ? "" : " from its source on", quantity_format_duration(now_ns - end_ns, over), worker->expired.n);
}

bool expiry_has_come(struct worker *worker, const struct weir_item *item)
{
	uint64_t end_ns = run_end_ns(worker, item->accepted_ns), now_ns;

	if (end_ns == UINT64_MAX)
		return false;
	now_ns = clock_now_ns();
	if (now_ns < end_ns) {
		worker->begun_end_ns = deadline_earlier(worker->begun_end_ns, end_ns);
		return false;
	}
	worker->cursor.ledger[LEDGER_EXPIRED]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	worker->changed = true;
	counter_add(worker, COUNTER_BYTES_IN, item->size_bytes);
	recording_note(worker, RECORDER_DEADLINE, item->input, item->sequence, now_ns - end_ns);
	say_expired(worker, item, end_ns, now_ns);
	baggage_end(worker);
	return true;
}

/* Which item waits is told by the number that it would get. */
void expiry_begin_wait(struct worker *worker)
{
	/* A group waits as a whole, whichever item of it finds no room. */
	uint64_t sequence = worker->cursor.sequence + (worker->group.is_open ? 0 : worker->item_emitted);

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
