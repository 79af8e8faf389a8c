/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage with a deadline is told of it, what the supervisor is told of items put aside, and why an item is given up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <weir/budget.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/attempt.h"
#include "worker/host.h"
#include "worker/in_flight.h"
#include "worker/turn.h"

#define DEADLINE (10 * NS_PER_S)

static struct rig rig;
static unsigned n_seen;

static void push(unsigned n)
{
	char text[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(rig_push(&rig.producers[0], text), 0);
	}
	rig_commit(&rig.producers[0]);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
}

static void publish(uint32_t lane, uint64_t position, uint64_t due_ns)
{
	struct board_slot *slot = &rig.board->slots[1];

	store_relaxed(&slot->due_lane, lane);
	store_relaxed(&slot->due_position, position);
	store_relaxed(&slot->due_ns, due_ns);
}

/* ---- the budget ---- */

static int ask(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t before_ns = clock_now_ns(), position = load_relaxed(&rig.relay.segment.hand->position), first_ns;
	struct weir_budget budget = weir_budget_of(context);

	(void)state, (void)item;
	first_ns = budget.deadline_ns;
	assert_in_range(first_ns, before_ns + DEADLINE, clock_now_ns() + DEADLINE);
	assert_int_equal(budget.cause, WEIR_CAUSE_ITEM_DEADLINE);
	assert_int_equal(weir_budget_of(context).deadline_ns, first_ns); /* it does not wander */
	publish(0, position + 8, before_ns + 1);                         /* of another item */
	assert_int_equal(weir_budget_of(context).deadline_ns, first_ns);
	publish(1, position, before_ns + 1); /* of another lane */
	assert_int_equal(weir_budget_of(context).deadline_ns, first_ns);
	publish(0, position, first_ns + NS_PER_S); /* later: it was seen late */
	assert_int_equal(weir_budget_of(context).deadline_ns, first_ns);
	publish(0, position, before_ns + 1);
	assert_int_equal(weir_budget_of(context).deadline_ns, before_ns + 1);
	store_relaxed(&rig.board->run_deadline_ns, before_ns);
	assert_int_equal(weir_budget_of(context).deadline_ns, before_ns); /* the run's is tighter */
	assert_int_equal(weir_budget_of(context).cause, WEIR_CAUSE_RUN_DEADLINE);
	store_relaxed(&rig.board->run_deadline_ns, 0);
	publish(0, position, 0);
	n_seen++;
	return 0;
}

static int ask_outside(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(weir_budget_of(context).deadline_ns, WEIR_FOREVER); /* no item is in hand */
	n_seen++;
	return 0;
}

static void test_the_budget_is_the_tightest(void **state)
{
	static const struct weir_stage asks = { .role = WEIR_OPERATOR, .process = ask, .finish = ask_outside };

	(void)state;
	n_seen = 0;
	rig_init_chain(&rig, &asks);
	rig.relay.heritage.deadline_ns = DEADLINE;
	push(3);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_seen, 4);
	rig_deinit(&rig);
}

static int ask_for_nothing(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)item;
	return ask_outside(context, state);
}

static void test_without_a_deadline_there_is_none(void **state)
{
	static const struct weir_stage asks = { .role = WEIR_OPERATOR, .process = ask_for_nothing };

	(void)state;
	n_seen = 0;
	rig_init_chain(&rig, &asks);
	push(2);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_seen, 2);
	rig_deinit(&rig);
}

/* ---- items put aside ---- */

#define N_ITEMS 5u
static uint64_t tokens[N_ITEMS], deadlines[N_ITEMS];
static unsigned n_tokens;

static void assert_due(bool any, uint64_t sequence)
{
	const struct segment_hand *hand = rig.relay.segment.hand;

	assert_int_equal(load_relaxed(&hand->due_ns) != 0, any);
	if (!any)
		return;
	assert_int_equal(load_relaxed(&hand->due_ns), deadlines[sequence]); /* nobody has waited for room */
	assert_int_equal(load_relaxed(&hand->due_sequence), sequence);
	assert_int_equal(load_relaxed(&hand->due_position), sequence * 40);
}

