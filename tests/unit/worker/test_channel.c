/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_test.h"

/* ---- steps ---- */

static int run_steps(struct weir_context *context, void *state)
{
	struct weir_item item;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(send_text(context, "A"), WEIR_OK);
	*CURSOR(context) = 1;
	assert_string_equal(seen(), "-");
	assert_int_equal(receive(context, "b"), WEIR_OK); /* the batch is not full: nobody sees the first step yet */
	assert_string_equal(seen(), "-");
	assert_int_equal(send_text(context, "B"), WEIR_OK);
	assert_int_equal(receive(context, ""), WEIR_WOULD_BLOCK); /* dry: both count */
	assert_string_equal(seen(), "A");
	assert_string_equal(seen(), "B");
	assert_string_equal(seen(), "-");
	assert_int_equal(*(const uint64_t *)(const void *)cursor_current(&rig.relay.segment)->stage, 1);

	push("c");
	assert_int_equal(receive(context, "c"), WEIR_OK); /* filtered */
	end_input();
	assert_int_equal(weir_recv(context, 0, WEIR_FOREVER, &item), WEIR_CLOSED);
	assert_int_equal(weir_recv(context, 0, WEIR_FOREVER, &item), WEIR_CLOSED);
	assert_int_equal(send_text(context, "end"), WEIR_OK); /* a step without an item */
	return WEIR_OK;
}

static void test_a_step_counts_whole_and_with_its_item(void **state)
{
	(void)state;
	chain(run_steps);
	push("a");
	push("b");
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_string_equal(seen(), "end");
	assert_string_equal(seen(), ".");
	assert_int_equal(LEDGER_OF(TAKEN), 3);
	assert_int_equal(LEDGER_OF(CONSUMED), 2);
	assert_int_equal(LEDGER_OF(FILTERED), 1);
	assert_int_equal(LEDGER_OF(EMITTED), 3);
	rig_deinit(&rig);
}

static int run_breaks(struct weir_context *context, void *state)
{
	(void)state;
	if (*CURSOR(context) == 0) {
		assert_int_equal(receive(context, "a"), WEIR_OK);
		*CURSOR(context) = 1;
		assert_int_equal(send_text(context, "A"), WEIR_OK);
		assert_int_equal(receive(context, "b"), WEIR_OK);
		*CURSOR(context) = 2;
		assert_int_equal(send_text(context, "lost"), WEIR_OK);
		return -EIO;
	}
	assert_int_equal(*CURSOR(context), 1); /* as of the last complete step */
	assert_int_equal(receive(context, "b"), WEIR_OK);
	assert_int_equal(send_text(context, "B"), WEIR_OK);
	return WEIR_OK;
}

static void test_a_new_worker_goes_on_behind_the_last_complete_step(void **state)
{
	(void)state;
	chain(run_breaks);
	push("a");
	push("b");
	end_input();
	assert_int_equal(run_loop(&rig.relay), -EIO);
	assert_string_equal(seen(), "A");
	assert_string_equal(seen(), "-");
	rig_replace_relay(&rig, 1);
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_string_equal(seen(), "B");
	assert_string_equal(seen(), ".");
	assert_int_equal(LEDGER_OF(TAKEN), 2);
	rig_deinit(&rig);
}

static int run_batches(struct weir_context *context, void *state)
{
	struct weir_item item;
	uint32_t n = 0;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_NOW, &item)) == WEIR_OK) {
		assert_int_equal(weir_send(context, WEIR_ALL_OUTPUTS, item.data, item.size_bytes, WEIR_NOW), WEIR_OK);
		assert_string_equal(seen(), ++n >= 9 ? "x" : "-"); /* the ninth receive has ended a batch of eight */
	}
	return r;
}

static void test_a_full_batch_is_committed_between_two_steps(void **state)
{
	(void)state;
	chain(run_batches);
	for (int i = 0; i < 10; i++)
		push("x");
	end_input();
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(LEDGER_OF(CONSUMED), 10);
	rig_deinit(&rig);
}

/* ---- outcomes ---- */

static int run_deadline(struct weir_context *context, void *state)
{
	uint64_t deadline_ns = clock_now_ns() + 20 * NS_PER_MS;
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_recv(context, 0, deadline_ns, &item), WEIR_EXPIRED);
	assert_true(clock_now_ns() >= deadline_ns);
	assert_int_equal(weir_recv(context, 0, deadline_ns, &item), WEIR_EXPIRED);
	push("late");
	assert_int_equal(weir_recv(context, 0, deadline_ns, &item), WEIR_OK); /* what is there is given all the same */
	end_input();
	return WEIR_OK;
}

