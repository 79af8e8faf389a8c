/* SPDX-License-Identifier: Apache-2.0 */
/* How it ended: the ledger's laws and the exit code. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/observe/ledger.h"

/* Exit codes of weir run (DESIGN section 6). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_SPEC_INVALID = 1,
	EXIT_USAGE = 2,
	EXIT_LOSSES = 3, /* ended, but not everything that was accepted arrived */
	EXIT_DRAIN_DEADLINE = 4,
	EXIT_STATE_CORRUPT = 5, /* the ledger does not balance, or a segment made no sense */
	EXIT_TRY_AGAIN = 75,    /* could not start: nothing was accepted */
	EXIT_SIGNAL_BASE = 128,
};

struct outcome {
	uint64_t ledger[LEDGER_COUNT]; /* sum over all slots */
	uint64_t in_lanes;             /* items that lie in lanes */
	bool letters_settled; /* whatever became a dead letter has been taken after all, or purged: none is left */
	bool letters_held; /* some were given again and could not be settled: nobody has looked whether they were taken */
	bool corrupt;      /* a segment or a lane made no sense */
	bool start_failed;          /* never got to run */
	bool spec_matter;           /* ... because of the spec: EXIT_SPEC_INVALID */
	bool stage_failed;          /* a stage failed for good */
	bool drain_deadline_passed; /* the clock, not a person, ended the draining */
	int signal_number;          /* that ordered the end; 0: none */
};

/* Emitted + replayed = taken + dropped + refused + in lanes, and taken = the sum of all fates. */
bool outcome_balanced(const struct outcome *outcome);
/* Items that were accepted and have no fate: in lanes, or held by a stage. */
uint64_t outcome_in_flight(const struct outcome *outcome);
/* Items that were rejected, refused or given up: dead letters. */
uint64_t outcome_letters(const uint64_t ledger[LEDGER_COUNT]);
/* Every item has reached a good end: nothing in flight, expired, cancelled, no dead letter left or unsettled; nothing failed.
 * Dropped at a full lane is a good end: the spec asked for it. */
bool outcome_lossless(const struct outcome *outcome);
/* enum exit_code, or EXIT_SIGNAL_BASE + signal. */
int outcome_exit_code(const struct outcome *outcome);
