/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_test.h"

/* ---- ends ---- */

static int run_closes(struct weir_context *context, void *state)
{
	(void)state;
	if (rig.generation == 0) {
		assert_int_equal(receive(context, "a"), WEIR_OK);
		assert_int_equal(send_text(context, "A"), WEIR_OK);
		assert_int_equal(weir_close(context, 0), WEIR_OK);
		assert_int_equal(weir_close(context, WEIR_ALL_OUTPUTS), WEIR_OK);
		assert_string_equal(seen(), "-");
		assert_int_equal(receive(context, ""), WEIR_WOULD_BLOCK);
		assert_string_equal(seen(), "A");
		assert_string_equal(seen(), ".");
		return -EIO;
	}
	assert_int_equal(send_text(context, "more"), WEIR_CLOSED); /* the next worker of the seat knows */
	end_input();
	return WEIR_OK;
}

static void test_close_takes_effect_with_its_step_and_for_good(void **state)
{
	(void)state;
	chain(run_closes);
	push("a");
	assert_int_equal(run_loop(&rig.relay), -EIO);
	/* As if it had been killed between the commit and the word in the lane. */
	store_relaxed(&rig.relay.segment.writers[0].closed, LANE_OPEN);
	rig_replace_relay(&rig, 1);
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_string_equal(seen(), ".");
	rig_deinit(&rig);
}

static int run_leaves(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(send_text(context, "A"), WEIR_OK);
	return WEIR_OK;
}

static void test_who_has_enough_does_not_block_its_producers(void **state)
{
	(void)state;
	chain(run_leaves);
	push("a");
	push("b");
	push("c");
	end_input();
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_string_equal(seen(), "A");
	assert_string_equal(seen(), ".");
	assert_int_equal(LEDGER_OF(TAKEN), 3);
	assert_int_equal(LEDGER_OF(UNWANTED), 2);
	assert_int_equal(LEDGER_OF(CANCELLED), 0);
	assert_int_equal(load_relaxed(&rig.relay.segment.readers[0].left), LANE_LEFT); /* so that they stop */
	rig_deinit(&rig);
}

static int returned;

static int run_returns(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	return returned;
}

static void test_what_is_no_outcome_of_run_fails_the_stage(void **state)
{
	static const int statuses[] = { WEIR_MORE,      WEIR_HELD,       WEIR_WAIT,    WEIR_FULL, WEIR_CANCELLED,
					WEIR_REJECTED,  WEIR_TOO_LARGE,  WEIR_EXPIRED, 42,        100,
					WEIR_PEER_LOST, WEIR_WOULD_BLOCK };

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		chain(run_returns);
		end_input();
		returned = statuses[i];
		assert_int_equal(run_loop(&rig.relay), WEIR_FAILED);
		assert_string_not_equal(rig.relay.reason, "");
		rig_deinit(&rig);
	}
}

static int process_receives(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct weir_item other;
	size_t number;

	(void)state, (void)item;
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &other), -EPERM);
	assert_int_equal(weir_send(context, 0, "", 0, WEIR_NOW), -EPERM);
	assert_int_equal(weir_select(context, NULL, 0, WEIR_NOW, &number), -EPERM);
	assert_int_equal(weir_close(context, 0), -EPERM);
	return WEIR_OK;
}

static int run_other_indexes(struct weir_context *context, void *state)
{
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_inputs(context), 1);
	assert_int_equal(weir_recv(context, 1, WEIR_NOW, &item), -EINVAL);
	assert_int_equal(weir_send(context, 1, "", 0, WEIR_NOW), -EINVAL);
	assert_int_equal(weir_close(context, 1), -EINVAL);
	return WEIR_OK;
}

static void test_the_calls_belong_into_run(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = process_receives };

	(void)state;
	rig_init_chain(&rig, &stage);
	push("a");
	end_input();
	assert_int_equal(turn_loop(&rig.relay), 0);
	rig_deinit(&rig);
	chain(run_other_indexes);
	end_input();
	assert_int_equal(run_loop(&rig.relay), 0);
	rig_deinit(&rig);
}