static int put_aside(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	assert_int_equal(item->sequence, n_tokens);
	deadlines[n_tokens] = weir_budget_of(context).deadline_ns;
	assert_in_range(deadlines[n_tokens], clock_now_ns(), clock_now_ns() + DEADLINE);
	tokens[n_tokens++] = weir_defer(context);
	if (n_tokens == N_ITEMS)
		weir_produce_next(context);
	return WEIR_PENDING;
}

/* In an order of its own; the note always names the oldest of the rest. */
static int complete_all(struct weir_context *context, void *state)
{
	static const struct {
		unsigned which;
		uint64_t oldest;
	} order[N_ITEMS] = { { 2, 0 }, { 0, 1 }, { 4, 1 }, { 1, 3 }, { 3, N_ITEMS } };

	(void)state;
	if (n_tokens < N_ITEMS)
		return 0;
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), HAND_ASIDE);
	for (unsigned i = 0; i < N_ITEMS; i++) {
		assert_int_equal(weir_budget_of(context).deadline_ns, WEIR_FOREVER);
		assert_int_equal(weir_resume(context, tokens[order[i].which], NULL), 0);
		assert_int_equal(load_relaxed(&rig.relay.segment.hand->busy), HAND_BUSY);
		assert_int_equal(weir_budget_of(context).deadline_ns, deadlines[order[i].which]);
		assert_int_equal(weir_complete(context, tokens[order[i].which], WEIR_OK), 0);
		assert_due(order[i].oldest < N_ITEMS, order[i].oldest);
	}
	n_tokens = 0;
	n_seen++;
	return 0;
}

static void test_the_oldest_item_put_aside_is_noted(void **state)
{
	static const struct weir_stage defers = { .role = WEIR_OPERATOR,
						  .process = put_aside,
						  .produce = complete_all };

	(void)state;
	n_seen = n_tokens = 0;
	rig_init_chain_asynchronous(&rig, &defers, 8);
	rig.relay.heritage.deadline_ns = DEADLINE;
	push(N_ITEMS);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_seen, 1);
	assert_int_equal(load_relaxed(&rig.relay.segment.hand->due_ns), 0);
	rig_deinit(&rig);
}

/* ---- the end of an item ---- */

static void test_the_reason_says_whether_it_was_the_deadline(void **state)
{
	struct heritage_death deaths[] = { { .overrun = true }, { .overrun = false }, { .overrun = true } };
	struct worker worker = { .heritage = { .deadline_ns = 500 * NS_PER_MS, .deaths = deaths, .n_deaths = 3 } };
	char reason[128];

	(void)state;
	assert_int_equal(attempt_explain(&worker, 3, reason, sizeof(reason)), DEAD_LETTER_ATTEMPTS);
	assert_string_equal(reason, "3 workers died with it in hand, 2 of them past its deadline of 500 ms");
	deaths[1].overrun = true;
	assert_int_equal(attempt_explain(&worker, 3, reason, sizeof(reason)), DEAD_LETTER_DEADLINE);
	assert_string_equal(reason, "it has overrun the deadline of 500 ms, in each of 3 attempts");
	worker.heritage.n_deaths = 1;
	assert_int_equal(attempt_explain(&worker, 1, reason, sizeof(reason)), DEAD_LETTER_DEADLINE);
	assert_string_equal(reason, "it has overrun the deadline of 500 ms, in each of 1 attempt");
	worker.heritage.n_deaths = 0;
	assert_int_equal(attempt_explain(&worker, 1, reason, sizeof(reason)), DEAD_LETTER_ATTEMPTS);
	assert_string_equal(reason, "1 worker died with it in hand");
	assert_int_equal(attempt_explain(&worker, 3, reason, sizeof(reason)), DEAD_LETTER_ATTEMPTS);
	assert_string_equal(reason, "3 workers died with it in hand");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_budget_is_the_tightest),
		cmocka_unit_test(test_without_a_deadline_there_is_none),
		cmocka_unit_test(test_the_oldest_item_put_aside_is_noted),
		cmocka_unit_test(test_the_reason_says_whether_it_was_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
