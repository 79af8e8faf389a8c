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
	uint64_t items;          /* shown at most, in `seconds` */
	uint64_t seconds;
	uint64_t count;  /* ends when so many are shown, under however many supervisors; 0: does not */
	uint64_t end_ns; /* CLOCK_MONOTONIC, ends then; UINT64_MAX: does not */
	struct tap_style style;
	struct redact redact;
	struct tap_sieve *sieve; /* NULL: all pass */
};

struct tap_sum {
	uint64_t shown, emitted, filtered, missed;
	uint64_t failed; /* items that the filter has failed on; ... */
	bool ended;      /* the pipeline */
	int unread;      /* errno: standard output can not be written; EPIPE: whoever reads it is gone; 0: it can */
};

/*
 * Shows what passes until something ends it; *told_to_end is looked at. What it counts is added to *sum, which begins as zeros. Returns
 * 0; TAP_E_LOST: the pipeline is gone and has not said so, and there is more to be shown; TAP_E_SIEVE, TAP_E_EDGE, or -errno, and why.
 * Blocks.
 */
enum { TAP_E_LOST = 1, TAP_E_SIEVE = 2, TAP_E_EDGE = 3 };
int tap_run(const struct tap_order *order, struct observer *observer, const volatile int *told_to_end,
	    struct tap_sum *sum, struct text *why);
