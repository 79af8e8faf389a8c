/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled without hooks: what it reads is what memory holds. */
#include "tests/explore/world.h"

#include <stdio.h>
#include <string.h>

#include "common/observe/ledger.h"
#include "tests/explore/machine.h"

struct slot {
	struct segment_armed armed;
	struct segment_status status;
	struct segment_hand hand;
	struct segment_cursor_switch cursor_switch;
	struct segment_counters counters;
	struct cursor cursors[2];
	_Alignas(64) struct lane_reader readers[LANES];
	struct lane_writer writers[LANES];
	struct done_bits done_bits;
	_Alignas(64) unsigned char record[sizeof(struct commit_record) + 8 * sizeof(struct commit_operation)];
	_Alignas(64) unsigned char data[LANES][LANE_MAX];
	_Alignas(64) unsigned char hold[sizeof(struct hold_record) + RECORD_SIZE];
};

static struct {
	struct slot slots[SLOTS];
	union {
		struct board board;
		unsigned char bytes[sizeof(struct board) + SLOTS * sizeof(struct board_slot)];
	} board;
} arena;

static struct slot *const slots = arena.slots;
struct segment world_segments[SLOTS];
struct board *const world_board = &arena.board.board;
int world_doorbells[SLOTS] = { 0, 1, 2 };
struct world_settings world_settings;

#define WORD(word_, how_) explore_word(&(word_), sizeof(word_), (how_))

static enum explore_word seen(unsigned see, unsigned bit)
{
	return see & bit ? WORD_VISIBLE : WORD_PRIVATE;
}

static void declare(struct slot *slot, unsigned see)
{
	struct commit_record *record = (struct commit_record *)slot->record;

	WORD(slot->armed.word, seen(see, SEE_ARMED));
	WORD(slot->armed.need_bytes, seen(see, SEE_ARMED));
	WORD(slot->status.state, seen(see, SEE_STATUS));
	WORD(slot->status.generation, WORD_PRIVATE);
	WORD(slot->status.since_ns, WORD_PRIVATE);
	WORD(slot->status.heartbeat, WORD_PRIVATE);
	WORD(slot->status.wait_lane, WORD_PRIVATE);
	WORD(slot->status.seen_dealings, WORD_PRIVATE);
	WORD(slot->hand.position, WORD_PRIVATE);
	WORD(slot->hand.sequence, WORD_PRIVATE);
	WORD(slot->hand.lane, WORD_PRIVATE);
	WORD(slot->hand.busy, WORD_PRIVATE);
	WORD(slot->hand.due_ns, WORD_PRIVATE);
	WORD(slot->hand.in_flight, WORD_PRIVATE);
	WORD(slot->cursor_switch.flips, seen(see, SEE_CURSORS));
	for (unsigned i = 0; i < COUNTERS_MAX; i++)
		WORD(slot->counters.values[i], WORD_PRIVATE);
	for (unsigned i = 0; i < LANES; i++) {
		WORD(slot->readers[i].done, seen(see, i ? 0 : SEE_DONE));
		WORD(slot->readers[i].free, seen(see, i ? 0 : SEE_FREE));
		WORD(slot->readers[i].done_ordinal, WORD_PRIVATE);
		WORD(slot->readers[i].left, seen(see, i ? 0 : SEE_LEFT));
		WORD(slot->writers[i].tail, seen(see, i ? SEE_TAIL_2 : SEE_TAIL));
		WORD(slot->writers[i].closed, seen(see, i ? 0 : SEE_CLOSED));
		WORD(slot->writers[i].low, seen(see, i ? 0 : SEE_LOW));
		WORD(slot->writers[i].tail_ordinal, seen(see, i ? 0 : SEE_LOW));
	}
	WORD(slot->done_bits.ordinal, WORD_PRIVATE);
	WORD(slot->done_bits.given, WORD_PRIVATE);
	WORD(slot->done_bits.words[0], WORD_PRIVATE);
	WORD(record->state, WORD_PRIVATE);
	for (unsigned i = 0; i < 2 && see & SEE_CURSORS; i++) {
		explore_word(&slot->cursors[i].sequence, sizeof(uint64_t), WORD_RACY);
		explore_word(&slot->cursors[i].stage[CURSOR_STAGE_SIZE - 8], sizeof(uint64_t), WORD_RACY);
	}
	for (uint64_t at = 0; at < world_settings.capacity && see & SEE_LOW; at += RECORD_SIZE) {
		explore_word(&slot->data[0][at + offsetof(struct item_header, ticket)], sizeof(uint64_t), WORD_RACY);
		explore_word(&slot->data[0][at + RECORD_SIZE - 8], sizeof(uint64_t), WORD_RACY);
	}
	explore_bulk(slot->data, sizeof(slot->data));
}

