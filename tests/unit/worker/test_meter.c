/* SPDX-License-Identifier: Apache-2.0 */
/* How long things take is measured as it is, for each item once, and not for each item. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "rig.h"
#include "worker/blocked.h"
#include "worker/meter.h"
#include "worker/turn.h"

#define ITEM_NS (2 * NS_PER_MS)
#define LONG_NS (40 * NS_PER_MS)
#define NEARLY(ns_) ((ns_) - (ns_) / 16) /* half a bucket */

static struct {
	unsigned n_items, n_long; /* the n_long-th takes long; 0: none does */
	uint64_t each_ns;
	unsigned held_max; /* so many are held, then settled; 0: none is */
	uint64_t token;
} stage;

static void pass(uint64_t ns)
{
	const struct timespec time = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	if (ns)
		assert_int_equal(nanosleep(&time, NULL), 0);
}

static int work(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	stage.n_items++;
	pass(stage.n_items == stage.n_long ? LONG_NS : stage.each_ns);
	if (!stage.held_max)
		return WEIR_OK;
	if (stage.n_items % stage.held_max)
		return WEIR_HELD;
	weir_settle(context, stage.held_max - 1);
	return WEIR_OK;
}

static int work_at_flush(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	pass(LONG_NS);
	return WEIR_OK;
}

static int begin_call(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	stage.n_items++;
	stage.token = weir_defer(context);
	weir_watch(context, -1, 0, weir_now_ns(context) + LONG_NS);
	return WEIR_PENDING;
}

static int end_call(struct weir_context *context, void *state)
{
	uint64_t token = stage.token;

	(void)state;
	stage.token = 0;
	return token ? weir_complete(context, token, WEIR_OK) : WEIR_OK;
}

static const struct weir_stage working = { .role = WEIR_OPERATOR, .process = work };
static const struct weir_stage flushing = { .role = WEIR_OPERATOR, .process = work, .flush = work_at_flush };
static const struct weir_stage calling = { .role = WEIR_OPERATOR, .process = begin_call, .produce = end_call };

static void push(struct rig *rig, unsigned n)
{
	rig->producers[0].context.accepted_ns = clock_now_ns();
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rig_push(&rig->producers[0], "item"), 0);
	rig_commit(&rig->producers[0]);
}

static void begin(struct rig *rig, const struct weir_stage *employed)
{
	memset(&stage, 0, sizeof(stage));
	rig_init_chain(rig, employed);
}

static void run(struct rig *rig)
{
	lane_out_close(&rig->producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(turn_loop(&rig->relay), 0);
}

static struct histogram of_relay(const struct rig *rig, enum histogram_id id)
{
	struct histogram histogram = { 0 };

	histogram_read(&rig->relay.segment, id, &histogram);
	return histogram;
}

static void assert_measured(const struct rig *rig, enum histogram_id id, uint64_t n, uint64_t each_ns)
{
	struct histogram histogram = of_relay(rig, id);

	assert_int_equal(histogram_count(&histogram), n);
	assert_true(histogram.sum_ns >= n * each_ns);
	assert_true(histogram_quantile_ns(&histogram, 1) >= NEARLY(each_ns));
}

static void test_each_item_counts_once(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	stage.each_ns = ITEM_NS;
	push(&rig, 20); /* of which turns take 8 */
	run(&rig);
	assert_measured(&rig, HISTOGRAM_PROCESSING, 20, ITEM_NS);
	assert_measured(&rig, HISTOGRAM_END_TO_END, 20, ITEM_NS);
	rig_deinit(&rig);
}

/* A turn's mean would hide it. */
static void test_a_slow_stage_is_measured_by_the_item(void **state)
{
	struct histogram histogram;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	stage.each_ns = NS_PER_MS;
	stage.n_long = 12;
	push(&rig, 16);
	run(&rig);
	histogram = of_relay(&rig, HISTOGRAM_PROCESSING);
	assert_int_equal(histogram_count(&histogram), 16);
	assert_true(histogram_quantile_ns(&histogram, 1000) >= NEARLY(LONG_NS));
	assert_true(histogram.counts[histogram_bucket(histogram_quantile_ns(&histogram, 1000))] == 1);
	rig_deinit(&rig);
}

/* When turns take next to nothing: one of 256, or one in half of the shortest gap; however slow the machine is. */
static void test_fast_turns_are_seldom_measured(void **state)
{
	uint64_t n_measured = 0, begun_ns, took_ns;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	begun_ns = clock_now_ns();
	for (unsigned i = 0; i < 100000; i++) {
		meter_turn_begin(&rig.relay);
		n_measured += rig.relay.meter.begun_ns != 0;
		rig.relay.cursor.ledger[LEDGER_TAKEN]++;
		meter_turn_end(&rig.relay);
	}
	took_ns = clock_now_ns() - begun_ns;
	assert_true(n_measured > 0);
	assert_true(n_measured <= 100 + 100000 / 256 + took_ns / (16 * NS_PER_US));
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 100000);
	assert_in_range(rig.relay.meter.n_told[HISTOGRAM_PROCESSING], 100000 - 256, 100000);
	rig_deinit(&rig);
}

