/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a commit, shared by the worker that makes it and the supervisor that finishes it. */
#pragma once

#include "common/base/must.h"
#include "common/memory/segment.h"

/* tests/crash compiles this folder once for each error it plants, to prove that its walk would find it. 0: none. */
#ifndef WEIR_MUTANT
#define WEIR_MUTANT 0
#endif
/*
 * bench/ compiles commit.c once more with 0, to know what the record costs: the same stores, in the same order, made directly, and the
 * cursor in place. A kill may then leave half a turn: no program that is installed is built so.
 */
#ifndef WEIR_COMMIT_RECORD
#define WEIR_COMMIT_RECORD 1
#endif

enum mutant {
	MUTANT_COMMITTED_EARLY = 1,    /* the record counts before its operations are whole */
	MUTANT_IDLE_FIRST = 2,         /* the record stops counting before it is applied */
	MUTANT_NO_RECORD = 3,          /* the stores are just made */
	MUTANT_LEDGER_OUTSIDE = 4,     /* the cursor is written into the copy that counts */
	MUTANT_REPAIR_IDLE_FIRST = 5,  /* the same as 2, in the repairer */
	MUTANT_NEIGHBOURS_UNRUNG = 6,  /* nobody rings after a death; planted in the tests' supervisor */
	MUTANT_NO_SUSPECT = 7,         /* the repair forgets what was in hand */
	MUTANT_BITS_OUTSIDE = 21,      /* done-bits are stored outside the record */
	MUTANT_ORDINAL_FORGOTTEN = 22, /* the number of the record at `done` does not move with it */
};

/* The word that a COMMIT_BITS operation names; its index has been checked. */
static inline atomic_u64 *done_bits_word(struct segment *segment, uint32_t index)
{
	struct done_bits *bits = &segment->done_bits[index / DONE_BITS_STRIDE];
	uint32_t word = index % DONE_BITS_STRIDE;

	return word == DONE_BITS_ORDINAL ? &bits->ordinal : &bits->words[word];
}

/* Applies n operations. Each is one store of an absolute value, so doing it again changes nothing. */
static inline void commit_apply_these(struct segment *segment, const struct commit_operation *operation, uint64_t n)
{
	const struct commit_operation *end = operation + n;

	for (; operation < end; operation++) {
		uint32_t index = operation->index;
		uint64_t value = operation->value;

		switch (operation->kind) {
		case COMMIT_TAIL:
			if (index < segment->geometry.n_writers)
				store_release(&segment->writers[index].tail, value); /* [L1] mate: lane_in_refresh */
			else
				store_release(&segment->writers[index - segment->geometry.n_writers].tail_ordinal,
					      value); /* [L1] mate: hold_end */
			break;
		case COMMIT_RETRACT: /* its reader is dead for good: only who sums lanes sees this */
			store_release(&segment->writers[index].tail, value); /* [L6] mate: take_queues */
			break;
		case COMMIT_CURSOR:
			store_release(&segment->cursor_switch->flips, value); /* [C2] mate: cursor_snapshot */
			break;
		case COMMIT_BITS:
			store_release(done_bits_word(segment, index), value); /* [I1] mate: census_lane_with_bits */
			break;
		case COMMIT_DONE:
			if (index < segment->geometry.n_readers)
				store_release(&segment->readers[index].done, value); /* [L4] mate: take_queues */
			else
				store_release(&segment->readers[index - segment->geometry.n_readers].done_ordinal,
					      value); /* [L4] mate: count_lane */
			break;
		default:
			unreachable_because("operations are written by commit.c or checked by repair.c");
		}
	}
}

/* The first n of the record, which its reader has checked or its writer has just written. */
static inline void commit_apply(struct segment *segment, uint64_t n)
{
	commit_apply_these(segment, segment->record->operations, n);
}
