/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/postpone.h"
#include "worker/host.h"
#include "worker/turn.h"

#define PAUSE_NS (40 * NS_PER_MS)
#define FAR_NS (20 * NS_PER_S) /* nobody waits so long, or a test fails */

/* The stage of these tests: an item that begins with '!' is postponed until `until_ns`, one with '?' for PAUSE_NS. */
static uint64_t until_ns, first_call_ns;
static char order[256]; /* first letters, as the stage let them pass */
static unsigned n_postponed;
static bool leaves;

static void begin(uint64_t pause_ns)
{
	first_call_ns = clock_now_ns();
	until_ns = pause_ns == UINT64_MAX ? UINT64_MAX : first_call_ns + pause_ns;
	order[0] = '\0';
	n_postponed = 0;
	leaves = false;
}

static int stage_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *text = item->data;
	uint64_t *cursor = weir_cursor(context);
	uint64_t due_ns = text[0] == '!' ? until_ns : text[0] == '?' ? first_call_ns + PAUSE_NS : 0;

	(void)state;
	if (text[0] == '&' && !*order && n_postponed < 10 * POSTPONE_SUSPECT_ASKS) { /* waits for another one */
		n_postponed++;
		return weir_postpone(context, clock_now_ns() + NS_PER_MS);
	}
	if (text[0] == '%' && !strchr(order, text[2]) &&
	    n_postponed < 1000) { /* waits for one of that letter, with many looks */
		n_postponed++;
		return weir_postpone(context, clock_now_ns());
	}
	if (clock_now_ns() < due_ns) {
		n_postponed++;
		if (weir_outputs(context)) /* is undone */
			assert_int_equal(weir_emit(context, 0, "wrong", 5), 0);
		++*cursor;
		assert_int_equal(weir_postpone(context, due_ns), WEIR_WAIT);
		return WEIR_WAIT;
	}
	strncat(order, text + (due_ns != 0 || text[0] == '&' || text[0] == '%'), 1);
	if (leaves)
		assert_int_equal(weir_leave(context, WEIR_ALL_INPUTS), 0);
	++*cursor;
	return weir_outputs(context) ? weir_emit(context, 0, item->data, item->size_bytes) : WEIR_OK;
}

static const struct weir_stage operating = { .role = WEIR_OPERATOR, .process = stage_process, .cursor_size_bytes = 8 };
static const struct weir_stage sinking = { .role = WEIR_SINK, .process = stage_process, .cursor_size_bytes = 8 };

static void push(struct rig *rig, uint32_t producer, const char *text)
{
	assert_int_equal(rig_push(&rig->producers[producer], text), 0);
	rig_commit(&rig->producers[producer]);
}

static void close_all(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->n_producers; i++)
		lane_out_close(&rig->producers[i].outputs[0].lanes[0].lane);
}

/* Both ways through the turn: the short one and the general one. */
static void test_an_item_waits_in_its_lane_and_those_behind_it_too(void **state)
{
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct rig rig;

		rig_init_chain(&rig, &operating);
		rig.relay.plain_input = plain;
		push(&rig, 0, "a");
		push(&rig, 0, "!b");
		push(&rig, 0, "c");
		close_all(&rig);
		begin(PAUSE_NS);
		assert_int_equal(turn_loop(&rig.relay), 0);
		assert_true(clock_now_ns() >= until_ns);
		assert_string_equal(order, "abc");
		assert_in_range(n_postponed, 1, 3); /* it sleeps, and asks no oftener than it has to */
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 3);
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 3);
		assert_int_equal(*(uint64_t *)weir_cursor(&rig.relay.context), 3);
		assert_string_equal(rig_take(&rig.consumers[0]), "a");
		assert_string_equal(rig_take(&rig.consumers[0]), "!b");
		assert_string_equal(rig_take(&rig.consumers[0]), "c");
		assert_string_equal(rig_take(&rig.consumers[0]), ".");
		rig_deinit(&rig);
	}
}