static void test_waiting_is_the_time_in_the_lane(void **state)
{
	struct histogram waiting;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	push(&rig, 3);
	pass(LONG_NS);
	run(&rig);
	waiting = of_relay(&rig, HISTOGRAM_WAITING);
	assert_int_equal(histogram_count(&waiting), 3);
	assert_true(histogram_quantile_ns(&waiting, 1) >= NEARLY(LONG_NS));
	assert_measured(&rig, HISTOGRAM_END_TO_END, 3, LONG_NS);
	rig_deinit(&rig);
}

/* The mark that is found first is kept though others follow, and told when its turn has come. */
static void test_a_mark_is_followed_to_its_item(void **state)
{
	struct histogram waiting;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	push(&rig, 8);
	push(&rig, 3);
	rig.relay.meter.lane = &rig.relay.inputs[0].lanes[0];
	meter_turn_begin(&rig.relay);
	rig.relay.cursor.ledger[LEDGER_TAKEN] += 1; /* a turn that has not come to the mark: of the ninth item */
	meter_turn_taken(&rig.relay);
	meter_turn_end(&rig.relay);
	assert_ptr_equal(rig.relay.meter.followed.lane, rig.relay.meter.lane);
	pass(LONG_NS);
	push(&rig, 3);
	run(&rig);
	waiting = of_relay(&rig, HISTOGRAM_WAITING);
	assert_true(histogram_quantile_ns(&waiting, 500) >= NEARLY(LONG_NS));
	rig_deinit(&rig);
}

static void test_a_torn_mark_is_none(void **state)
{
	struct histogram waiting;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	push(&rig, 3);
	store_relaxed(&rig.producers[0].segment.observed->lanes[0].mark_ns, 1);
	run(&rig);
	waiting = of_relay(&rig, HISTOGRAM_WAITING);
	assert_int_equal(histogram_count(&waiting), 0);
	rig_deinit(&rig);
}

/* What it had marked was never committed: its successor's records lie there, and came later. */
static void test_marks_end_with_their_generation(void **state)
{
	struct lane_observed *observed;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	observed = &rig.relay.segment.observed->lanes[0];
	store_relaxed(&observed->mark_check, 7);
	store_relaxed(&observed->blocked_ns, 5);
	rig_replace_relay(&rig, 1);
	observed = &rig.relay.segment.observed->lanes[0];
	assert_int_equal(load_relaxed(&observed->mark_check), 0);
	assert_int_equal(load_relaxed(&observed->blocked_ns), 5);
	rig_deinit(&rig);
}

static void test_what_is_held_ends_when_it_is_settled(void **state)
{
	struct histogram processing;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	stage.held_max = 16; /* in turns of 8: the first of them ends nothing */
	stage.n_long = 9;
	push(&rig, 32);
	run(&rig);
	processing = of_relay(&rig, HISTOGRAM_PROCESSING);
	assert_int_equal(histogram_count(&processing), 32);
	assert_true(histogram_quantile_ns(&processing, 800) >= NEARLY(LONG_NS));
	rig_deinit(&rig);
}

/* Of many that are held at once each stands for those beside it, and not the last one for all. */
static void test_what_is_held_ends_one_after_the_other(void **state)
{
	struct histogram processing;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	meter_turn_begin(&rig.relay);
	rig.relay.cursor.ledger[LEDGER_TAKEN] += 64;
	rig.relay.cursor.ledger[LEDGER_HELD] += 64;
	meter_turn_end(&rig.relay);
	for (unsigned n = 1; n <= 64; n++) {
		if (n == 33)
			pass(LONG_NS);
		rig.relay.cursor.ledger[LEDGER_HELD]--;
		meter_settled(&rig.relay, 1);
		processing = of_relay(&rig, HISTOGRAM_PROCESSING);
		assert_int_equal(histogram_count(&processing), n / 8 * 8);
	}
	assert_true(histogram_quantile_ns(&processing, 510) >= NEARLY(LONG_NS));
	rig_deinit(&rig);
}

