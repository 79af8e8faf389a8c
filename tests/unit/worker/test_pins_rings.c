/* SPDX-License-Identifier: Apache-2.0 */
/* Who is rung for room that references hold, and when: not for none, not for little, and whoever asks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include <unistd.h>

#include "common/flow/reference.h"
#include "hops.h"
#include "worker/pins.h"
#include "worker/turn.h"

#define SIZE 8192u
#define RECORD (SIZE + sizeof(struct item_header))

static const uint32_t chain[][2] = { { 0, 1 }, { 1, 2 }, { 2, 3 } };

/* Whether somebody has rung since the last call. */
static bool was_rung(struct hops *hops, uint32_t slot)
{
	uint64_t n;

	return read(hops->doorbells[slot], &n, sizeof(n)) == sizeof(n);
}

/* As a worker that is about to sleep for the least room. */
static void arm_for_space(struct hops *hops, uint32_t slot, uint64_t epoch)
{
	store_relaxed(&hops->workers[slot].segment.armed->need_bytes, 1);
	store_release(&hops->workers[slot].segment.armed->word, epoch << 8 | ARM_SPACE);
	(void)was_rung(hops, slot);
}

static void test_producer_is_rung_when_room_comes_back_and_not_before(void **state)
{
	struct heritage_edge *edge;
	struct hops hops;

	(void)state;
	hops_init(&hops, chain, 2);
	edge = &hops.workers[1].heritage.inputs[0];
	arm_for_space(&hops, 0, 1);
	hops_must_put(&hops, 1, SIZE);
	hops_must_pass(&hops, 1, 1); /* all of it is held */
	assert_false(was_rung(&hops, 0));
	hops_must_put(&hops, 2, 100);
	hops_must_pass(&hops, 1, 2);
	assert_false(was_rung(&hops, 0));
	hops_must_take(&hops, 2, 1);
	turn_release(&hops.workers[1]);
	assert_int_equal(hops_free(&hops, 1), RECORD + item_record_size(100));
	assert_true(was_rung(&hops, 0));
	hops_must_put(&hops, 3, 100);
	arm_for_space(&hops, 0, 2);
	hops_must_pass(&hops, 1, 3);
	assert_true(was_rung(&hops, 0));
	/* what is done and not free is what these wait for */
	edge->rendezvous = true;
	arm_for_space(&hops, 0, 3);
	hops_must_put(&hops, 4, SIZE);
	hops_must_pass(&hops, 1, 4);
	assert_true(was_rung(&hops, 0));
	edge->rendezvous = false;
	edge->feedback = true;
	arm_for_space(&hops, 0, 4);
	hops_must_put(&hops, 5, SIZE);
	hops_must_pass(&hops, 1, 5);
	assert_true(was_rung(&hops, 0));
	hops_deinit(&hops);
}

/* As an edge of that kind. */
static void set_input(struct hops *hops, uint32_t slot, bool references, enum heritage_full full)
{
	struct worker *worker = &hops->workers[slot];
	struct text why = { 0 };

	worker->heritage.inputs[0].references = references;
	worker->heritage.inputs[0].full = full;
	pins_detach(worker);
	assert_int_equal(pins_attach(worker, &why), 0);
	text_deinit(&why);
}

static void test_a_quarter_of_a_lane_may_stay_held_if_its_producer_asks(void **state)
{
	struct hops hops;
	struct worker *worker;

	(void)state;
	hops_init(&hops, chain, 2);
	worker = &hops.workers[1];
	set_input(&hops, 1, false, HERITAGE_FULL_BLOCK);
	assert_true(pins_may_stay(worker));
	for (unsigned i = 0; i < 4; i++) {
		assert_true(pins_may_stay(worker));
		hops_must_put(&hops, i, REFERENCE_SIZE_MIN);
		hops_must_pass(&hops, 1, (int)i);
	}
	assert_false(pins_may_stay(worker)); /* with their headers that is more */
	hops_must_take(&hops, 2, 0);
	turn_release(worker);
	assert_true(pins_may_stay(worker));
	set_input(&hops, 1, false, HERITAGE_FULL_DROP_NEW); /* it does not wait */
	assert_false(pins_may_stay(worker));
	set_input(&hops, 1, true, HERITAGE_FULL_BLOCK); /* somebody before it holds what these refer to */
	assert_false(pins_may_stay(worker));
	assert_false(pins_are_awaited(worker));
	arm_for_space(&hops, 0, 1);
	assert_true(pins_are_awaited(worker));
	store_relaxed(&hops.workers[0].segment.armed->word, 2 << 8 | ARM_DATA);
	assert_false(pins_are_awaited(worker));
	hops_deinit(&hops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_producer_is_rung_when_room_comes_back_and_not_before),
		cmocka_unit_test(test_a_quarter_of_a_lane_may_stay_held_if_its_producer_asks),
	};

	return cmocka_run_group_tests_name("worker/pins, rings", tests, NULL, NULL);
}
