/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage has one deadline for all items, so they are due in the order in which they were given: a list through the table, the oldest
 * first. Its head stands in the note that the supervisor reads (broker/supervise/deadline_watch.c).
 *
 *      oldest                       youngest
 *        17  ->  18  ->  21  ->  22          20 has ended and left the list; 23 is given, and comes behind 22
 *        '-- hand.due_*
 */
#include "worker/due.h"

#include "common/base/clock.h"

static struct in_flight_item *entry_of(struct in_flight *in_flight, uint32_t number)
{
	return number ? &in_flight->items[number - 1] : NULL;
}

static uint32_t number_of(const struct in_flight *in_flight, const struct in_flight_item *entry)
{
	return (uint32_t)(entry - in_flight->items) + 1;
}

static void note(struct worker *worker)
{
	struct segment_hand *hand = worker->segment.hand;
	const struct in_flight_item *oldest = entry_of(worker->in_flight, worker->in_flight->oldest);

	store_relaxed(&hand->due_ns, 0);
	if (!oldest)
		return;
	fence_release(); /* [S4] first */
	store_relaxed(&hand->due_lane, oldest->lane->lane.index);
	store_relaxed(&hand->due_position, oldest->position);
	store_relaxed(&hand->due_sequence, oldest->item.sequence);
	store_release(&hand->due_ns, oldest->due_ns); /* [S4] mate: see_pending */
}

void due_stamp(struct worker *worker, struct in_flight_item *entry)
{
	uint64_t now_ns;

	if (!worker->heritage.deadline_ns)
		return;
	now_ns = clock_now_ns();
	entry->deadline_ns = now_ns + worker->heritage.deadline_ns;
	entry->due_ns = entry->deadline_ns - load_relaxed(&worker->segment.counters->values[COUNTER_WAIT_SPACE_NS]);
}

void due_add(struct worker *worker, struct in_flight_item *entry)
{
	struct in_flight *in_flight = worker->in_flight;
	struct in_flight_item *youngest = entry_of(in_flight, in_flight->youngest);

	if (!worker->heritage.deadline_ns)
		return;
	entry->older = in_flight->youngest;
	entry->younger = 0;
	in_flight->youngest = number_of(in_flight, entry);
	if (youngest) {
		youngest->younger = in_flight->youngest;
		return;
	}
	in_flight->oldest = in_flight->youngest;
	note(worker);
}

void due_remove(struct worker *worker, struct in_flight_item *entry)
{
	struct in_flight *in_flight = worker->in_flight;
	struct in_flight_item *older = entry_of(in_flight, entry->older),
			      *younger = entry_of(in_flight, entry->younger);

	if (!worker->heritage.deadline_ns)
		return;
	if (younger)
		younger->older = entry->older;
	else
		in_flight->youngest = entry->older;
	if (older) {
		older->younger = entry->younger;
		return;
	}
	in_flight->oldest = entry->younger;
	note(worker);
}