static void test_flush_is_work_of_all_items_of_its_turn(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, &flushing);
	push(&rig, 4);
	run(&rig);
	assert_measured(&rig, HISTOGRAM_PROCESSING, 4, LONG_NS / 4);
	rig_deinit(&rig);
}

/* It waits for room within process(): that is none of its own time, and told by edge. */
static void test_sleep_for_room_is_not_work(void **state)
{
	struct histogram processing;
	struct worker *relay;
	uint64_t now_ns;
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	relay = &rig.relay;
	meter_turn_begin(relay);
	assert_true(relay->meter.begun_ns);
	now_ns = relay->meter.begun_ns + NS_PER_S; /* as if a second had passed, all of it asleep */
	relay->meter.begun_ns -= NS_PER_S;
	counter_add(relay, COUNTER_WAIT_SPACE_NS, NS_PER_S);
	relay->cursor.ledger[LEDGER_TAKEN]++;
	meter_turn_end(relay);
	processing = of_relay(&rig, HISTOGRAM_PROCESSING);
	assert_int_equal(histogram_count(&processing), 1);
	assert_true(processing.sum_ns < clock_now_ns() - (now_ns - NS_PER_S) + 1);

	store_relaxed(&relay->segment.status->wait_for, WAIT_FOR_ROOM | WAIT_ANY_OF_EDGE);
	store_relaxed(&relay->segment.status->wait_lane, 0);
	store_relaxed(&relay->segment.status->since_ns, 1000);
	meter_unblocked(relay, 5000);
	meter_unblocked(relay, 1500);
	store_relaxed(&relay->segment.status->wait_for, WAIT_FOR_ITEM);
	meter_unblocked(relay, 9000);
	store_relaxed(&relay->segment.status->wait_for, WAIT_FOR_ROOM);
	store_relaxed(&relay->segment.status->wait_lane, NO_LANE);
	meter_unblocked(relay, 9000);
	assert_int_equal(load_relaxed(&relay->segment.observed->lanes[0].blocked_ns), 4500);
	rig_deinit(&rig);
}

static void test_items_in_flight_are_measured_one_by_one(void **state)
{
	struct rig rig;

	(void)state;
	memset(&stage, 0, sizeof(stage));
	rig_init_chain_asynchronous(&rig, &calling, 2);
	push(&rig, 1);
	run(&rig);
	assert_measured(&rig, HISTOGRAM_PROCESSING, 1, LONG_NS);
	assert_measured(&rig, HISTOGRAM_END_TO_END, 1, LONG_NS);
	assert_measured(&rig, HISTOGRAM_WAITING, 1, 0);
	rig_deinit(&rig);
}

static void test_nothing_is_measured_unless_it_is_to_be(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, &working);
	memset(&rig.relay.meter, 0, sizeof(rig.relay.meter));
	stage.each_ns = ITEM_NS;
	push(&rig, 9);
	run(&rig);
	for (enum histogram_id id = 0; id < HISTOGRAM_COUNT; id++)
		assert_measured(&rig, id, 0, 0);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_item_counts_once),
		cmocka_unit_test(test_a_slow_stage_is_measured_by_the_item),
		cmocka_unit_test(test_fast_turns_are_seldom_measured),
		cmocka_unit_test(test_waiting_is_the_time_in_the_lane),
		cmocka_unit_test(test_a_mark_is_followed_to_its_item),
		cmocka_unit_test(test_a_torn_mark_is_none),
		cmocka_unit_test(test_marks_end_with_their_generation),
		cmocka_unit_test(test_what_is_held_ends_when_it_is_settled),
		cmocka_unit_test(test_what_is_held_ends_one_after_the_other),
		cmocka_unit_test(test_flush_is_work_of_all_items_of_its_turn),
		cmocka_unit_test(test_sleep_for_room_is_not_work),
		cmocka_unit_test(test_items_in_flight_are_measured_one_by_one),
		cmocka_unit_test(test_nothing_is_measured_unless_it_is_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
