/* SPDX-License-Identifier: Apache-2.0 */
/* When a dead worker's seat is filled again. Pure: clock and chance are handed in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct restart_policy {
	uint32_t intensity; /* deaths without progress allowed ... */
	uint64_t period_ns; /* ... within this */
	uint64_t backoff_min_ns, backoff_max_ns;
};

/* Of one stage: the times of its last `intensity` deaths without progress. */
struct restart_history {
	uint64_t *deaths_ns; /* ring of `intensity`; the owner's */
	uint32_t n, next;
};

/*
 * Notes the death of a generation and says whether another one may follow. A generation that committed a turn
 * (progressed) never counts. Returns false: more than `intensity` deaths within `period_ns`; the stage has failed.
 */
bool restart_allowed(struct restart_history *history, const struct restart_policy *policy, uint64_t now_ns,
		     bool progressed);

/*
 * How long the seat stays empty: min * 2^(failures - 1), at most max, +-20 % by `random`. failures: deaths of this seat in a
 * row without progress; 0 counts as 1. Relative, ns.
 */
uint64_t restart_backoff_ns(const struct restart_policy *policy, uint32_t failures, uint32_t random);
