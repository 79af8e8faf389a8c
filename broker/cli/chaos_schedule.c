/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/chaos_schedule.h"

#include "common/base/must.h"

void chaos_schedule_init(struct chaos_schedule *schedule, uint64_t seed)
{
	*schedule = (struct chaos_schedule){ .random = seed ? seed : UINT64_MAX };
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
static uint64_t throw_dice(struct chaos_schedule *schedule)
{
	uint64_t x = schedule->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	schedule->random = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t chaos_schedule_choose(struct chaos_schedule *schedule, uint64_t n)
{
	must(n);
	return throw_dice(schedule) % n; /* n is small beside 2^64: no side is favoured that anybody could see */
}

/* Half a period at least, one and a half at most. */
static uint64_t next_due_ns(struct chaos_schedule *schedule, enum chaos_act act, uint64_t now_ns)
{
	uint64_t period_ns = schedule->period_ns[act];

	return now_ns + period_ns / 2 + chaos_schedule_choose(schedule, period_ns);
}

void chaos_schedule_every(struct chaos_schedule *schedule, enum chaos_act act, uint64_t period_ns, uint64_t now_ns)
{
	must(act < CHAOS_COUNT && period_ns);
	schedule->period_ns[act] = period_ns;
	schedule->due_ns[act] = next_due_ns(schedule, act, now_ns);
}

enum chaos_act chaos_schedule_next(const struct chaos_schedule *schedule, uint64_t *ret_due_ns)
{
	enum chaos_act next = CHAOS_COUNT;

	for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
		if (schedule->period_ns[act] && (next == CHAOS_COUNT || schedule->due_ns[act] < schedule->due_ns[next]))
			next = act;
	if (next != CHAOS_COUNT)
		*ret_due_ns = schedule->due_ns[next];
	return next;
}

void chaos_schedule_done(struct chaos_schedule *schedule, enum chaos_act act, uint64_t now_ns)
{
	schedule->due_ns[act] = next_due_ns(schedule, act, now_ns);
}
