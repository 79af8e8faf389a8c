/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit record: a turn moves many words in shared memory, and a process can be killed between any two stores.
 *
 *      worker                                             supervisor, after the kernel has proved the worker dead
 *      ------                                             -------------------------------------------------------
 *      cursor -> the copy that does not count             state 0: nothing of the turn counts. The items are still in
 *      operations (kind, index, value) -> record                   the input lanes; the next generation takes them.
 *      state := n                        [C1]  COMMITTED  state n: apply the n operations (again), state := 0.
 *      tails, flips, bits, dones := ...  [L1 C2 I1 L4]
 *      state := 0                        [C1]  IDLE
 *      release fence                     [C1]
 *
 * What memory holds after a kill is a prefix of the worker's stores in this order: while state is 0 no operation
 * counts, while it is n all n of them are whole. Every operation stores an absolute value, so applying it twice, or
 * after a peer has already acted on it, is the same as once. The fence keeps the next turn's first operation behind
 * state := 0.
 *
 * Tails go first and dones last: an observer who sums what lies in the lanes may count an item twice, never not at
 * all. The ledger lives in the cursor and moves with it; counters elsewhere are statistics.
 */
#include "common/flow/commit.h"

#include <string.h>

#include "common/base/must.h"
#include "common/base/words.h"
#include "common/flow/commit_priv.h"

#define SNAPSHOT_ATTEMPTS 8

void commit_init(struct commit *commit, struct segment *segment)
{
	commit->segment = segment;
	commit->n_operations = 0;
	commit->capacity = (uint32_t)segment_operations_max(&segment->geometry);
	commit_limit_cursor(commit, CURSOR_EDGES_MAX, CURSOR_EDGES_MAX, CURSOR_STAGE_SIZE);
	/* What earlier generations have moved stands before anything that this one writes: their own fences were theirs alone. */
	fence_release(); /* [C2] [L5] */
}

void commit_limit_cursor(struct commit *commit, uint32_t n_inputs, uint32_t n_outputs, uint32_t stage_size_bytes)
{
	must(n_inputs <= CURSOR_EDGES_MAX && n_outputs <= CURSOR_EDGES_MAX && stage_size_bytes <= CURSOR_STAGE_SIZE);
	commit->cursor_inputs = n_inputs;
	commit->cursor_outputs = n_outputs;
	commit->cursor_stage_bytes = stage_size_bytes;
}

static void copy_cursor(const struct commit *commit, struct cursor *to, const struct cursor *from)
{
	words_copy(to, from, offsetof(struct cursor, expected));
	words_copy(to->expected, from->expected, commit->cursor_inputs * sizeof(from->expected[0]));
	words_copy(to->outputs, from->outputs, commit->cursor_outputs * sizeof(from->outputs[0]));
	words_copy(to->stage, from->stage, commit->cursor_stage_bytes);
}

static void add(struct commit *commit, enum commit_kind kind, uint32_t index, uint64_t value)
{
	struct commit_record *record = commit->segment->record;
	uint32_t n = commit->n_operations;

	if (!WEIR_COMMIT_RECORD) {
		const struct commit_operation one = { .kind = kind, .index = index, .value = value };

		commit_apply_these(commit->segment, &one, 1);
		return;
	}
	must(n < commit->capacity && (!n || record->operations[n - 1].kind <= kind));
	if (WEIR_MUTANT == MUTANT_COMMITTED_EARLY)
		store_release(&record->state, n + 1);
	record->operations[n].kind = kind;
	record->operations[n].index = index;
	record->operations[n].value = value;
	commit->n_operations = n + 1;
}

void commit_add_tail(struct commit *commit, const struct lane_out *lane)
{
	must(lane->index < commit->segment->geometry.n_writers);
	add(commit, COMMIT_TAIL, lane->index, lane->built);
}

void commit_add_retract(struct commit *commit, const struct lane_out *lane, uint64_t cut)
{
	must(lane->index < commit->segment->geometry.n_writers && lane->built == lane->tail &&
	     lane->tail - cut <= lane->capacity_bytes);
	add(commit, COMMIT_RETRACT, lane->index, cut);
}

void commit_add_done(struct commit *commit, const struct lane_in *lane)
{
	commit_add_done_at(commit, lane->index, lane->next);
}

void commit_add_done_at(struct commit *commit, uint32_t reader, uint64_t position)
{
	must(reader < commit->segment->geometry.n_readers);
	add(commit, COMMIT_DONE, reader, position);
}

void commit_add_bits(struct commit *commit, uint32_t reader, uint32_t word, uint64_t value)
{
	must(commit->segment->done_bits && reader < commit->segment->geometry.n_readers && word < DONE_BITS_STRIDE);
	if (WEIR_MUTANT == MUTANT_BITS_OUTSIDE && word != DONE_BITS_ORDINAL)
		store_release(&commit->segment->done_bits[reader].words[word], value);
	else if (WEIR_MUTANT == MUTANT_ORDINAL_FORGOTTEN && word == DONE_BITS_ORDINAL)
		return;
	else
		add(commit, COMMIT_BITS, reader * DONE_BITS_STRIDE + word, value);
}

void commit_add_tail_ordinal(struct commit *commit, const struct lane_out *lane, uint64_t ordinal)
{
	add(commit, COMMIT_TAIL, commit->segment->geometry.n_writers + lane->index, ordinal);
}

void commit_add_done_ordinal(struct commit *commit, const struct lane_in *lane, uint64_t ordinal)
{
	add(commit, COMMIT_DONE, commit->segment->geometry.n_readers + lane->index, ordinal);
}

void commit_add_cursor(struct commit *commit, const struct cursor *cursor)
{
	struct segment *segment = commit->segment;
	const bool other_copy = WEIR_COMMIT_RECORD && WEIR_MUTANT != MUTANT_LEDGER_OUTSIDE;
	uint64_t flips = load_relaxed(&segment->cursor_switch->flips) + other_copy;

	copy_cursor(commit, &segment->cursors[flips & 1], cursor); /* [C2] before flips */
	add(commit, COMMIT_CURSOR, 0, flips);
}

void commit_publish(struct commit *commit)
{
	struct segment *segment = commit->segment;
	atomic_u64 *state = &segment->record->state;
	uint64_t n = commit->n_operations;

	if (!n)
		return;
	if (WEIR_MUTANT != MUTANT_NO_RECORD)
		store_release(state, n); /* [C1] mate: repair_run */
	if (WEIR_MUTANT == MUTANT_IDLE_FIRST)
		store_release(state, 0);
	commit_apply(segment, n);
	store_release(state, 0); /* [C1] mate: repair_run */
	fence_release(); /* [C1] [C2] before the next record, and before the copy that no longer counts is written */
	commit->n_operations = 0;
}

const struct cursor *cursor_current(const struct segment *segment)
{
	return &segment->cursors[load_acquire(&segment->cursor_switch->flips) & 1]; /* [C2] mate: commit_apply_these */
}

int cursor_snapshot(const struct segment *segment, struct cursor *ret_cursor)
{
	for (int attempt = 0; attempt < SNAPSHOT_ATTEMPTS; attempt++) {
		uint64_t flips = load_acquire(&segment->cursor_switch->flips); /* [C2] mate: commit_apply_these */
		struct cursor copy;

		memcpy(&copy, &segment->cursors[flips & 1], sizeof(copy));
		fence_acquire(); /* [C2] mate: the fence in commit_publish */
		if (load_relaxed(&segment->cursor_switch->flips) != flips)
			continue;
		*ret_cursor = copy;
		return 0;
	}
	return 1;
}