static void test_a_deadline_passes_only_when_nothing_is_there(void **state)
{
	(void)state;
	chain(run_deadline);
	assert_int_equal(run_loop(&rig.relay), 0);
	rig_deinit(&rig);
}

static int run_cancelled(struct weir_context *context, void *state)
{
	struct weir_item item;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(send_text(context, "A"), WEIR_OK);
	assert_int_equal(receive(context, "b"), WEIR_OK);
	rig_order(&rig, BOARD_CANCEL);
	assert_int_equal(send_text(context, "B"), WEIR_CANCELLED);
	/* Overlooked: b must not count as done, for its output is not there. */
	assert_int_equal(weir_recv(context, 0, WEIR_FOREVER, &item), WEIR_CANCELLED);
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_CANCELLED);
	assert_int_equal(send_text(context, "B"), WEIR_CANCELLED);
	return WEIR_OK;
}

static void test_cancel_drops_the_step_that_could_not_send(void **state)
{
	(void)state;
	chain(run_cancelled);
	push("a");
	push("b");
	assert_int_equal(run_loop(&rig.relay), WEIR_CANCELLED);
	assert_string_equal(seen(), "A");
	assert_string_equal(seen(), "-"); /* not closed: a cancel is no end */
	assert_int_equal(LEDGER_OF(TAKEN), 1);
	rig_deinit(&rig);
}

static int run_peer_lost(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK); /* what it had committed is still received */
	r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item);
	assert_int_equal(r, WEIR_PEER_LOST);
	return r;
}

static void test_a_producer_that_was_given_up_is_no_clean_end(void **state)
{
	(void)state;
	chain(run_peer_lost);
	push("a");
	store_release(&rig.producers[0].segment.writers[0].closed, LANE_CLOSED_LOST);
	assert_int_equal(run_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "was given up"));
	assert_int_equal(LEDGER_OF(TAKEN), 1);
	rig_deinit(&rig);
}

static int run_crowd(struct weir_context *context, void *state)
{
	static char large[RIG_LANE_SIZE];
	struct weir_item item;
	int r;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, 100, WEIR_NOW), WEIR_OK);
	assert_int_equal(receive(context, "b"), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, 1500, WEIR_NOW), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, 900, WEIR_NOW), WEIR_OK);
	assert_string_equal(seen(), "-");
	/* The consumer has not read the first: it is committed now, and could make room. */
	assert_int_equal(weir_send(context, 0, large, 1500, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_int_equal(weir_send(context, 0, large, 1500, clock_now_ns() + NS_PER_MS), WEIR_EXPIRED);
	assert_int_equal(strlen(seen()), 0); /* 100 bytes of zero */
	assert_string_equal(seen(), "-");    /* half a step is not seen, wait as it may */
	rig_commit(&rig.consumers[0]);
	assert_int_equal(weir_send(context, 0, large, 1500, WEIR_FOREVER), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, 1800, WEIR_FOREVER),
			 WEIR_FULL); /* its own outputs are in the way */
	assert_int_equal(weir_send(context, 0, large, sizeof(large), WEIR_FOREVER), WEIR_TOO_LARGE);
	weir_reject(context, "too much comes of it");
	assert_int_equal(receive(context, "c"), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, sizeof(large), WEIR_FOREVER), WEIR_TOO_LARGE);
	r = weir_recv(context, 0, WEIR_NOW, &item); /* overlooked */
	assert_int_equal(r, WEIR_FAILED);
	return WEIR_OK;
}

static void test_no_room_says_why_and_is_not_overlooked(void **state)
{
	char folder[64], path[80];

	(void)state;
	chain(run_crowd);
	letters(folder, path);
	push("a");
	push("b");
	push("c");
	assert_int_equal(run_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "does not fit a lane"));
	assert_int_equal(LEDGER_OF(TAKEN), 2);
	assert_int_equal(LEDGER_OF(REJECTED_IN), 1);
	assert_int_equal(LEDGER_OF(EMITTED), 1);
	assert_true(letters_end(folder, path) > 0);
	rig_deinit(&rig);
}

static int run_pushes(struct weir_context *context, void *state)
{
	bool hands_on = *(bool *)rig.relay.state;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(weir_push(context, 0, 1), -EINVAL);
	if (hands_on)
		return -EINVAL;
	assert_int_equal(receive(context, ""), WEIR_FAILED); /* overlooked */
	return WEIR_OK;
}

/* No new worker would do better: no error that is tried again. */
static void test_a_push_of_nothing_fails_the_stage(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		bool hands_on = i != 0;

		chain(run_pushes);
		rig.relay.state = &hands_on;
		push("a");
		assert_int_equal(run_loop(&rig.relay), WEIR_FAILED);
		assert_non_null(strstr(rig.relay.reason, "weir_push()"));
		assert_int_equal(LEDGER_OF(TAKEN), 0);
		rig_deinit(&rig);
	}
}

