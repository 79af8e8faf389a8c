/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a commit, shared by the worker that makes it and the supervisor that finishes it. */
#pragma once

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

/* How an operation names a word of its segment: by the number of words before it. */
static inline uint32_t commit_word(const unsigned char *base, const atomic_u64 *word)
{
	return (uint32_t)((size_t)((const unsigned char *)word - base) / sizeof(*word));
}

/* One operation takes effect: a word that other processes read gets its new value. */
static inline void commit_store(atomic_u64 *word, uint64_t value)
{
	store_release(word, value); /* [L1] [L6] [C2] [I1] [L4] [C3] */
}

/*
 * Applies operations of a record, which its reader has checked or its writer has just written, in the order of their kinds, to the
 * segment that begins at base. Each is one store of an absolute value, so doing it again changes nothing.
 */
static inline void commit_apply(unsigned char *base, const struct commit_operation *operation,
				const struct commit_operation *end)
{
	atomic_u64 *words = (atomic_u64 *)(void *)base;

	for (; operation < end; operation++)
		commit_store(&words[operation->word], operation->value);
}