/* The rest of the board stands still, and needs no declaration. */
static void declare_board(void)
{
	WORD(world_board->dealings, WORD_VISIBLE);
	for (unsigned i = 1; i < SLOTS; i++)
		WORD(world_board->slots[i].dealing, WORD_VISIBLE);
}

static void bind(unsigned number)
{
	struct slot *slot = &slots[number];

	world_segments[number] = (struct segment){
		.geometry = { .slot = number,
			      .n_readers = LANES,
			      .n_writers = LANES,
			      .size_bytes = sizeof(slot->data),
			      .holds = world_settings.see[0] & SEE_LOW,
			      .drops = world_settings.see[0] & SEE_LOW,
			      .off_readers = offsetof(struct slot, readers),
			      .off_writers = offsetof(struct slot, writers),
			      .off_done_bits = world_settings.asynchronous ? offsetof(struct slot, done_bits) : 0 },
		.base = (unsigned char *)slot,
		.armed = &slot->armed,
		.status = &slot->status,
		.hand = &slot->hand,
		.cursor_switch = &slot->cursor_switch,
		.counters = &slot->counters,
		.cursors = slot->cursors,
		.readers = slot->readers,
		.writers = slot->writers,
		.done_bits = world_settings.asynchronous ? &slot->done_bits : NULL,
		.record = (struct commit_record *)slot->record,
	};
}

void world_fill(unsigned slot, unsigned lane, uint64_t from, uint64_t to)
{
	struct lane_writer *writer = &slots[slot].writers[lane];
	uint64_t position = load_relaxed(&writer->tail);

	for (uint64_t i = from; i < to; i++, position += RECORD_SIZE) {
		struct item_header header = { .size_bytes = WORDS_OF_PAYLOAD * 8, .kind = ITEM_DATA, .sequence = i };
		unsigned char *record = slots[slot].data[lane] + (position & (world_settings.capacity - 1));
		uint64_t payload[WORDS_OF_PAYLOAD];

		item_fill(payload, i);
		memcpy(record, &header, sizeof(header));
		memcpy(record + sizeof(header), payload, sizeof(payload));
	}
	store_relaxed(&writer->tail, position);
}

void world_reset(const struct world_settings *settings)
{
	world_settings = *settings;
	explore_arena(&arena, sizeof(arena));
	if (settings->dealings)
		declare_board();
	for (unsigned i = 0; i < SLOTS; i++) {
		declare(&slots[i], settings->see[i]);
		bind(i);
		for (unsigned j = 0; j < LANES; j++) {
			store_relaxed(&slots[i].writers[j].tail, settings->base);
			store_relaxed(&slots[i].writers[j].low, settings->base);
			store_relaxed(&slots[i].readers[j].done, settings->base);
			store_relaxed(&slots[i].readers[j].free, settings->base);
		}
	}
	if (settings->filled) {
		world_fill(0, 0, 0, settings->items);
		store_relaxed(&slots[0].writers[0].closed, 1);
	}
}

struct lane_out world_lane_to(unsigned slot, unsigned lane, unsigned consumer)
{
	return (struct lane_out){ .writer = &slots[slot].writers[lane],
				  .peer = &slots[consumer].readers[0],
				  .data = slots[slot].data[lane],
				  .capacity_bytes = world_settings.capacity,
				  .index = lane };
}

struct lane_in world_lane_from(unsigned slot, unsigned producer, unsigned lane)
{
	return (struct lane_in){ .reader = &slots[slot].readers[0],
				 .peer = &slots[producer].writers[lane],
				 .data = slots[producer].data[lane],
				 .capacity_bytes = world_settings.capacity };
}

struct lane_out world_lane_out(unsigned slot)
{
	struct lane_out lane = world_lane_to(slot, 0, slot + 1);

	lane_out_rewind(&lane);
	return lane;
}

