/* SPDX-License-Identifier: Apache-2.0 */
/* Done-bits over common/flow/done_bits.c: an operator takes all, ends the second first, then the others; the repair is cut too. */
#include <string.h>

#include "common/flow/done_bits.h"
#include "tests/explore/features.h"
#include "tests/explore/world.h"

struct operator
{
	struct segment *segment;
	struct lane_in in;
	struct done_window window;
	struct commit commit;
	struct cursor cursor; /* ledger[i]: how often item i, i + LEDGER_MAX, ... have ended */
};

static struct operator self;
static unsigned victim;

static void commit(void)
{
	self.cursor.sequence++;
	memset(self.cursor.stage, (int)self.cursor.sequence, sizeof(self.cursor.stage));
	commit_add_cursor(&self.commit, &self.cursor);
	done_window_collect_bits(&self.window, &self.commit);
	done_window_collect_done(&self.window, &self.commit);
	commit_publish(&self.commit);
	if (done_window_settle(&self.window))
		lane_in_release(&self.in);
}

static void end(uint64_t item)
{
	self.cursor.ledger[item % LEDGER_MAX]++;
	done_window_end(&self.window, item);
	commit();
}

/* Takes what is there, and ends it. False: nothing was. */
static bool turn(void)
{
	uint64_t given[LEDGER_MAX], n = 0;
	struct item_header header;
	const void *payload;

	while (n < LEDGER_MAX && lane_in_peek(&self.in, &header, &payload) == 0) {
		uint64_t number = done_window_take(&self.window, &header);

		if (done_window_ended(&self.window, number))
			continue;
		item_check(&header, payload, number);
		given[n++] = number;
	}
	if (n > 1)
		end(given[1]);
	for (uint64_t i = 0; i < n; i++)
		if (i != 1)
			end(given[i]);
	return n != 0;
}

void async_run(unsigned slot)
{
	struct item_header header;
	const void *payload;
	int r;

	self.segment = &world_segments[slot];
	self.in = world_lane_in(slot);
	self.cursor = *cursor_current(self.segment);
	commit_init(&self.commit, self.segment);
	if (done_window_rewind(&self.window, &self.in, &self.segment->done_bits[0]))
		explore_fail("the done-bits make no sense");
	do {
		while (turn())
			;
		r = lane_in_peek(&self.in, &header, &payload);
		if (r == LANE_E_BROKEN)
			explore_fail("the operator finds its lane broken");
		if (r == LANE_E_EMPTY)
			explore_pause((const void *[]){ &self.in.peer->tail, &self.in.peer->closed }, 2);
	} while (r != LANE_E_CLOSED);
	if (self.window.head != self.window.ordinal)
		commit();
}

/* What the bits say and what the books say, and what the census makes of it. */
static void check(unsigned slot)
{
	const struct segment *segment = &world_segments[slot];
	const struct cursor *cursor = world_cursor(slot);
	uint64_t ordinal = load_relaxed(&segment->done_bits->ordinal), n_left = 0, n_counted,
		 done = load_relaxed(&segment->readers[0].done);

	for (uint64_t i = 0; i < world_settings.items; i++) {
		bool ended = i < ordinal || (load_relaxed(&segment->done_bits->words[0]) >> i & 1);

		if (ended != cursor->ledger[i])
			explore_fail("after the repair done-bits and ledger disagree");
		n_left += !ended;
	}
	if (done != world_settings.base + ordinal * RECORD_SIZE)
		explore_fail("after the repair `done` and its ordinal disagree");
	if (census_lane_with_bits(world_lane_to(0, 0, 1).data, world_settings.capacity, done,
				  load_relaxed(&world_segments[0].writers[0].tail), segment->done_bits, &n_counted) ||
	    n_counted != n_left)
		explore_fail("the census counts what has ended, or not what waits");
}

static void repair(void)
{
	struct repair_report report;

	if (repair_run(&world_segments[victim], &report))
		explore_fail("the repair finds the record corrupt");
	check(victim);
}

void async_supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(7)) >= 0) {
		victim = (unsigned)dead;
		explore_killable(true);
		repair();
		explore_killable(false);
		explore_spawn(victim);
	}
}

void async_supervise_again(unsigned thread)
{
	if (explore_wait_death(1u << (thread - 1)) < 0)
		return;
	repair();
	explore_spawn(victim);
}

const char *async_end(void)
{
	for (uint64_t i = 0; i < LEDGER_MAX; i++)
		if (world_cursor(1)->ledger[i] != (world_settings.items + LEDGER_MAX - 1 - i) / LEDGER_MAX)
			return "an item was given again after its end, or passed over";
	return load_relaxed(&world_segments[1].readers[0].done) == load_relaxed(&world_segments[0].writers[0].tail) ?
		       NULL :
		       "items are left in the lane";
}