static void test_items_of_other_lanes_go_on(void **state)
{
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct rig rig;

		rig_init(&rig, 3, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
		rig_employ(&rig, &rig.consumers[0], &sinking);
		rig.consumers[0].plain_input = plain;
		push(&rig, 0, "!a");
		push(&rig, 0, "b");
		push(&rig, 1, "c");
		push(&rig, 2, "!d");
		push(&rig, 1, "e");
		close_all(&rig);
		begin(PAUSE_NS);
		assert_int_equal(turn_loop(&rig.consumers[0]), 0);
		assert_int_equal(strlen(order), 5);
		assert_memory_equal(order, "ce", 2);
		assert_true(strchr(order, 'a') < strchr(order, 'b'));
		assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_DELIVERED], 5);
		rig_deinit(&rig);
	}
}

/* As long as the suspect waits nobody else is tried, who might kill too. */
static void test_the_suspect_s_neighbours_wait_with_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 0, "!a");
	push(&rig, 1, "b");
	close_all(&rig);
	rig.consumers[0].suspect_attempts = 1;
	rig.consumers[0].suspect_lane = 0;
	begin(PAUSE_NS);
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_string_equal(order, "ab");
	assert_int_equal(n_postponed, 1);
	rig_deinit(&rig);
}

/* But it may be just them for whom it waits. */
static void test_the_suspect_waits_for_its_neighbours(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 0, "&a");
	push(&rig, 1, "b");
	close_all(&rig);
	rig.consumers[0].suspect_attempts = 1;
	rig.consumers[0].suspect_lane = 0;
	begin(0);
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_string_equal(order, "ba");
	assert_in_range(n_postponed, POSTPONE_SUSPECT_ASKS, 2 * POSTPONE_SUSPECT_ASKS);
	rig_deinit(&rig);
}

/* They go on in turn, each with all others: no lane that is always full hides one behind it. */
static void test_neighbours_of_a_suspect_that_waits_have_their_turn(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 4, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 0, "%az");
	for (int i = 0; i < 50; i++) {
		push(&rig, 1, "b");
		push(&rig, 2, "c");
	}
	push(&rig, 3, "z");
	close_all(&rig);
	rig.consumers[0].suspect_attempts = 1;
	rig.consumers[0].suspect_lane = 0;
	begin(0);
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_int_equal(strlen(order), 102);
	assert_in_range(strchr(order, 'z') - order, 0, 5);
	assert_in_range(strchr(order, 'a') - order, 1, 8);
	assert_in_range(n_postponed, POSTPONE_SUSPECT_ASKS, 2 * POSTPONE_SUSPECT_ASKS);
	rig_deinit(&rig);
}

/* A suspect whose time is far off says so at its first look, and nobody waits with it. */
static void test_nobody_waits_for_long_with_the_suspect(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 0, "!a");
	push(&rig, 1, "b");
	close_all(&rig);
	rig.consumers[0].suspect_attempts = 1;
	rig.consumers[0].suspect_lane = 0;
	begin(3 * NS_PER_S / 2);
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_string_equal(order, "ba");
	rig_deinit(&rig);
}

struct watcher {
	struct rig *rig;
	uint32_t waits_for, state, hand;
};

/* When the relay has gone to sleep: what it says of that, and the order to cancel. */
static void *cancel_the_sleeper(void *data)
{
	struct watcher *watcher = data;
	const struct segment *segment = &watcher->rig->relay.segment;

	do {
		usleep(1000);
		watcher->waits_for = load_relaxed(&segment->status->wait_for);
	} while (!watcher->waits_for);
	watcher->state = load_relaxed(&segment->status->state);
	watcher->hand = load_relaxed(&segment->hand->busy);
	rig_order(watcher->rig, BOARD_CANCEL);
	doorbell_ring(watcher->rig->doorbells[1]);
	return NULL;
}

static void test_who_waits_says_so_has_nothing_in_hand_and_hears_a_cancel(void **state)
{
	struct watcher watcher;
	pthread_t thread;
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &operating);
	watcher = (struct watcher){ .rig = &rig };
	push(&rig, 0, "!a"); /* alone: a commit of others would clear the note, too */
	begin(FAR_NS);
	assert_int_equal(pthread_create(&thread, NULL, cancel_the_sleeper, &watcher), 0);
	assert_int_equal(turn_loop(&rig.relay), WEIR_CANCELLED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(watcher.waits_for, WAIT_FOR_ITEM | WAIT_FOR_TIME | WAIT_FOR_DUE); /* a timer is set for it */
	assert_int_equal(watcher.state, WORKER_STATE_WAIT_OUTSIDE);
	assert_int_equal(watcher.hand, HAND_EMPTY);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 0); /* it still lies there */
	rig_deinit(&rig);
}

