/* SPDX-License-Identifier: Apache-2.0 */
/* A source that was told to drain: how long it rests, what ends that, and that its lanes are open until then. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/host.h"
#include "worker/output.h"
#include "worker/rest.h"

#define LONG_NS (60 * NS_PER_S) /* until SIGTERM, where that is not what ends it */
#define SOON_US 20000u
#define SHORT_NS (20 * NS_PER_MS)
#define PATIENT_NS LONG_NS /* with readers that take nothing, where that is not what ends it */

static struct rig rig;
static struct worker *source; /* NULL: there is no rig */

static int nothing_more(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	return WEIR_CLOSED;
}

/* A source that was told to drain, with so many items in its lanes, and this long until SIGTERM. */
static void begin(uint32_t n_consumers, enum heritage_order order, unsigned n_items, uint64_t left_ns)
{
	static const struct weir_stage gives = { .role = WEIR_SOURCE, .produce = nothing_more };
	char text[16];

	rig_init(&rig, 1, n_consumers, order, HERITAGE_ROUND_ROBIN, false);
	source = &rig.producers[0];
	rig_employ(&rig, source, &gives);
	if (n_consumers > 1) { /* one edge again: rig_employ() has made one of each lane */
		source->outputs[0].n_lanes = n_consumers;
		source->n_outputs = 1;
	}
	source->heritage.outputs[0].run_records = 1000;
	for (unsigned i = 0; i < n_items; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(rig_push(source, text), 0);
	}
	if (n_items)
		rig_commit(source);
	rig_order(&rig, BOARD_DRAIN);
	source->order_seen = BOARD_DRAIN;
	store_relaxed(&rig.board->term_deadline_ns, left_ns ? clock_now_ns() + left_ns : 0);
}

static void end(void)
{
	for (uint32_t i = 0; i < rig.n_consumers; i++) /* to close them is for whoever ends the stream */
		assert_int_equal(load_relaxed(&source->outputs[0].lanes[i].lane.writer->closed), LANE_OPEN);
	source->outputs[0].n_retired = 0;
	source->n_outputs = rig.n_consumers; /* as rig_deinit() expects it */
	source = NULL;
	rig_deinit(&rig);
}

/* ---- what others do meanwhile ---- */

static struct meanwhile {
	pthread_t thread;
	unsigned n_takes, pause_us;
	uint32_t order; /* BOARD_HOLD: none */
	uint32_t consumer;
	bool runs, stop;
} meanwhile;

static bool is_stopped(void)
{
	return __atomic_load_n(&meanwhile.stop, __ATOMIC_ACQUIRE);
}

static void *act(void *data)
{
	struct worker *consumer = &rig.consumers[meanwhile.consumer];

	(void)data;
	for (unsigned i = 0; i < meanwhile.n_takes && !is_stopped(); i++) {
		usleep(meanwhile.pause_us);
		if (strcmp(rig_take(consumer), "-") == 0)
			break;
		rig_commit(consumer);
	}
	if (meanwhile.order != BOARD_HOLD) {
		usleep(SOON_US);
		rig_order(&rig, meanwhile.order);
		doorbell_ring(rig.doorbells[0]);
	}
	return NULL;
}

static void begin_meanwhile(uint32_t consumer, unsigned n_takes, unsigned pause_us, uint32_t order)
{
	meanwhile =
		(struct meanwhile){ .consumer = consumer, .n_takes = n_takes, .pause_us = pause_us, .order = order };
	assert_int_equal(pthread_create(&meanwhile.thread, NULL, act, NULL), 0);
	meanwhile.runs = true;
}

static void end_meanwhile(void)
{
	__atomic_store_n(&meanwhile.stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(meanwhile.thread, NULL), 0);
	meanwhile.runs = false;
}

/* An assertion that fails leaves the test in its middle. The thread would go on with the rig of the next one. */
static int clear_away(void **state)
{
	(void)state;
	if (meanwhile.runs)
		end_meanwhile();
	if (source)
		end();
	return 0;
}

static uint64_t left_bytes(uint32_t lane)
{
	const struct lane_out *out = &source->outputs[0].lanes[lane].lane;

	return out->tail - load_acquire(&out->peer->done);
}

/* ---- how long: without a clock ---- */

