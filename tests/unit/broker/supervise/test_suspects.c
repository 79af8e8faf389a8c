/* SPDX-License-Identifier: Apache-2.0 */
/* Of many suspects of one seat, each the first of its lane, none loses its count to the others. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "broker/supervise/supervisor_priv.h"

#define N_LANES 200u
#define N_DEATHS 3u

static uint64_t position_of(uint32_t lane)
{
	return 640 + 32 * (uint64_t)lane;
}

/* As the supervisor does when this lane's first item has killed: mend.c, note_suspect(). */
static uint32_t die_of(struct seat *seat, uint32_t lane)
{
	struct board_slot *slot = &seat->supervisor->board->slots[0];
	uint32_t before = seat_exchange_suspect(seat, lane, position_of(lane));

	slot->suspect_lane = lane;
	slot->suspect_position = position_of(lane);
	slot->suspect_attempts = before + 1;
	return slot->suspect_attempts;
}

static void test_as_many_as_there_are_lanes(void **state)
{
	struct board *board = calloc(1, sizeof(*board) + sizeof(board->slots[0]));
	struct supervisor supervisor = { .board = board };
	struct seat seat = { .supervisor = &supervisor, .segment.geometry.n_readers = N_LANES };

	(void)state;
	assert_non_null(board);
	for (uint32_t death = 1; death <= N_DEATHS; death++)
		for (uint32_t lane = 0; lane < N_LANES; lane++)
			assert_int_equal(die_of(&seat, lane), death);
	seat_forget_aside(&seat);
	seat_forget_attempts(&seat);
	free(board);
}

/* They are bounded all the same: whoever goes on to other items does not keep those before for ever. */
static void test_no_more_than_can_wait(void **state)
{
	struct board *board = calloc(1, sizeof(*board) + sizeof(board->slots[0]));
	struct supervisor supervisor = { .board = board };
	struct seat seat = { .supervisor = &supervisor, .segment.geometry.n_readers = 4 };

	(void)state;
	assert_non_null(board);
	for (uint32_t lane = 0; lane < N_LANES; lane++) {
		assert_int_equal(die_of(&seat, lane), 1);
		assert_in_range(seat.n_aside, 0, 6);
	}
	seat_forget_aside(&seat);
	seat_forget_attempts(&seat);
	free(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_as_there_are_lanes),
		cmocka_unit_test(test_no_more_than_can_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
