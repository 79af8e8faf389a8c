/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of a commit record, written by hand: by what they mean instead of by where it lies. */
#pragma once

#include "common/flow/commit_priv.h"

/* Which word of a segment: of lane `index`, of reader `index`, or the cursor's. */
enum word {
	WORD_TAIL,
	WORD_TAIL_ORDINAL,
	WORD_FLIPS,
	WORD_LETTER,
	WORD_BITS,
	WORD_ORDINAL,
	WORD_DONE,
	WORD_DONE_ORDINAL,
	WORD_FREE
};

/* As if there were as many lanes as it takes; the segment is not touched. */
static inline uint32_t word_number(const struct segment *segment, enum word word, uint32_t index)
{
	const struct segment_geometry *geometry = &segment->geometry;
	uint64_t writer = geometry->off_writers + (uint64_t)index * sizeof(struct lane_writer);
	uint64_t reader = geometry->off_readers + (uint64_t)index * sizeof(struct lane_reader);
	uint64_t bits = geometry->off_done_bits + (uint64_t)index * sizeof(struct done_bits);
	uint64_t at = 0;

	switch (word) {
	case WORD_TAIL:
		at = writer + offsetof(struct lane_writer, tail);
		break;
	case WORD_TAIL_ORDINAL:
		at = writer + offsetof(struct lane_writer, tail_ordinal);
		break;
	case WORD_FLIPS:
		at = SEGMENT_OFF_SWITCH + (uint64_t)index * sizeof(uint64_t);
		break;
	case WORD_LETTER:
		at = SEGMENT_OFF_SWITCH + offsetof(struct segment_cursor_switch, letter) +
		     (uint64_t)index * sizeof(uint64_t);
		break;
	case WORD_BITS:
		at = bits + offsetof(struct done_bits, words);
		break;
	case WORD_ORDINAL:
		at = bits + offsetof(struct done_bits, ordinal);
		break;
	case WORD_DONE:
		at = reader + offsetof(struct lane_reader, done);
		break;
	case WORD_DONE_ORDINAL:
		at = reader + offsetof(struct lane_reader, done_ordinal);
		break;
	case WORD_FREE:
		at = reader + offsetof(struct lane_reader, free);
		break;
	}
	return (uint32_t)(at / sizeof(uint64_t));
}

static inline struct commit_operation operation_of(const struct segment *segment, uint32_t kind, enum word word,
						   uint32_t index, uint64_t value)
{
	return (struct commit_operation){ .kind = kind, .word = word_number(segment, word, index), .value = value };
}