static void test_it_rests_as_long_as_something_is_taken_and_there_is_time(void **state)
{
	struct rest rest;

	(void)state;
	rest_begin(&rest, 1000, 3000, 100, 7);
	assert_true(rest_goes_on(&rest, 1000, 7));
	assert_true(rest_goes_on(&rest, 1099, 7));
	assert_true(rest_goes_on(&rest, 1100, 6)); /* just in time */
	assert_true(rest_goes_on(&rest, 1199, 6));
	assert_true(rest_goes_on(&rest, 1250, 5)); /* seen late: nobody looked when it had waited long enough */
	assert_true(rest_goes_on(&rest, 1349, 5));
	assert_false(rest_goes_on(&rest, 1350, 5));
	assert_true(rest_goes_on(&rest, 1999, 4));
	assert_false(rest_goes_on(&rest, 2000, 3)); /* half of the time is for others, though items still go */
	assert_false(rest_goes_on(&rest, 1400, 0));
}

static void test_past_or_unknown_deadlines_leave_no_time(void **state)
{
	struct rest rest;

	(void)state;
	rest_begin(&rest, 1000, 0, 100, 7);
	assert_false(rest_goes_on(&rest, 1000, 7));
	rest_begin(&rest, 1000, 999, 100, 7);
	assert_false(rest_goes_on(&rest, 1000, 7));
}

/* ---- tests ---- */

static void test_when_all_is_taken_it_is_over(void **state)
{
	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 0, LONG_NS);
	assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
	assert_true(source->parted);
	end();
}

static void test_it_rests_until_the_last_item_is_taken(void **state)
{
	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 30, LONG_NS);
	begin_meanwhile(0, 30, 5000, BOARD_HOLD);
	assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
	assert_int_equal(left_bytes(0), 0);
	assert_true(source->parted && !source->lingering);
	end_meanwhile();
	end();
}

/* It may not be given longer than what leaves time for others: half of what is left until SIGTERM. */
static void test_half_of_the_time_at_most(void **state)
{
	uint64_t from_ns, term_ns;

	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 5, 10 * SHORT_NS);
	from_ns = clock_now_ns();
	term_ns = load_relaxed(&rig.board->term_deadline_ns);
	assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
	assert_true(from_ns >= term_ns || clock_now_ns() - from_ns >= (term_ns - from_ns) / 2);
	assert_true(left_bytes(0) != 0);
	end();
}

static void test_without_time_it_does_not_rest(void **state)
{
	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 5, 0);
	assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
	assert_true(left_bytes(0) != 0);
	end();
}

static void test_nor_when_nobody_takes_anything(void **state)
{
	uint64_t from_ns;

	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 5, LONG_NS);
	from_ns = clock_now_ns();
	assert_int_equal(rest_for(source, SHORT_NS), REST_E_OVER);
	assert_in_range(clock_now_ns() - from_ns, SHORT_NS, LONG_NS / 2 - 1);
	assert_true(left_bytes(0) != 0);
	end();
}

static void test_it_goes_on_when_the_drain_is_taken_back(void **state)
{
	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 40, LONG_NS);
	begin_meanwhile(0, 2, 1000, BOARD_RUN);
	assert_int_equal(rest_for(source, PATIENT_NS), 0);
	assert_int_equal(source->order_seen, BOARD_RUN);
	assert_false(source->parted); /* it has said that it goes on, and may be asked again */
	end_meanwhile();
	end();
}

static void test_a_cancel_ends_it(void **state)
{
	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 40, LONG_NS);
	begin_meanwhile(0, 2, 1000, BOARD_CANCEL);
	assert_int_equal(rest_for(source, PATIENT_NS), WEIR_CANCELLED);
	end_meanwhile();
	end();
}

/* Else a reader would wait for the rest of a run that does not come. */
static void test_runs_are_ended_first(void **state)
{
	const char *text;
	unsigned n_items = 0, n_ends = 0;

	(void)state;
	begin(2, HERITAGE_ORDER_DEAL, 3, 0);
	assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
	for (uint32_t i = 0; i < 2; i++)
		while (strcmp(text = rig_take(&rig.consumers[i]), "-") != 0) {
			n_items += strcmp(text, "|") != 0;
			n_ends += strcmp(text, "|") == 0;
		}
	assert_int_equal(n_items, 3);
	assert_true(n_ends >= 1);
	end();
}

/* A reader dies for good meanwhile: what waits for it is moved, and waited for where it is then. */
static void test_what_waits_for_a_retired_reader_is_moved_and_waited_for(void **state)
{
	(void)state;
	begin(2, HERITAGE_ORDER_NONE, 20, LONG_NS);
	source->heritage.outputs[0].movable = true;
	store_release(&rig.board->slots[1].dealing, 1);
	store_release(&rig.board->dealings, 1);
	begin_meanwhile(1, 20, 1000, BOARD_HOLD);
	assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
	assert_int_equal(source->outputs[0].n_lanes, 1);
	assert_int_equal(source->outputs[0].n_retired, 1);
	assert_true(left_bytes(0) == 0 && left_bytes(1) == 0);
	end_meanwhile();
	end();
}