/* ---- items ---- */

static int run_rejects(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(receive(context, "bad"), WEIR_OK);
	assert_int_equal(send_text(context, "undone"), WEIR_OK);
	*CURSOR(context) = 9;
	assert_int_equal(weir_close(context, 0), WEIR_OK);
	assert_int_equal(send_text(context, "no"), WEIR_CLOSED);
	weir_reject(context, "no good");
	assert_int_equal(receive(context, "good"), WEIR_OK);
	assert_int_equal(*CURSOR(context), 0);
	assert_int_equal(send_text(context, "done"), WEIR_OK);
	assert_int_equal(receive(context, "kept"), WEIR_OK);
	weir_hold(context);
	assert_int_equal(receive(context, ""), WEIR_CLOSED);
	weir_settle(context, 1);
	return WEIR_CLOSED;
}

static void test_a_rejected_item_undoes_its_step(void **state)
{
	char folder[64], path[80];

	(void)state;
	chain(run_rejects);
	letters(folder, path);
	push("bad");
	push("good");
	push("kept");
	end_input();
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_string_equal(seen(), "done");
	assert_string_equal(seen(), ".");
	assert_int_equal(LEDGER_OF(REJECTED_IN), 1);
	assert_int_equal(LEDGER_OF(CONSUMED), 2);
	assert_int_equal(LEDGER_OF(HELD), 0);
	assert_int_equal(LEDGER_OF(TAKEN), 3);
	assert_true(letters_end(folder, path) > 0);
	rig_deinit(&rig);
}

static int run_reject_nothing(struct weir_context *context, void *state)
{
	(void)state;
	weir_reject(context, "what?");
	assert_int_equal(receive(context, ""), WEIR_FAILED);
	return WEIR_OK;
}

static void test_rejecting_nothing_is_a_mistake(void **state)
{
	(void)state;
	chain(run_reject_nothing);
	assert_int_equal(run_loop(&rig.relay), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "weir_reject() without an item"));
	rig_deinit(&rig);
}

static int run_suspect(struct weir_context *context, void *state)
{
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_OK); /* "poison" is not seen */
	assert_memory_equal(item.data, "next", 4);
	assert_int_equal(item.attempt, 0);
	return WEIR_OK;
}

static void test_an_item_that_cost_too_many_workers_is_not_given_again(void **state)
{
	char folder[64], path[80];

	(void)state;
	chain(run_suspect);
	letters(folder, path);
	push("poison");
	push("next");
	end_input();
	rig.relay.suspect_attempts = 3;
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(LEDGER_OF(DEAD_LETTERED), 1);
	assert_int_equal(LEDGER_OF(TAKEN), 2);
	assert_true(letters_end(folder, path) > 0);
	rig_deinit(&rig);
}

static int run_in_hand(struct weir_context *context, void *state)
{
	const struct segment_hand *hand = rig.relay.segment.hand;
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_OK);
	assert_int_equal(item.attempt, 2);
	assert_int_equal(load_relaxed(&hand->busy), 1);
	assert_int_equal(load_relaxed(&hand->position), 0);
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_OK);
	assert_int_equal(load_relaxed(&hand->position), 40);
	/* The suspect went alone: it is committed already. */
	assert_int_equal(load_relaxed(&rig.relay.segment.readers[0].done), 40);
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_CLOSED);
	return WEIR_OK;
}

static void test_the_item_in_hand_is_noted_and_a_suspect_goes_alone(void **state)
{
	(void)state;
	chain(run_in_hand);
	push("a");
	push("b");
	end_input();
	rig.relay.suspect_attempts = 2;
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), 0);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_step_counts_whole_and_with_its_item),
		cmocka_unit_test(test_a_new_worker_goes_on_behind_the_last_complete_step),
		cmocka_unit_test(test_a_full_batch_is_committed_between_two_steps),
		cmocka_unit_test(test_a_deadline_passes_only_when_nothing_is_there),
		cmocka_unit_test(test_cancel_drops_the_step_that_could_not_send),
		cmocka_unit_test(test_a_producer_that_was_given_up_is_no_clean_end),
		cmocka_unit_test(test_no_room_says_why_and_is_not_overlooked),
		cmocka_unit_test(test_a_push_of_nothing_fails_the_stage),
		cmocka_unit_test(test_a_rejected_item_undoes_its_step),
		cmocka_unit_test(test_rejecting_nothing_is_a_mistake),
		cmocka_unit_test(test_an_item_that_cost_too_many_workers_is_not_given_again),
		cmocka_unit_test(test_the_item_in_hand_is_noted_and_a_suspect_goes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
