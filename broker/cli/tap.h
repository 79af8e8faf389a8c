/* SPDX-License-Identifier: Apache-2.0 */
/* weir tap, once its arguments are known (own folder only). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/cli/tap_sieve.h"
#include "broker/cli/tap_text.h"
#include "broker/observe/observer.h"
#include "common/record/redact.h"

struct tap_order {
	const char *name, *edge; /* edge NULL: all */
	uint64_t per_second;     /* items shown, at most */
	uint64_t count;          /* ends after so many; 0: does not */
	uint64_t for_ns;         /* ends after so long; 0: does not */
	struct tap_style style;
	struct redact redact;
	struct tap_sieve *sieve; /* NULL: all pass */
};

struct tap_sum {
	uint64_t shown, emitted, filtered, missed;
	uint64_t failed; /* items that the filter has failed on; ... */
	bool ended;      /* the pipeline */
	bool unread;     /* whoever reads standard output is gone */
};

/*
 * Shows what passes until something ends it; *told_to_end is looked at. Returns 0 and the sum; TAP_E_LOST: the pipeline is gone and has not
 * said so; TAP_E_SIEVE, TAP_E_EDGE, or -errno, and why. Blocks.
 */
enum { TAP_E_LOST = 1, TAP_E_SIEVE = 2, TAP_E_EDGE = 3 };
int tap_run(const struct tap_order *order, struct observer *observer, const volatile int *told_to_end,
	    struct tap_sum *ret_sum, struct text *why);