/* ---- somebody at the door ---- */

static int door = -1;
static unsigned n_answered;

static int answers(struct weir_context *context, void *state)
{
	eventfd_t value;

	(void)state;
	assert_true(weir_draining(context));
	assert_int_equal(weir_emit(context, WEIR_ALL_OUTPUTS, "never", 5), WEIR_CLOSED);
	if (n_answered++ == 0)
		eventfd_write(door, 1);
	else
		assert_int_equal(eventfd_read(door, &value), 0);
	weir_watch(context, door, POLLIN, 0);
	return WEIR_WAIT;
}

static void test_who_comes_meanwhile_is_answered(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags <= WEIR_STAGE_ANSWERS; flags += WEIR_STAGE_ANSWERS) {
		begin(1, HERITAGE_ORDER_NONE, 3, LONG_NS);
		door = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		n_answered = 0;
		source->stage.produce = answers;
		source->stage.flags = flags;
		source->watch.fd = -1;
		begin_meanwhile(0, 3, 50000, BOARD_HOLD);
		assert_int_equal(rest_for(source, PATIENT_NS), REST_E_OVER);
		assert_int_equal(n_answered, flags ? 2 : 0);
		assert_false(weir_draining(&source->context));
		end_meanwhile();
		close(door);
		end();
	}
}

/* ---- behind the end ---- */

static unsigned n_calls, n_calls_max;

/* It looks again at once, waits for its door, then for a time, and is over. */
static int stays(struct weir_context *context, void *state)
{
	(void)state;
	assert_true(weir_draining(context));
	assert_int_equal(weir_emit(context, WEIR_ALL_OUTPUTS, "never", 5), WEIR_CLOSED);
	switch (++n_calls) {
	case 1:
		return WEIR_MORE;
	case 2:
		eventfd_write(door, 1);
		weir_watch(context, door, POLLIN, 0);
		return WEIR_WAIT;
	case 3:
		weir_watch(context, -1, 0, clock_now_ns() + SHORT_NS);
		return WEIR_WAIT;
	default:
		weir_watch(context, -1, 0, 0);
		return n_calls < n_calls_max ? WEIR_WAIT : WEIR_CLOSED;
	}
}

static int begin_to_stay(uint32_t flags, unsigned n_max)
{
	begin(1, HERITAGE_ORDER_NONE, 0, LONG_NS);
	door = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n_calls = 0;
	n_calls_max = n_max;
	source->stage.produce = stays;
	source->stage.flags = flags;
	source->watch.fd = -1;
	return rest_stay(source);
}

static void test_it_stays_until_it_says_that_it_is_over(void **state)
{
	(void)state;
	assert_int_equal(begin_to_stay(WEIR_STAGE_STAYS, 4), 0);
	assert_int_equal(n_calls, 4);
	assert_false(weir_draining(&source->context));
	close(door);
	end();
	assert_int_equal(begin_to_stay(WEIR_STAGE_ANSWERS, 4), 0);
	assert_int_equal(n_calls, 0);
	close(door);
	end();
}

static void test_a_cancel_ends_the_stay(void **state)
{
	(void)state;
	begin(1, HERITAGE_ORDER_NONE, 0, LONG_NS);
	begin_meanwhile(0, 0, 0, BOARD_CANCEL);
	n_calls = 3; /* and so on, without anything to watch */
	n_calls_max = UINT32_MAX;
	source->stage.produce = stays;
	source->stage.flags = WEIR_STAGE_STAYS;
	assert_int_equal(rest_stay(source), WEIR_CANCELLED);
	end_meanwhile();
	end();
}

#define REST_TEST(test_) cmocka_unit_test_teardown(test_, clear_away)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_rests_as_long_as_something_is_taken_and_there_is_time),
		cmocka_unit_test(test_past_or_unknown_deadlines_leave_no_time),
		REST_TEST(test_when_all_is_taken_it_is_over),
		REST_TEST(test_it_rests_until_the_last_item_is_taken),
		REST_TEST(test_half_of_the_time_at_most),
		REST_TEST(test_without_time_it_does_not_rest),
		REST_TEST(test_nor_when_nobody_takes_anything),
		REST_TEST(test_it_goes_on_when_the_drain_is_taken_back),
		REST_TEST(test_a_cancel_ends_it),
		REST_TEST(test_runs_are_ended_first),
		REST_TEST(test_who_comes_meanwhile_is_answered),
		REST_TEST(test_it_stays_until_it_says_that_it_is_over),
		REST_TEST(test_a_cancel_ends_the_stay),
		REST_TEST(test_what_waits_for_a_retired_reader_is_moved_and_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
