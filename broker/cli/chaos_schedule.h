/* SPDX-License-Identifier: Apache-2.0 */
/* What weir chaos does next, and when, and to whom. Pure: the clock and the seed are handed in, and the same seed does the same. */
#pragma once

#include <stdint.h>

/* CHAOS_ACT(id, name, summary) in chaos_act.def */
enum chaos_act {
#define CHAOS_ACT(id_, name_, summary_) CHAOS_##id_,
#include "broker/cli/chaos_act.def"
#undef CHAOS_ACT
	CHAOS_COUNT
};

struct chaos_schedule {
	uint64_t random;                 /* state of the dice, never 0 */
	uint64_t period_ns[CHAOS_COUNT]; /* on average; 0: never */
	uint64_t due_ns[CHAOS_COUNT];
};

/* Nothing is due before it is asked for by chaos_schedule_every(). */
void chaos_schedule_init(struct chaos_schedule *schedule, uint64_t seed);
/* From now on `act` every period_ns, give or take half of it. */
void chaos_schedule_every(struct chaos_schedule *schedule, enum chaos_act act, uint64_t period_ns, uint64_t now_ns);
/* The act that comes next and its time; CHAOS_COUNT: none will. */
enum chaos_act chaos_schedule_next(const struct chaos_schedule *schedule, uint64_t *ret_due_ns);
/* It was done, at now_ns: throws the dice for the next time. */
void chaos_schedule_done(struct chaos_schedule *schedule, enum chaos_act act, uint64_t now_ns);
/* One of 0 ... n - 1, each as likely; n > 0. */
uint64_t chaos_schedule_choose(struct chaos_schedule *schedule, uint64_t n);
