/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters that are to be given again. A letter gets a mark for one slot of one run; the worker that sits there takes it, and with its
 * commit the letter leaves the store. Any process; as for letter_store.h.
 */
#pragma once

#include <stdbool.h>

#include "common/store/letter_store.h"

struct letter_mark {
	uint64_t number; /* from 1, rising in the store: of a slot's marks the smallest is taken first */
	uint64_t id;     /* of the letter */
	uint64_t run;    /* CLOCK_REALTIME of the run's start */
	uint32_t slot;
	bool taking; /* its slot is about to commit that it has taken the letter, or has; see letter_store_taking() */
	bool again;  /* to mark: also if another run was about to, and nobody knows whether it did */
};

#define LETTER_MARK_ANY_SLOT UINT32_MAX

/*
 * Marks the letters marks[].id for the run and slot given with each; the numbers are given here. All in one transaction, durable. What is
 * marked for the same run already keeps its mark; ids that are not there are none, nor is, without `again`, one that another run was
 * about to take. ret_marked: how many have a mark now. The room that giving them again will want is taken on the disk beforehand;
 * without it nothing is marked. Store in mode TEND or WRITE. Returns 0; DAMAGED; FULL; HELD; -errno.
 */
int letter_store_mark(struct letter_store *store, const struct letter_mark *marks, size_t n, size_t *ret_marked);

/*
 * The marks of a run for a slot, or LETTER_MARK_ANY_SLOT, with numbers above `above`, in the order of their numbers; *ret_marks is the
 * caller's to free(). A snapshot; waits for nobody. Returns 0; DAMAGED; -errno.
 */
int letter_store_marks(struct letter_store *store, uint64_t run, uint32_t slot, uint64_t above,
		       struct letter_mark **ret_marks, size_t *ret_n);

/*
 * Before the slot commits that it has taken those letters: says so, durably, so that no later run gives them again by itself. What has no
 * mark any more (purged, or replaced by letter_store_return()) is passed over. Takes no lock for none. Has room of its own in a full
 * store. Returns 0; LETTER_REPLAY_E_ELSEWHERE: one is marked for another slot or run now, and nothing has changed; DAMAGED; FULL; HELD;
 * -errno.
 */
enum { LETTER_REPLAY_E_ELSEWHERE = 20 };
int letter_store_taking(struct letter_store *store, uint64_t run, uint32_t slot, const uint64_t *ids, size_t n);

/*
 * The letters that another run than this was about to take when it ended, and nobody lives who knows whether it did; ids in *ret_ids,
 * ascending, the caller's to free(). A snapshot. Returns 0; DAMAGED; -errno.
 */
int letter_store_doubtful(struct letter_store *store, uint64_t run, uint64_t **ret_ids, size_t *ret_n);

/*
 * The slot has taken everything up to `number`: those letters leave the store. Takes no lock if there are none. Has room of its own in a
 * full store. Returns 0; DAMAGED; FULL; HELD; -errno.
 */
int letter_store_taken(struct letter_store *store, uint64_t run, uint32_t slot, uint64_t number);
/*
 * As letter_store_taken(), and the slot is over, its last worker dead, and will take nothing more: its other letters lose their marks and
 * stay. number may be LETTER_TAKEN_UNKNOWN: then those that it was about to take keep their marks, and are in doubt.
 */
#define LETTER_TAKEN_UNKNOWN UINT64_MAX
int letter_store_give_up(struct letter_store *store, uint64_t run, uint32_t slot, uint64_t number);
/* The letter stays and is not to be given again. Returns 0; DAMAGED; FULL; HELD; -errno. */
int letter_store_unmark(struct letter_store *store, uint64_t id);

/*
 * The letter of letter->id has failed again: it is replaced, keeps its id, and loses its mark; its identity may be another one.
 * If it was purged meanwhile it is put as a new one. Has room of its own in a full store. Returns as letter_store_put().
 */
int letter_store_return(struct letter_store *store, const struct dead_letter *letter);
