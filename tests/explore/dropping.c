/* SPDX-License-Identifier: Apache-2.0 */
/* full: drop-old over common/flow/hold.c. Of each record two words are watched: its ordinal, and the last of its payload. */
#include <string.h>

#include "common/observe/ledger.h"
#include "tests/explore/features.h"
#include "tests/explore/world.h"

struct producer {
	struct segment *segment;
	struct lane_out lane;
	uint64_t ordinal;
	struct commit commit;
	struct cursor cursor;
};

static struct producer producer;
static bool narrow; /* where a kill may strike */

static void commit_items(struct producer *self)
{
	if (self->lane.built == self->lane.tail)
		return;
	memset(self->cursor.stage, (int)self->cursor.sequence, sizeof(self->cursor.stage));
	commit_add_tail(&self->commit, &self->lane);
	commit_add_tail_ordinal(&self->commit, &self->lane, self->ordinal);
	commit_add_cursor(&self->commit, &self->cursor);
	commit_publish(&self->commit);
	self->lane.tail = self->lane.built;
}

/* As output_choose() with admission_drop_old(). */
static void *reserve(struct producer *self)
{
	void *place;
	int r = lane_out_reserve_beside(&self->lane, WORDS_OF_PAYLOAD * 8, &place);

	if (r == LANE_E_FULL) {
		commit_items(self);
		r = lane_out_drop(&self->lane, WORDS_OF_PAYLOAD * 8);
		if (narrow)
			explore_killable(true);
		if (r == 0)
			r = lane_out_reserve_beside(&self->lane, WORDS_OF_PAYLOAD * 8, &place);
	}
	if (r != 0)
		explore_fail("a producer that drops finds no room");
	return place;
}

static void produce_all(unsigned slot)
{
	struct producer *self = &producer;

	*self = (struct producer){ .segment = &world_segments[slot], .lane = world_lane_to(slot, 0, slot + 1) };
	lane_out_rewind_dropping(&self->lane);
	self->ordinal = load_relaxed(&self->lane.writer->tail_ordinal);
	self->cursor = *cursor_current(self->segment);
	commit_init(&self->commit, self->segment);
	while (self->cursor.sequence < world_settings.items) {
		struct item_header header = { .size_bytes = WORDS_OF_PAYLOAD * 8,
					      .kind = ITEM_DATA,
					      .sequence = self->cursor.sequence,
					      .ticket = self->ordinal };
		uint64_t payload[WORDS_OF_PAYLOAD];

		item_fill(payload, self->ordinal++);
		memcpy(reserve(self), payload, sizeof(payload));
		lane_out_push(&self->lane, &header);
		if (narrow) {
			self->segment->hand->pad[0] = 1; /* the last point for a kill */
			explore_killable(false);
		}
		self->cursor.sequence++;
		if (self->cursor.sequence % world_settings.batch == 0)
			commit_items(self);
	}
	commit_items(self);
	lane_out_close(&self->lane);
}

void drop_produce(unsigned slot)
{
	narrow = false;
	produce_all(slot);
}

void drop_produce_into_room(unsigned slot)
{
	narrow = true;
	produce_all(slot);
}

struct reader {
	struct segment *segment;
	struct lane_in lane;
	struct hold hold;
	struct commit commit;
	struct cursor cursor;
};

static struct reader reader;

static void commit_taken(struct reader *self)
{
	memset(self->cursor.stage, (int)self->cursor.sequence, sizeof(self->cursor.stage));
	commit_add_cursor(&self->commit, &self->cursor);
	commit_add_done(&self->commit, &self->lane);
	commit_add_done_ordinal(&self->commit, &self->lane, self->hold.next_ordinal);
	commit_publish(&self->commit);
	self->lane.done = self->lane.next;
	lane_in_release(&self->lane);
	hold_settle(&self->hold);
}

/* The ordinal after the last one stands in the cursor, so that it moves with the commit. */
static void check(struct reader *self, const void *payload)
{
	uint64_t ordinal = self->hold.record->ordinal, expected[WORDS_OF_PAYLOAD], last;

	memcpy(&last, (const unsigned char *)payload + sizeof(expected) - sizeof(last), sizeof(last));
	item_fill(expected, ordinal);
	if (last != expected[WORDS_OF_PAYLOAD - 1])
		explore_fail("a record that was overwritten meanwhile is worked on");
	if (ordinal < self->cursor.sequence)
		explore_fail("an item is done twice, or out of order");
	self->cursor.sequence = ordinal + 1;
	self->cursor.ledger[LEDGER_TAKEN]++;
}

static struct reader *attach(unsigned slot)
{
	struct reader *self = &reader;

	*self = (struct reader){ .segment = &world_segments[slot],
				 .lane = world_lane_from(slot, slot - 1, 0),
				 .hold = { .record = world_hold(slot) } };
	if (hold_attach(&self->hold, &self->lane))
		explore_fail("the hold makes no sense");
	self->cursor = *cursor_current(self->segment);
	commit_init(&self->commit, self->segment);
	return self;
}

void drop_consume(unsigned slot)
{
	struct reader *self = attach(slot);

	for (;;) {
		struct item_header header;
		const void *payload;
		int r = hold_peek(&self->hold, &self->lane, &header, &payload);

		if (r == LANE_E_BROKEN)
			explore_fail("the reader finds its lane broken");
		if (r == LANE_E_EMPTY) {
			explore_pause((const void *[]){ &self->lane.peer->tail, &self->lane.peer->closed }, 2);
			continue;
		}
		if (r == LANE_E_CLOSED) {
			uint64_t n = hold_end(&self->hold, &self->lane);

			if (!n)
				break;
			self->cursor.ledger[LEDGER_DROPPED_OLD] += n;
		} else {
			check(self, payload);
			self->cursor.ledger[LEDGER_DROPPED_OLD] += hold_advance(&self->hold, &self->lane);
		}
		commit_taken(self);
	}
}

void drop_supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(3)) >= 0) {
		struct repair_report report;

		if (repair_run(&world_segments[dead], &report))
			explore_fail("the repair finds the record corrupt");
		explore_spawn((unsigned)dead);
	}
}

const char *drop_end(void)
{
	const struct cursor *cursor = world_cursor(1);

	return cursor->ledger[LEDGER_TAKEN] + cursor->ledger[LEDGER_DROPPED_OLD] == world_settings.items ?
		       NULL :
		       "an item was neither worked on nor counted as dropped, or both";
}
