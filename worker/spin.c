/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spinning before sleeping. A wake across processors costs tens of microseconds, of which the waker pays a good part; to look for
 * about 100 us first avoids both, if the event comes in that time. It is in vain when nothing comes, and harmful when the
 * peer needs this very processor. Nobody can know beforehand, so each worker learns from its own last waits:
 *
 *     slept long (nothing to do)                      -> look briefly from now on
 *     slept shortly (a longer look might have caught it) -> try a long look; if that is in vain too and the sleep is short
 *                                                        again, the peer shares our processor: do not look at all, and
 *                                                        try again only after twice as many sleeps
 *     caught while looking                            -> keep it up
 *
 * With more workers than processors a look stays brief: it takes the time that another worker needs. Instead the processor is given
 * away a few times. If it is the peer that gets it, it works until its lane is full or empty, and nobody has had to ring. If
 * it is somebody else, who keeps it, that is no place to wait: whoever sleeps is woken as soon as there is something to do.
 */
#include "worker/spin.h"

#define ROUNDS_BRIEF 64u
#define ROUNDS_LONG 1500u
#define ROUNDS_CROWDED 2u
#define ROUNDS_NONE UINT32_MAX
#define BACKOFF_MAX 1024u
#define SLEPT_SHORTLY_NS 150000u
#define YIELDS 16u
#define AWAY_LONG_NS 100000u
#define AWAY_LONG_FOR_ROOM_NS 1000000u /* an item that waits is late, room that waits is not */

uint32_t spin_rounds(const struct spin *spin, bool crowded)
{
	uint32_t rounds = spin->rounds ? spin->rounds : ROUNDS_BRIEF;

	if (rounds == ROUNDS_NONE)
		return 0;
	return crowded && rounds > ROUNDS_CROWDED ? ROUNDS_CROWDED : rounds;
}

void spin_succeeded(struct spin *spin)
{
	spin->backoff = 1;
}

void spin_failed(struct spin *spin, uint32_t rounds, uint64_t slept_ns)
{
	if (spin->skip)
		spin->skip--;
	if (rounds >= ROUNDS_LONG) {
		spin->backoff = spin->backoff < BACKOFF_MAX ? spin->backoff * 2 + 1 : BACKOFF_MAX;
		spin->skip = spin->backoff;
	}
	spin->rounds = slept_ns > SLEPT_SHORTLY_NS ? ROUNDS_BRIEF : spin->skip ? ROUNDS_NONE : ROUNDS_LONG;
}

uint32_t spin_yields(struct spin *spin, bool crowded, bool for_room)
{
	struct spin_away *away = &spin->away[for_room];

	if (!crowded)
		return 0;
	if (away->skip) {
		away->skip--;
		return 0;
	}
	return YIELDS;
}

bool spin_yielded(struct spin *spin, bool for_room, uint64_t away_ns, bool over)
{
	struct spin_away *away = &spin->away[for_room];

	if (away_ns > (for_room ? AWAY_LONG_FOR_ROOM_NS : AWAY_LONG_NS)) {
		away->backoff = away->backoff < BACKOFF_MAX ? away->backoff * 2 + 1 : BACKOFF_MAX;
		away->skip = away->backoff;
		return false;
	}
	if (over)
		away->backoff /= 2;
	return true;
}
