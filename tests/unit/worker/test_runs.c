/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that go the short way: through the window where they are dealt or kept, and through take_run() where they are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "rig.h"
#include "worker/host.h"
#include "worker/input.h"
#include "worker/output.h"
#include "worker/take.h"
#include "worker/turn.h"
#include "worker/window.h"

#define ITEMS 2000u

/* Empty ones too, and of no whole words: the end of a run falls everywhere in the window. */
static size_t size_of_item(uint64_t number)
{
	return (number * 37 + number / 11) % 97;
}

/* What runs have to look like, whatever way their items go. */
struct model {
	uint64_t run_bytes, bytes, ticket;
	uint32_t run_records, records;
	uint64_t tickets[ITEMS];
};

static void model_add(struct model *model, uint64_t number)
{
	model->tickets[number] = model->ticket;
	model->bytes += size_of_item(number);
	model->records++;
	if ((model->run_bytes && model->bytes >= model->run_bytes) ||
	    (model->run_records && model->records >= model->run_records)) {
		model->ticket++;
		model->bytes = model->records = 0;
	}
}

struct seen {
	uint64_t n_items, n_ends, last_end;
};

/* Takes what lies in a lane: each item has the ticket that it should have, each end that of the items before it. */
static void drain(struct worker *consumer, const struct model *model, struct seen *seen)
{
	struct input input;

	while (input_next(consumer, &input) == 0) {
		uint64_t number = input.header.sequence;

		if (input.header.kind == ITEM_RUN_END) {
			assert_true(input.header.ticket < model->ticket);
			seen->n_ends++;
			seen->last_end = input.header.ticket + 1;
		} else {
			assert_true(number < ITEMS);
			assert_int_equal(input.header.ticket, model->tickets[number]);
			assert_true(input.header.ticket >= seen->last_end);
			assert_int_equal(input.header.size_bytes, size_of_item(number));
			seen->n_items++;
		}
		input_take(consumer, &input);
	}
	rig_commit(consumer);
}

static void deal(struct model *model)
{
	static const char payload[128];
	struct seen seen[2] = { { 0 } };
	uint64_t in_window = 0;
	struct worker *producer;
	struct rig rig;

	rig_init(&rig, 1, 2, HERITAGE_ORDER_DEAL, HERITAGE_LEAST_LOADED, false);
	producer = &rig.producers[0];
	producer->context.host = &worker_host;
	producer->stage.role = WEIR_SOURCE;
	producer->heritage.outputs[0].run_bytes = model->run_bytes;
	producer->heritage.outputs[0].run_records = model->run_records;
	for (uint64_t number = 0; number < ITEMS;) {
		int r;

		producer->phase = PHASE_PRODUCE;
		window_open(producer);
		in_window += weir_window_serves(&producer->context, 0, size_of_item(number)) != 0;
		r = weir_emit(&producer->context, 0, payload, size_of_item(number));
		if (r == 0)
			model_add(model, number++);
		if (r == WEIR_FULL || number % 50 == 0) {
			rig_commit(producer);
			drain(&rig.consumers[0], model, &seen[0]);
			drain(&rig.consumers[1], model, &seen[1]);
		}
		assert_true(r == 0 || r == WEIR_FULL);
	}
	assert_int_equal(seen[0].n_items + seen[1].n_items, ITEMS);
	assert_int_equal(seen[0].n_ends + seen[1].n_ends, model->ticket);
	assert_true(seen[0].n_items > ITEMS / 10 && seen[1].n_items > ITEMS / 10);
	assert_true(in_window > ITEMS / 4);
	assert_int_equal(producer->cursor.ledger[LEDGER_EMITTED], ITEMS);
	assert_int_equal(producer->cursor.outputs[0].ticket, model->ticket);
	assert_int_equal(producer->cursor.outputs[0].run_bytes, model->bytes);
	assert_int_equal(producer->cursor.outputs[0].run_records, model->records);
	rig_deinit(&rig);
}

static void test_runs_of_bytes_end_where_they_should(void **state)
{
	(void)state;
	for (uint64_t run_bytes = 331; run_bytes < 340; run_bytes++) {
		struct model model = { .run_bytes = run_bytes };

		deal(&model);
	}
}

static void test_runs_of_items_end_where_they_should(void **state)
{
	struct model model = { .run_records = 40 };

	(void)state;
	deal(&model);
}

static void test_runs_end_at_whatever_comes_first(void **state)
{
	struct model model = { .run_records = 40, .run_bytes = 1900 };

	(void)state;
	deal(&model);
}

/* ---- kept, and taken ---- */

static unsigned n_given;
static int answer;

static int stage_count(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state, (void)item;
	n_given++;
	return answer;
}

static int stage_nothing(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	return 0;
}

static void push_through_window(struct worker *producer, uint64_t ticket, const char *texts)
{
	producer->cursor.expected[0] = ticket;
	window_open(producer);
	for (; *texts; texts++) {
		assert_true(weir_window_serves(&producer->context, 0, 1));
		assert_int_equal(weir_emit(&producer->context, 0, texts, 1), 0);
	}
	rig_commit(producer);
}

static void end_run(struct worker *producer, uint64_t ticket)
{
	assert_int_equal(output_run_end(producer, ticket), 0);
	rig_commit(producer);
}

