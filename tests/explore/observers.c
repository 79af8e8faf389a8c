/* SPDX-License-Identifier: Apache-2.0 */
/* Those who look at a living worker from outside: the supervisor's ledger and its queues. */
#include <string.h>

#include "tests/explore/observers.h"
#include "tests/explore/world.h"

void turns(unsigned slot)
{
	struct segment *segment = &world_segments[slot];
	struct cursor cursor = *cursor_current(segment);
	struct commit commit;

	commit_init(&commit, segment);
	while (cursor.sequence < world_settings.items) {
		cursor.sequence++;
		memset(cursor.stage, (int)cursor.sequence, sizeof(cursor.stage));
		commit_add_cursor(&commit, &cursor);
		commit_publish(&commit);
	}
}

void observe_cursor(unsigned thread)
{
	struct cursor cursor;
	uint64_t before = 0;

	(void)thread;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t stage;

		if (cursor_snapshot(&world_segments[1], &cursor))
			continue;
		memcpy(&stage, &cursor.stage[CURSOR_STAGE_SIZE - sizeof(stage)], sizeof(stage));
		if (stage != cursor.sequence * UINT64_C(0x0101010101010101))
			explore_fail("a snapshot of the cursor is torn");
		if (cursor.sequence < before)
			explore_fail("a snapshot is older than the one before");
		before = cursor.sequence;
	}
}

/* As take_queues() and count_lane(): from source to sink. An item may be counted twice, never not at all. */
void observe_lanes(unsigned thread)
{
	(void)thread;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t done = load_acquire(&world_segments[1].readers[0].done);
		uint64_t tail = load_acquire(&world_segments[1].writers[0].tail);

		if (tail - world_settings.base < done - world_settings.base)
			explore_fail("an item is in no lane: taken from one, not yet in the next");
	}
}