struct lane_in world_lane_in(unsigned slot)
{
	struct lane_in lane = world_lane_from(slot, slot - 1, 0);

	lane_in_rewind(&lane);
	return lane;
}

struct hold_record *world_hold(unsigned slot)
{
	return (struct hold_record *)(void *)slots[slot].hold;
}

const struct cursor *world_cursor(unsigned slot)
{
	return &slots[slot].cursors[load_relaxed(&slots[slot].cursor_switch.flips) & 1];
}

/* The state after a repair is one between two turns. */
void world_check_repaired(unsigned slot)
{
	const struct segment *segment = &world_segments[slot];
	const struct cursor *cursor = world_cursor(slot);
	uint64_t base = world_settings.base, taken = load_relaxed(&segment->readers[0].done) - base,
		 put = load_relaxed(&segment->writers[0].tail) - base;

	for (unsigned i = 0; i < CURSOR_STAGE_SIZE; i++)
		if (cursor->stage[i] != (uint8_t)cursor->sequence)
			explore_fail("after the repair the cursor is torn");
	if (taken != cursor->ledger[LEDGER_TAKEN] * RECORD_SIZE)
		explore_fail("after the repair ledger and input position disagree");
	if (put && put != cursor->sequence * RECORD_SIZE)
		explore_fail("after the repair cursor and tail disagree");
	if (load_relaxed(&segment->readers[0].free) - base > taken)
		explore_fail("after the repair room is given back that is not done with");
	if (load_relaxed(&segment->record->state))
		explore_fail("after the repair the record still counts");
}

const char *world_check_consumer(unsigned number)
{
	const struct cursor *cursor = world_cursor(number);

	if (cursor->sequence != world_settings.items)
		return "items are lost or done twice";
	if (cursor->ledger[LEDGER_TAKEN] != world_settings.items)
		return "the ledger does not balance";
	if (load_relaxed(&slots[number].readers[0].done) != load_relaxed(&slots[number - 1].writers[0].tail))
		return "items are left in the lane";
	return NULL;
}

const char *world_check_lane(unsigned number)
{
	const struct slot *slot = &slots[number];
	uint64_t position = world_settings.base;

	if (load_relaxed(&slot->writers[0].tail) != position + world_settings.items * RECORD_SIZE)
		return "items are lost or done twice";
	for (uint64_t i = 0; i < world_settings.items; i++, position += RECORD_SIZE) {
		struct item_header header;
		uint64_t payload[WORDS_OF_PAYLOAD], expected[WORDS_OF_PAYLOAD];
		const unsigned char *record = slot->data[0] + (position & (world_settings.capacity - 1));

		memcpy(&header, record, sizeof(header));
		memcpy(payload, record + sizeof(header), sizeof(payload));
		item_fill(expected, i);
		if (header.sequence != i || header.size_bytes != sizeof(payload) ||
		    memcmp(payload, expected, sizeof(payload)))
			return "an item's bytes are not what was sent";
	}
	return NULL;
}

const char *machine_name(const void *address)
{
	static const struct {
		size_t offset;
		const char *name;
	} parts[] = {
		{ offsetof(struct slot, armed), "armed" },       { offsetof(struct slot, status), "status" },
		{ offsetof(struct slot, hand), "hand" },         { offsetof(struct slot, cursor_switch), "flips" },
		{ offsetof(struct slot, counters), "counters" }, { offsetof(struct slot, cursors), "cursors" },
		{ offsetof(struct slot, readers), "readers" },   { offsetof(struct slot, writers), "writers" },
		{ offsetof(struct slot, done_bits), "bits" },    { offsetof(struct slot, record), "record" },
		{ offsetof(struct slot, data), "lane" },         { offsetof(struct slot, hold), "hold" },
	};
	static char text[64];
	size_t offset = (size_t)((const unsigned char *)address - (const unsigned char *)slots), part = 0;

	if (offset >= sizeof(arena.slots)) {
		snprintf(text, sizeof(text), "board+%zu", offset - sizeof(arena.slots));
		return text;
	}
	while (part + 1 < sizeof(parts) / sizeof(*parts) && parts[part + 1].offset <= offset % sizeof(struct slot))
		part++;
	snprintf(text, sizeof(text), "slot %zu %s+%zu", offset / sizeof(struct slot), parts[part].name,
		 offset % sizeof(struct slot) - parts[part].offset);
	return text;
}