/* Another item comes while the first one waits, and is looked at at once. */
static void *send_another(void *data)
{
	struct rig *rig = data;
	const struct segment *segment = &rig->consumers[0].segment;

	while (!load_relaxed(&segment->status->wait_for))
		usleep(1000);
	push(rig, 1, "b");
	doorbell_ring(rig->doorbells[2]);
	while (strcmp(order, "b") != 0)
		usleep(1000);
	rig_order(rig, BOARD_CANCEL);
	doorbell_ring(rig->doorbells[2]);
	return NULL;
}

static void test_what_comes_to_another_lane_wakes_it(void **state)
{
	pthread_t thread;
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 0, "!a");
	begin(FAR_NS);
	assert_int_equal(pthread_create(&thread, NULL, send_another, &rig), 0);
	assert_int_equal(turn_loop(&rig.consumers[0]), WEIR_CANCELLED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(order, "b");
	rig_deinit(&rig);
}

static void test_an_item_that_expires_meanwhile_is_counted_when_it_does(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &operating);
	rig.relay.heritage.expires_ns = clock_now_ns() + PAUSE_NS; /* the rig's items were accepted at 0 */
	rig.relay.plain_input = false;                             /* as attach does then */
	push(&rig, 0, "!a");
	close_all(&rig);
	begin(FAR_NS);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_true(clock_now_ns() < until_ns);
	assert_in_range(n_postponed, 1, 2);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EXPIRED], 1);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 1);
	rig_deinit(&rig);
}

/* Nobody waits for the time of what is not wanted any more. */
static void test_an_input_that_is_left_is_not_waited_for(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 1, "!a"); /* is asked first */
	push(&rig, 0, "b");
	close_all(&rig);
	begin(FAR_NS);
	leaves = true;
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_true(clock_now_ns() < until_ns);
	assert_string_equal(order, "b");
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_UNWANTED], 1);
	rig_deinit(&rig);
}

static void test_the_earliest_time_wakes_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 3, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &sinking);
	push(&rig, 0, "!a");
	push(&rig, 1, "?b"); /* is asked first, and whoever comes after it must not make it later */
	push(&rig, 2, "!c");
	close_all(&rig);
	begin(FAR_NS);
	leaves = true;
	assert_int_equal(turn_loop(&rig.consumers[0]), 0);
	assert_string_equal(order, "b");
	assert_true(clock_now_ns() >= first_call_ns + PAUSE_NS);
	rig_deinit(&rig);
}

static void test_an_asynchronous_stage_is_refused(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain_asynchronous(&rig, &operating, 4);
	rig.relay.phase = PHASE_PROCESS;
	assert_int_equal(weir_postpone(&rig.relay.context, 1), WEIR_FAILED);
	assert_non_null(strstr(rig.relay.reason, "in_flight"));
	rig.relay.phase = PHASE_PRODUCE;
	assert_int_equal(weir_postpone(&rig.relay.context, 1), -EPERM);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_item_waits_in_its_lane_and_those_behind_it_too),
		cmocka_unit_test(test_items_of_other_lanes_go_on),
		cmocka_unit_test(test_the_suspect_s_neighbours_wait_with_it),
		cmocka_unit_test(test_the_suspect_waits_for_its_neighbours),
		cmocka_unit_test(test_neighbours_of_a_suspect_that_waits_have_their_turn),
		cmocka_unit_test(test_nobody_waits_for_long_with_the_suspect),
		cmocka_unit_test(test_who_waits_says_so_has_nothing_in_hand_and_hears_a_cancel),
		cmocka_unit_test(test_what_comes_to_another_lane_wakes_it),
		cmocka_unit_test(test_an_item_that_expires_meanwhile_is_counted_when_it_does),
		cmocka_unit_test(test_an_input_that_is_left_is_not_waited_for),
		cmocka_unit_test(test_the_earliest_time_wakes_it),
		cmocka_unit_test(test_an_asynchronous_stage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