static int run_reserves(struct weir_context *context, void *state)
{
	void *room;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(weir_reserve(context, WEIR_ALL_OUTPUTS, 100, &room), WEIR_OK);
	memcpy(room, "in place", 8);
	assert_int_equal(weir_select(context, NULL, 0, clock_now_ns() + NS_PER_MS, &(size_t){ 0 }), WEIR_EXPIRED);
	assert_int_equal(weir_push(context, 0, 8), WEIR_OK);
	assert_int_equal(receive(context, "b"), WEIR_OK);
	assert_int_equal(weir_reserve(context, 0, 1, &room), WEIR_OK);
	assert_int_equal(receive(context, "c"), WEIR_OK); /* a step of its own: what was reserved is gone */
	assert_string_equal(seen(), "-");
	assert_int_equal(weir_push(context, 0, 1), -EINVAL);
	weir_reject(context, "its output is not there");
	assert_int_equal(receive(context, "d"), WEIR_OK);
	assert_int_equal(weir_reserve(context, 0, 1, &room), WEIR_OK);
	assert_int_equal(weir_close(context, 0), WEIR_OK);
	assert_int_equal(weir_push(context, 0, 1), -EINVAL);
	assert_int_equal(weir_reserve(context, 0, 1, &room), WEIR_CLOSED);
	weir_reject(context, "nor here");
	assert_int_equal(receive(context, "e"), WEIR_OK);
	assert_int_equal(weir_reserve(context, 0, RIG_LANE_SIZE, &room), WEIR_TOO_LARGE);
	assert_int_equal(receive(context, ""), WEIR_FAILED); /* overlooked */
	return WEIR_OK;
}

static void test_what_is_built_in_place_belongs_to_its_step(void **state)
{
	char folder[64], path[80];

	(void)state;
	chain(run_reserves);
	letters(folder, path);
	for (const char *text = "abcde"; *text; text++)
		push((char[]){ *text, '\0' });
	end_input();
	assert_int_equal(run_loop(&rig.relay), WEIR_FAILED);
	assert_string_equal(seen(), "in place");
	assert_string_equal(seen(), "-");
	assert_int_equal(LEDGER_OF(EMITTED), 1);
	assert_int_equal(LEDGER_OF(REJECTED_IN), 2);
	letters_end(folder, path);
	rig_deinit(&rig);
}

/* ---- order ---- */

static int run_ordered(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK)
		assert_int_equal(weir_send(context, 0, item.data, item.size_bytes, WEIR_FOREVER), WEIR_OK);
	assert_int_equal(r, WEIR_CLOSED);
	assert_int_equal(send_text(context, "in no run"), WEIR_FAILED);
	return r;
}

static void test_an_ordered_stage_passes_ends_of_runs_on_and_sees_none(void **state)
{
	(void)state;
	chain(run_ordered);
	rig.producers[0].outputs[0].lanes[0].lane.reserve_bytes = 32;
	rig.producers[0].heritage.outputs[0].order = HERITAGE_ORDER_DEAL;
	rig.producers[0].heritage.outputs[0].run_records = 2;
	rig.relay.ordered = true;
	rig.relay.heritage.outputs[0].order = HERITAGE_ORDER_KEEP;
	push("a");
	push("b");
	push("c");
	push("d");
	end_input();
	assert_int_equal(run_loop(&rig.relay), WEIR_FAILED); /* because of the last send */
	assert_non_null(strstr(rig.relay.reason, "order: fifo"));
	for (const char *const *text = (const char *const[]){ "a", "b", "|", "c", "d", "|", "-", NULL }; *text; text++)
		assert_string_equal(seen(), *text);
	rig_deinit(&rig);
}

/* ---- sources ---- */

static int run_source(struct weir_context *context, void *state)
{
	(void)state;
	if (rig.generation == 0) {
		assert_int_equal(send_text(context, "1"), WEIR_OK);
		++*CURSOR(context);
		assert_int_equal(send_text(context, "2"), WEIR_OK);
		++*CURSOR(context);
		rig_order(&rig, BOARD_DRAIN);
		assert_int_equal(send_text(context, "3"), WEIR_CLOSED);
		assert_string_equal(seen(), "1"); /* committed, with the cursor */
		assert_string_equal(seen(), "2");
		assert_int_equal(*(const uint64_t *)(const void *)cursor_current(&rig.producers[0].segment)->stage, 2);
	}
	return WEIR_OK;
}

