/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair of a dead worker's segment. The one condition for everything here: the kernel has proved the worker dead, and
 * its children never had the memory; so nobody else writes, and what it holds stays as it is.
 *
 *      1. check the whole record against the geometry in private memory   (else: nothing is touched, quarantine)
 *      2. apply it, then state := 0                                        a kill here: both are done again
 *      3. name the suspect: the item in hand, if it was alone and the repaired `done` is not past it
 *      4. hand and armed := 0
 *
 * `free` stays where it is: records that the dead worker has emitted may refer to what lies between it and `done`, and only
 * its lanes and their consumers know. The next generation looks there and moves it on (worker/pins.c).
 *
 * Every step stores absolute values that depend only on what earlier steps leave alone, so a supervisor that dies at
 * any instruction is followed by one that runs it all again. Only the note of the suspect can get lost by that: an
 * attempt that was not counted, never an item.
 */
#include "common/flow/repair.h"

#include <string.h>

#include "common/flow/commit_priv.h"
#include "common/flow/item_layout.h"

/* A position may stay or move ahead, by less than half the number range; records keep it aligned. */
static bool position_follows(uint64_t before, uint64_t after)
{
	return (int64_t)(after - before) >= 0 && !(after % ITEM_ALIGNMENT);
}

/* A tail may stay (the record was applied already) or go back, by no more than all the lanes together hold. */
static bool position_precedes(uint64_t before, uint64_t after, uint64_t data_bytes)
{
	return before - after <= data_bytes && !(after % ITEM_ALIGNMENT);
}

static bool ordinal_follows(uint64_t before, uint64_t after)
{
	return (int64_t)(after - before) >= 0;
}

/* Which of n structs, that begin at off_first and lie one behind the other, holds the word, and where in it. */
static bool find_struct(uint32_t word, uint64_t off_first, size_t struct_bytes, uint32_t n, uint32_t *ret_index,
			uint32_t *ret_offset)
{
	uint64_t behind_bytes = (uint64_t)word * sizeof(uint64_t) - off_first;

	*ret_index = (uint32_t)(behind_bytes / struct_bytes);
	*ret_offset = (uint32_t)(behind_bytes % struct_bytes);
	return behind_bytes / struct_bytes < n; /* also false for a word before them */
}

static bool tail_valid(const struct segment *segment, const struct commit_operation *operation)
{
	const struct segment_geometry *geometry = &segment->geometry;
	uint64_t value = operation->value;
	uint32_t i, offset;

	if (!find_struct(operation->word, geometry->off_writers, sizeof(struct lane_writer), geometry->n_writers, &i,
			 &offset))
		return false;
	if (operation->kind == COMMIT_RETRACT)
		return offset == offsetof(struct lane_writer, tail) &&
		       position_precedes(load_relaxed(&segment->writers[i].tail), value,
					 geometry->size_bytes - geometry->off_data);
	if (offset == offsetof(struct lane_writer, tail_ordinal))
		return geometry->drops && ordinal_follows(load_relaxed(&segment->writers[i].tail_ordinal), value);
	return offset == offsetof(struct lane_writer, tail) &&
	       position_follows(load_relaxed(&segment->writers[i].tail), value);
}

static bool done_valid(const struct segment *segment, const struct commit_operation *operation)
{
	const struct segment_geometry *geometry = &segment->geometry;
	uint64_t value = operation->value;
	uint32_t i, offset;

	if (!find_struct(operation->word, geometry->off_readers, sizeof(struct lane_reader), geometry->n_readers, &i,
			 &offset))
		return false;
	if (offset == offsetof(struct lane_reader, done_ordinal))
		return geometry->holds && ordinal_follows(load_relaxed(&segment->readers[i].done_ordinal), value);
	return offset == offsetof(struct lane_reader, done) &&
	       position_follows(load_relaxed(&segment->readers[i].done), value);
}

static bool bits_valid(const struct segment *segment, const struct commit_operation *operation)
{
	const struct segment_geometry *geometry = &segment->geometry;
	uint32_t i, offset;

	if (!geometry->off_done_bits || !find_struct(operation->word, geometry->off_done_bits, sizeof(struct done_bits),
						     geometry->n_readers, &i, &offset))
		return false;
	if (offset == offsetof(struct done_bits, ordinal))
		return operation->value - load_relaxed(&segment->done_bits[i].ordinal) <= DONE_BITS_WINDOW;
	return offset >= offsetof(struct done_bits, words);
}

