/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring that is written without asking anybody, and read beside that.
 *
 *      writer                                       reader
 *      fence release                    [R1]        h1 = load head, acquire        [R1]
 *      words of event n, over those of n - N        copy events up to h1
 *      head := n + 1, release           [R1]        fence acquire                  [R1]
 *                                                   h2 = load head
 *
 * h1: what lies in front of it is whole. h2: who has copied any word of event n has a fence behind it, and so h2 >= n; then event n - N,
 * which is what was to be copied there, is left out, as is everything older. So only events above h2 - N are whole: of a ring of N, N - 1
 * are ever given to a reader. On x86 all of this is an order for the compiler alone.
 *
 * A writer that is killed leaves at worst one event half written: the one at its head, which nobody reads before it is whole.
 */
#include "common/observe/recorder.h"

const struct recorder_line recorder_lines[] = {
#define RECORDER_EVENT(id_, name_, place_, count_, first_, second_, summary_) \
	[RECORDER_##id_] = { name_, place_, count_, first_, second_, summary_ },
#include "common/observe/recorder_event.def"
#undef RECORDER_EVENT
};

void recorder_init(struct recorder *recorder, struct recorder_ring *ring, uint32_t n_events)
{
	*recorder =
		(struct recorder){ .ring = ring, .head = ring ? load_relaxed(&ring->head) : 0, .mask = n_events - 1 };
}

static struct recorder_record copy(const struct recorder_event *event)
{
	uint64_t what = load_relaxed(&event->what);
	uint32_t kind = what & 0xff;

	return (struct recorder_record){ .time_ns = load_relaxed(&event->time_ns),
					 .kind = kind < RECORDER_KINDS ? (enum recorder_kind)kind : RECORDER_NOTHING,
					 .place = (uint32_t)(what >> 8) & RECORDER_NOWHERE,
					 .count = (uint32_t)(what >> 32),
					 .first = load_relaxed(&event->first),
					 .second = load_relaxed(&event->second) };
}

/* The first event that can still be whole when the head is there. */
static uint64_t oldest(uint64_t head, uint32_t n_events)
{
	return head >= n_events ? head - n_events + 1 : 0;
}

uint32_t recorder_read(const struct recorder_ring *ring, uint32_t n_events, uint64_t *from, struct recorder_record *ret,
		       uint32_t max, uint64_t *ret_lost)
{
	uint64_t head = load_acquire(&ring->head); /* [R1] mate: recorder_write */
	uint64_t begin = *from > oldest(head, n_events) ? *from : oldest(head, n_events), whole;
	uint32_t n = 0, n_torn;

	if (begin >= head)
		return 0;
	for (; n < max && begin + n < head; n++)
		ret[n] = copy(&ring->events[(begin + n) & (n_events - 1)]);
	fence_acquire(); /* [R1] mate: recorder_write */
	whole = oldest(load_relaxed(&ring->head), n_events);
	n_torn = whole <= begin ? 0 : whole - begin < n ? (uint32_t)(whole - begin) : n;
	for (uint32_t i = n_torn; i < n; i++)
		ret[i - n_torn] = ret[i];
	*ret_lost += begin - *from + n_torn;
	*from = begin + n;
	return n - n_torn;
}

uint64_t recorder_last(const struct recorder_ring *ring, uint64_t n)
{
	uint64_t head = load_relaxed(&ring->head);

	return head > n ? head - n : 0;
}
