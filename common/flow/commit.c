/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit record: a turn moves many words in shared memory, and a process can be killed between any two stores.
 *
 *      worker                                             supervisor, after the kernel has proved the worker dead
 *      ------                                             -------------------------------------------------------
 *      cursor -> the copy that does not count             state 0: nothing of the turn counts. The items are still in
 *      operations (kind, word, value)  -> record                   the input lanes; the next generation takes them.
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
#include "common/base/prefetch.h"
#include "common/base/words.h"
#include "common/flow/commit_priv.h"
#include "common/observe/ledger.h"

#define SNAPSHOT_ATTEMPTS 8

void commit_init(struct commit *commit, struct segment *segment)
{
	commit->segment = segment;
	commit->base = segment->base;
	commit->state = &segment->record->state;
	commit->first = segment->record->operations;
	commit->end = commit->first + segment_operations_max(&segment->geometry);
	commit->next = commit->first;
	memset(segment->record->pad, 0,
	       sizeof(segment->record->pad)); /* a dead worker may have scribbled there: kind_before() */
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

/*
 * Word by word what changes in every turn (words.h), the rest as it comes: what else is in the ledger, and what is said once in a
 * stream's life.
 */
static inline void copy_cursor(const struct commit *commit, struct cursor *to, const struct cursor *from)
{
	static_assert(LEDGER_REJECTED_IN == 7 && offsetof(struct cursor, sequence) == sizeof(from->ledger),
		      "what every turn changes comes first");
#ifdef WEIR_EXPLORE /* one step of the explored program, as in words_copy() */
	(void)commit;
	memcpy(to, from, sizeof(*to));
#else
	words_copy(to->ledger, from->ledger, LEDGER_REJECTED_IN * sizeof(from->ledger[0]));
	memcpy(&to->ledger[LEDGER_REJECTED_IN], &from->ledger[LEDGER_REJECTED_IN],
	       (LEDGER_MAX - LEDGER_REJECTED_IN) * sizeof(from->ledger[0]));
	to->sequence = from->sequence;
	memcpy(&to->finished, &from->finished, offsetof(struct cursor, expected) - offsetof(struct cursor, finished));
	words_copy(to->expected, from->expected, commit->cursor_inputs * sizeof(from->expected[0]));
	for (uint32_t i = 0; i < commit->cursor_outputs; i++)
		words_copy(&to->outputs[i], &from->outputs[i], sizeof(from->outputs[i]));
	words_copy(to->stage, from->stage, commit->cursor_stage_bytes);
	to->extension_words = from->extension_words;
	to->state_end = from->state_end;
	if (from->extension_words)
		memcpy(to->extension, from->extension, from->extension_words * sizeof(uint64_t));
	if (from->ledger[LEDGER_CANCELLED])
		memcpy(to->cancelled_by, from->cancelled_by, sizeof(to->cancelled_by));
#endif
}

/* The kind of the one before; before the first there are zeros, at the end of the record's head. */
static inline uint32_t kind_before(const struct commit_operation *operation)
{
	static_assert(sizeof(struct commit_record) - offsetof(struct commit_record, pad) >= sizeof(*operation),
		      "zeros");
	return operation[-1].kind;
}

static inline void add(struct commit *commit, enum commit_kind kind, atomic_u64 *word, uint64_t value)
{
	struct commit_operation *operation = commit->next;

	if (!WEIR_COMMIT_RECORD) {
		commit_store(word, value);
		return;
	}
	must(operation < commit->end && kind_before(operation) <= kind);
	if (WEIR_MUTANT == MUTANT_COMMITTED_EARLY)
		store_release(commit->state, commit_collected(commit) + 1);
	operation->kind = kind;
	operation->word = commit_word(commit->base, word);
	operation->value = value;
	commit->next = operation + 1;
}

void commit_add_tail(struct commit *commit, const struct lane_out *lane)
{
	/* The reader holds this line. It is on its way while the rest of the record is written. */
	prefetch_to_write(&lane->writer->tail);
	add(commit, COMMIT_TAIL, &lane->writer->tail, lane->built);
}

void commit_add_retract(struct commit *commit, const struct lane_out *lane, uint64_t cut)
{
	must(lane->built == lane->tail && lane->tail - cut <= lane->capacity_bytes);
	add(commit, COMMIT_RETRACT, &lane->writer->tail, cut);
}

void commit_add_done(struct commit *commit, const struct lane_in *lane)
{
	add(commit, COMMIT_DONE, &lane->reader->done, lane->next);
}

void commit_add_done_at(struct commit *commit, const struct lane_in *lane, uint64_t position)
{
	add(commit, COMMIT_DONE, &lane->reader->done, position);
}

void commit_add_bits(struct commit *commit, uint32_t reader, uint32_t word, uint64_t value)
{
	struct done_bits *bits = commit->segment->done_bits;

	must(bits && reader < commit->segment->geometry.n_readers && word <= DONE_BITS_ORDINAL);
	bits += reader;
	if (WEIR_MUTANT == MUTANT_BITS_OUTSIDE && word != DONE_BITS_ORDINAL)
		store_release(&bits->words[word], value);
	else if (WEIR_MUTANT == MUTANT_ORDINAL_FORGOTTEN && word == DONE_BITS_ORDINAL)
		return;
	else
		add(commit, COMMIT_BITS, word == DONE_BITS_ORDINAL ? &bits->ordinal : &bits->words[word], value);
}

void commit_add_tail_ordinal(struct commit *commit, const struct lane_out *lane, uint64_t ordinal)
{
	add(commit, COMMIT_TAIL, &lane->writer->tail_ordinal, ordinal);
}

void commit_add_done_ordinal(struct commit *commit, const struct lane_in *lane, uint64_t ordinal)
{
	add(commit, COMMIT_DONE, &lane->reader->done_ordinal, ordinal);
}

void commit_add_letter(struct commit *commit, uint64_t number)
{
	add(commit, COMMIT_LETTER, &commit->segment->cursor_switch->letter, number);
}

void commit_add_cursor(struct commit *commit, const struct cursor *cursor)
{
	struct segment *segment = commit->segment;
	const bool other_copy = WEIR_COMMIT_RECORD && WEIR_MUTANT != MUTANT_LEDGER_OUTSIDE;
	uint64_t flips = load_relaxed(&segment->cursor_switch->flips) + other_copy;

	copy_cursor(commit, &segment->cursors[flips & 1], cursor); /* [C2] before flips */
	add(commit, COMMIT_CURSOR, &segment->cursor_switch->flips, flips);
}

void commit_publish(struct commit *commit)
{
	atomic_u64 *state = commit->state;
	struct commit_operation *const first = commit->first, *const end = commit->next;
	const uint64_t n = (uint64_t)(end - first);

	if (!n)
		return;
	if (WEIR_MUTANT != MUTANT_NO_RECORD)
		store_release(state, n); /* [C1] mate: repair_run */
	if (WEIR_MUTANT == MUTANT_IDLE_FIRST)
		store_release(state, 0);
	commit_apply(commit->base, first, end);
	store_release(state, 0); /* [C1] mate: repair_run */
	fence_release(); /* [C1] [C2] before the next record, and before the copy that no longer counts is written */
	commit->next = first;
}

const struct cursor *cursor_current(const struct segment *segment)
{
	return &segment->cursors[load_acquire(&segment->cursor_switch->flips) & 1]; /* [C2] mate: commit_store */
}

int cursor_snapshot(const struct segment *segment, struct cursor *ret_cursor)
{
	for (int attempt = 0; attempt < SNAPSHOT_ATTEMPTS; attempt++) {
		uint64_t flips = load_acquire(&segment->cursor_switch->flips); /* [C2] mate: commit_store */
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