static bool operation_valid(const struct segment *segment, const struct commit_operation *operation)
{
	switch (operation->kind) {
	case COMMIT_LETTER:
		return operation->word == commit_word(segment->base, &segment->cursor_switch->letter) &&
		       operation->value >= load_relaxed(&segment->cursor_switch->letter);
	case COMMIT_TAIL:
	case COMMIT_RETRACT:
		return tail_valid(segment, operation);
	case COMMIT_CURSOR:
		return operation->word == commit_word(segment->base, &segment->cursor_switch->flips) &&
		       operation->value - load_relaxed(&segment->cursor_switch->flips) <= 1;
	case COMMIT_BITS:
		return bits_valid(segment, operation);
	case COMMIT_DONE:
		return done_valid(segment, operation);
	default:
		return false;
	}
}

static bool record_valid(const struct segment *segment, uint64_t n)
{
	if (n > segment_operations_max(&segment->geometry))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		const struct commit_operation *operation = &segment->record->operations[i];

		if (!operation_valid(segment, operation) || (i && operation[-1].kind > operation->kind))
			return false;
	}
	return true;
}

bool repair_is_untaken(const struct segment *segment, uint32_t lane, uint64_t position)
{
	if (lane == HAND_LETTER)
		return position > load_relaxed(&segment->cursor_switch->letter);
	return lane < segment->geometry.n_readers &&
	       (int64_t)(position - load_relaxed(&segment->readers[lane].done)) >= 0;
}

static void find_suspect(const struct segment *segment, struct repair_report *report)
{
	const struct segment_hand *hand = segment->hand;
	uint32_t lane = load_relaxed(&hand->lane);
	uint64_t position = load_relaxed(&hand->position);

	if (segment->geometry.off_done_bits)
		report->in_flight = load_relaxed(&hand->in_flight);
	/* With several in flight the note names one that may have had nothing to do with it. */
	if (report->in_flight > 1)
		return;
	/* [S2] mate: turn_note_hand */
	if (load_acquire(&hand->busy) == HAND_EMPTY || !repair_is_untaken(segment, lane, position))
		return;
	report->in_hand = true;
	report->suspect_lane = lane;
	report->suspect_position = position;
	report->suspect_sequence = load_relaxed(&hand->sequence);
}

int repair_run(struct segment *segment, struct repair_report *ret_report)
{
	struct repair_report report = { 0 };
	uint64_t n = load_acquire(&segment->record->state); /* [C1] mate: commit_publish */

	if (!record_valid(segment, n))
		return REPAIR_E_CORRUPT;
	if (n) {
		if (WEIR_MUTANT == MUTANT_REPAIR_IDLE_FIRST)
			store_release(&segment->record->state, 0);
		commit_apply(segment->base, segment->record->operations, &segment->record->operations[n]);
		store_release(&segment->record->state, 0); /* [C1] last: IDLE means that all of it is applied */
		report.applied = true;
	}
	if (WEIR_MUTANT != MUTANT_NO_SUSPECT)
		find_suspect(segment, &report);
	store_release(&segment->hand->busy, 0); /* [S2] */
	store_relaxed(&segment->hand->in_flight, 0);
	store_relaxed(&segment->hand->due_ns, 0);
	store_release(&segment->armed->word, 0); /* [D2] */
	*ret_report = report;
	return 0;
}

void repair_close(struct segment *segment)
{
	for (uint32_t i = 0; i < segment->geometry.n_writers; i++)
		store_release(&segment->writers[i].closed, 1); /* [L3] mate: lane_in_refresh */
}

static bool has_ended(const struct done_bits *bits, uint64_t ordinal, uint64_t number)
{
	return bits && number < DONE_BITS_WINDOW &&
	       load_acquire(&bits->words[(ordinal + number) % DONE_BITS_WINDOW / 64]) >> ((ordinal + number) % 64) &
		       1; /* [I1] mate: commit_store */
}

int census_lane_with_bits(const unsigned char *data, uint64_t capacity_bytes, uint64_t done, uint64_t tail,
			  const struct done_bits *bits, uint64_t *ret_items)
{
	uint64_t items = 0, ordinal = bits ? load_acquire(&bits->ordinal) : 0; /* [I1] mate: commit_store */

	if (tail - done > capacity_bytes || done % ITEM_ALIGNMENT || tail % ITEM_ALIGNMENT)
		return REPAIR_E_CORRUPT;
	for (uint64_t number = 0; done != tail; number++) {
		struct item_header header;

		if (tail - done < sizeof(header))
			return REPAIR_E_CORRUPT;
		memcpy(&header, data + (done & (capacity_bytes - 1)), sizeof(header));
		if (item_record_size(header.size_bytes) > tail - done || !item_makes_sense(&header))
			return REPAIR_E_CORRUPT;
		items += header.kind != ITEM_RUN_END && !has_ended(bits, ordinal, number);
		done += item_record_size(header.size_bytes);
	}
	*ret_items = items;
	return 0;
}

int census_lane(const unsigned char *data, uint64_t capacity_bytes, uint64_t done, uint64_t tail, uint64_t *ret_items)
{
	return census_lane_with_bits(data, capacity_bytes, done, tail, NULL, ret_items);
}
