/* SPDX-License-Identifier: Apache-2.0 */
/* The commit record: what makes a turn happen at once, or not at all. */
#pragma once

#include <stdint.h>

#include "common/flow/lane.h"
#include "common/memory/segment.h"

struct commit {
	struct segment *segment;                                    /* own, writable; borrowed */
	unsigned char *base;                                        /* where its words are counted from */
	atomic_u64 *state;                                          /* of its record ... */
	struct commit_operation *first, *end;                       /* ... that has room for these operations */
	struct commit_operation *next;                              /* behind those that are collected */
	uint32_t cursor_inputs, cursor_outputs, cursor_stage_bytes; /* what of the cursor is in use */
};

void commit_init(struct commit *commit, struct segment *segment);
/* The rest of the cursor is never anything but zero, and need not be copied at each commit. Until this is called, all of it is. */
void commit_limit_cursor(struct commit *commit, uint32_t n_inputs, uint32_t n_outputs, uint32_t stage_size_bytes);

/* How many operations are collected. */
static inline uint64_t commit_collected(const struct commit *commit)
{
	return (uint64_t)(commit->next - commit->first);
}

/* Collects: the lane's built end becomes its tail; the taken end its done; the other cursor copy gets the bytes and will count. */
void commit_add_tail(struct commit *commit, const struct lane_out *lane);
/* The lane's tail goes back to cut: what lay behind it goes to other lanes with the same record. Between the tails and the cursor. */
void commit_add_retract(struct commit *commit, const struct lane_out *lane, uint64_t cut);
void commit_add_done(struct commit *commit, const struct lane_in *lane);
/* Lanes of full: drop-old: the number of records before the new tail, or behind the new done. */
void commit_add_tail_ordinal(struct commit *commit, const struct lane_out *lane, uint64_t ordinal);
void commit_add_done_ordinal(struct commit *commit, const struct lane_in *lane, uint64_t ordinal);
/* The slot has taken the dead letter of the mark with this number, and all of smaller ones. Before everything else. */
void commit_add_letter(struct commit *commit, uint64_t number);
void commit_add_cursor(struct commit *commit, const struct cursor *cursor);

/*
 * The same for a lane of an asynchronous stage (done_bits.h): one word of its done-bits, or DONE_BITS_ORDINAL; and a done end that lies
 * behind what has been taken. The bits of all lanes come before the first done.
 */
void commit_add_bits(struct commit *commit, uint32_t reader, uint32_t word, uint64_t value);
void commit_add_done_at(struct commit *commit, const struct lane_in *lane, uint64_t position);

/*
 * Makes everything collected take effect, atomically with respect to the death of this process, in the order in which
 * it was added: letter, tails, cursor, done-bits, done. The lanes' private positions are the caller's to move. Wait-free.
 */
void commit_publish(struct commit *commit);

/* The valid cursor copy. Any process; a reader beside a living writer may see a torn copy and asks again. */
const struct cursor *cursor_current(const struct segment *segment);
/* Copies it, consistent even while its writer lives. Returns 0, or 1 if the writer was faster eight times. */
int cursor_snapshot(const struct segment *segment, struct cursor *ret_cursor);