static void test_a_source_that_has_to_drain_is_told_so_by_send(void **state)
{
	const struct weir_stage stage = { .role = WEIR_SOURCE,
					  .run = run_source,
					  .cursor_size_bytes = sizeof(uint64_t) };

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.producers[0], &stage);
	assert_int_equal(run_loop(&rig.producers[0]), 0);
	assert_string_equal(seen(), ".");
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_ACCEPTED], 2);
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_EMITTED], 2);
	assert_int_equal(rig.producers[0].cursor.finished, CURSOR_END_CLEAN);
	rig_deinit(&rig);
}

static int run_source_fails(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(send_text(context, "1"), WEIR_OK);
	weir_fail(context, "no more");
	return WEIR_FAILED;
}

static void test_a_source_that_fails_has_handed_on_what_it_sent(void **state)
{
	const struct weir_stage stage = { .role = WEIR_SOURCE, .run = run_source_fails };

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.producers[0], &stage);
	assert_int_equal(run_loop(&rig.producers[0]), WEIR_FAILED);
	assert_string_equal(rig.producers[0].reason, "no more");
	assert_string_equal(seen(), "1");
	assert_string_equal(seen(), ".");
	assert_int_equal(rig.producers[0].cursor.finished, CURSOR_END_FAILED);
	rig_deinit(&rig);
}

static enum heritage_full full;

/* An edge that never waits says so at once, to a try as well; what is complete is committed before that: its reader had a chance. */
static int run_full(struct weir_context *context, void *state)
{
	static const char large[1800];
	int over = full == HERITAGE_FULL_REJECT ? WEIR_REJECTED : WEIR_OK;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(weir_send(context, 0, large, sizeof(large), WEIR_NOW), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, sizeof(large), WEIR_NOW), over);
	assert_int_equal(weir_send(context, 0, large, sizeof(large), clock_now_ns() + 60 * NS_PER_S), over);
	assert_int_equal(weir_send(context, WEIR_ALL_OUTPUTS, large, sizeof(large), WEIR_FOREVER), over);
	assert_string_equal(seen(), "");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(weir_send(context, 0, large, sizeof(large), WEIR_NOW), WEIR_OK);
	return WEIR_OK;
}

static int flush_nothing(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	return WEIR_OK;
}

static void test_a_source_is_told_what_a_full_lane_refuses(void **state)
{
	static const enum heritage_full fulls[] = { HERITAGE_FULL_REJECT, HERITAGE_FULL_DROP_NEW };

	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct weir_stage stage = { .role = WEIR_SOURCE,
						  .run = run_full,
						  .flush = i < 2 ? NULL : flush_nothing };
		const uint64_t *ledger = rig.producers[0].cursor.ledger;

		full = fulls[i % 2];
		rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
		rig_employ(&rig, &rig.producers[0], &stage);
		rig.producers[0].heritage.outputs[0].full = full;
		assert_int_equal(run_loop(&rig.producers[0]), 0);
		assert_int_equal(ledger[LEDGER_ACCEPTED], 6);
		assert_int_equal(ledger[LEDGER_EMITTED], 6);
		assert_int_equal(ledger[full == HERITAGE_FULL_REJECT ? LEDGER_REFUSED : LEDGER_DROPPED_NEW], 3);
		rig_deinit(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_takes_effect_with_its_step_and_for_good),
		cmocka_unit_test(test_who_has_enough_does_not_block_its_producers),
		cmocka_unit_test(test_what_is_no_outcome_of_run_fails_the_stage),
		cmocka_unit_test(test_the_calls_belong_into_run),
		cmocka_unit_test(test_what_is_built_in_place_belongs_to_its_step),
		cmocka_unit_test(test_an_ordered_stage_passes_ends_of_runs_on_and_sees_none),
		cmocka_unit_test(test_a_source_that_has_to_drain_is_told_so_by_send),
		cmocka_unit_test(test_a_source_that_fails_has_handed_on_what_it_sent),
		cmocka_unit_test(test_a_source_is_told_what_a_full_lane_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
