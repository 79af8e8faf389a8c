/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"
#include "worker/blocked.h"
#include "worker/credit.h"
#include "worker/output.h"

static void begin(struct rig *rig, uint32_t n_consumers)
{
	rig_init(rig, 1, n_consumers, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	rig->producers[0].outputs[0].plain = rig->producers[0].plain_output = false;
}

static void fill(struct worker *worker)
{
	while (rig_push(worker, "an item") == 0)
		;
	rig_commit(worker);
	assert_int_equal(rig_push(worker, "an item"), OUTPUT_E_FULL);
}

static uint32_t waits_for(struct worker *worker, const struct wait_request *request)
{
	blocked_note(worker, request, WORKER_STATE_WAIT_SPACE, 1234);
	assert_int_equal(load_relaxed(&worker->segment.status->state), WORKER_STATE_WAIT_SPACE);
	assert_int_equal(load_relaxed(&worker->segment.status->since_ns), 1234);
	return load_relaxed(&worker->segment.status->wait_for);
}

static uint32_t lane_of(const struct worker *worker)
{
	return load_relaxed(&worker->segment.status->wait_lane);
}

static void test_room(void **state)
{
	for (uint32_t n_consumers = 1; n_consumers <= 2; n_consumers++) {
		struct rig rig;
		struct worker *worker = &rig.producers[0];
		struct wait_request request = { .events = ARM_SPACE };

		(void)state;
		begin(&rig, n_consumers);
		fill(worker);
		request.need_bytes = worker->need_bytes;
		assert_int_equal(waits_for(worker, &request),
				 n_consumers == 1 ? WAIT_FOR_ROOM : WAIT_FOR_ROOM | WAIT_ANY_OF_EDGE);
		assert_int_equal(lane_of(worker), worker->outputs[0].lanes[0].lane.index);
		blocked_over(worker, 1234 + 500, true);
		assert_int_equal(load_relaxed(&worker->segment.observed->lanes[0].blocked_ns), 500);
		worker->lingering = true;
		assert_int_equal(waits_for(worker, &request), WAIT_FOR_READERS);
		assert_int_equal(lane_of(worker), NO_LANE);
		rig_deinit(&rig);
	}
}

static void test_credit(void **state)
{
	struct rig rig;
	struct worker *worker = &rig.producers[0];
	struct wait_request request = { .events = ARM_SPACE, .need_bytes = 40 };

	(void)state;
	begin(&rig, 1);
	worker->heritage.outputs[0].credit = 2;
	credit_attach(&worker->outputs[0]);
	fill(worker);
	assert_int_equal(waits_for(worker, &request), WAIT_FOR_CREDIT);
	assert_int_equal(lane_of(worker), worker->outputs[0].lanes[0].lane.index);
	rig_deinit(&rig);
}

static void test_items_and_what_lies_outside(void **state)
{
	struct rig rig;
	struct worker *worker = &rig.consumers[0];
	struct wait_request any = { .events = ARM_DATA }, one = { .events = ARM_DATA, .input_number = 1 },
			    event = { .n_fds = 1, .wake_ns = 5 }, nothing = { 0 };

	(void)state;
	begin(&rig, 1);
	assert_int_equal(waits_for(worker, &any), WAIT_FOR_ITEM);
	assert_int_equal(lane_of(worker), NO_LANE);
	assert_int_equal(waits_for(worker, &one), WAIT_FOR_ITEM | WAIT_ANY_OF_EDGE);
	assert_int_equal(lane_of(worker), worker->inputs[0].lanes[0].lane.index);
	assert_int_equal(waits_for(worker, &event), WAIT_FOR_EVENT | WAIT_FOR_TIME);
	assert_int_equal(waits_for(worker, &nothing), 0);
	worker->cursor.finished = CURSOR_END_CLEAN;
	assert_int_equal(waits_for(worker, &nothing), WAIT_FOR_READERS);
	blocked_note_outside(worker, 2, 0, 77);
	assert_int_equal(load_relaxed(&worker->segment.status->wait_for), WAIT_FOR_EVENT);
	assert_int_equal(load_relaxed(&worker->segment.status->state), WORKER_STATE_WAIT_OUTSIDE);
	blocked_over(worker, 78, true);
	assert_int_equal(load_relaxed(&worker->segment.status->wait_for), 0);
	assert_int_equal(load_relaxed(&worker->segment.status->state), WORKER_STATE_BUSY);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_items_and_what_lies_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
