/* SPDX-License-Identifier: Apache-2.0 */
/* A source that was told to drain, before it ends. */
#pragma once

#include "worker/worker.h"

#include "common/base/clock.h"

enum { REST_E_OVER = 211 }; /* it ends its stream now, whatever is ordered from here on */

#define REST_PATIENCE_NS (2 * NS_PER_S) /* with readers that take nothing */

/* How long it rests. Whoever asks says what time it is, and how much is left. */
struct rest {
	uint64_t until_ns; /* half of what was left until SIGTERM, whatever is taken */
	uint64_t patience_ns, moved_ns, left_bytes;
};

/* term_ns: when SIGTERM comes; 0, or past: there is no time to rest. */
void rest_begin(struct rest *rest, uint64_t now_ns, uint64_t term_ns, uint64_t patience_ns, uint64_t left_bytes);
/* So much is left now. Returns whether it goes on resting. */
bool rest_goes_on(struct rest *rest, uint64_t now_ns, uint64_t left_bytes);

/*
 * Rests until what the source gave has been taken, or nobody takes it any more: nothing of it for patience_ns. Between two turns only.
 * Returns 0: the order has been taken back, go on; REST_E_OVER; WEIR_CANCELLED; REPAIR_E_CORRUPT or -errno.
 */
int rest_for(struct worker *worker, uint64_t patience_ns);

/*
 * Its lanes are closed. With WEIR_STAGE_STAYS: calls produce() until that says WEIR_CLOSED. Returns 0; WEIR_CANCELLED; WEIR_FAILED, -errno.
 */
int rest_stay(struct worker *worker);