static void seat_sink(struct rig *rig, enum weir_role role)
{
	struct worker *consumer = &rig->consumers[0];

	rig_init(rig, 2, 1, HERITAGE_ORDER_KEEP, HERITAGE_LEAST_LOADED, true);
	assert_true(consumer->runs_input);
	store_release(&rig->board->order, BOARD_RUN);
	consumer->order_seen = BOARD_RUN;
	consumer->stage = (struct weir_stage){ .role = role, .process = stage_count };
	consumer->ledger_quiet = consumer->ledger_done = LEDGER_DELIVERED;
	answer = WEIR_OK;
	n_given = 0;
}

static uint32_t take(struct worker *consumer, uint32_t batch)
{
	uint32_t n = 0;

	assert_int_equal(take_run(consumer, batch, &n), 0);
	return n;
}

static void test_only_the_run_at_work_is_taken(void **state)
{
	struct worker *consumer;
	struct rig rig;

	(void)state;
	seat_sink(&rig, WEIR_SINK);
	consumer = &rig.consumers[0];
	push_through_window(&rig.producers[1], 1, "xyz");
	push_through_window(&rig.producers[0], 0, "abcd");
	end_run(&rig.producers[0], 0);
	assert_int_equal(take(consumer, 8), 0); /* which lane it lies in is the general way's to find */
	assert_string_equal(rig_take(consumer), "a");
	assert_int_equal(take(consumer, 2), 2);
	assert_int_equal(take(consumer, 8), 1);
	assert_int_equal(take(consumer, 8), 0);
	assert_int_equal(consumer->cursor.ledger[LEDGER_DELIVERED], 3);
	assert_string_equal(rig_take(consumer), "|");
	assert_int_equal(take(consumer, 8), 0);
	assert_string_equal(rig_take(consumer), "x");
	assert_int_equal(take(consumer, 8), 2);
	assert_int_equal(take(consumer, 8), 0);
	end_run(&rig.producers[1], 1);
	assert_string_equal(rig_take(consumer), "|");
	assert_int_equal(n_given, 5);
	rig_deinit(&rig);
}

/* One whose end is missing is not for the short way to judge. */
static void test_another_ticket_is_left_alone(void **state)
{
	struct worker *consumer;
	struct rig rig;

	(void)state;
	seat_sink(&rig, WEIR_SINK);
	consumer = &rig.consumers[0];
	push_through_window(&rig.producers[0], 0, "ab");
	push_through_window(&rig.producers[0], 2, "c");
	assert_string_equal(rig_take(consumer), "a");
	assert_int_equal(take(consumer, 8), 1);
	assert_int_equal(take(consumer, 8), 0);
	rig_deinit(&rig);
}

/* Said of nearly every item by who gathers: it stays on the short way, and the ledger knows of it before the turn ends. */
static void test_held_items_are_counted(void **state)
{
	struct worker *consumer;
	struct rig rig;

	(void)state;
	seat_sink(&rig, WEIR_SINK);
	consumer = &rig.consumers[0];
	consumer->stage.produce = stage_nothing;
	answer = WEIR_HELD;
	push_through_window(&rig.producers[0], 0, "abcdef");
	assert_string_equal(rig_take(consumer), "a");
	assert_int_equal(take(consumer, 3), 3);
	assert_int_equal(consumer->cursor.ledger[LEDGER_HELD], 3);
	assert_int_equal(take(consumer, 8), 2);
	rig_commit(consumer);
	assert_int_equal(consumer->cursor.ledger[LEDGER_HELD], 5);
	assert_int_equal(consumer->cursor.ledger[LEDGER_TAKEN], 5);
	assert_int_equal(consumer->cursor.ledger[LEDGER_DELIVERED], 0);
	assert_int_equal(n_given, 5);
	rig_deinit(&rig);
}

/* Holds two, and is done with them, and with the third, at the third. */
static int stage_gather(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	if (++n_given % 3)
		return WEIR_HELD;
	weir_settle(context, 2);
	return WEIR_OK;
}

static void test_items_held_in_the_same_turn_are_settled(void **state)
{
	struct worker *consumer;
	struct rig rig;

	(void)state;
	seat_sink(&rig, WEIR_SINK);
	consumer = &rig.consumers[0];
	consumer->context.host = &worker_host;
	consumer->stage.process = stage_gather;
	consumer->stage.produce = stage_nothing;
	push_through_window(&rig.producers[0], 0, "abcdefgh");
	assert_string_equal(rig_take(consumer), "a");
	assert_int_equal(take(consumer, 8), 7);
	assert_int_equal(consumer->cursor.ledger[LEDGER_HELD], 1);
	assert_int_equal(consumer->cursor.ledger[LEDGER_DELIVERED], 6);
	assert_int_equal(consumer->cursor.ledger[LEDGER_TAKEN], 7);
	rig_commit(consumer);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_of_bytes_end_where_they_should),
		cmocka_unit_test(test_runs_of_items_end_where_they_should),
		cmocka_unit_test(test_runs_end_at_whatever_comes_first),
		cmocka_unit_test(test_only_the_run_at_work_is_taken),
		cmocka_unit_test(test_another_ticket_is_left_alone),
		cmocka_unit_test(test_held_items_are_counted),
		cmocka_unit_test(test_items_held_in_the_same_turn_are_settled),
	};

	return cmocka_run_group_tests_name("worker.runs", tests, NULL, NULL);
}
