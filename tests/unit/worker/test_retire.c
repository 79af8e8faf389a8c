/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <weir/channel.h>

#include "rig.h"
#include "worker/host.h"
#include "worker/retire.h"
#include "worker/run.h"

#define ITEMS_MAX 1000

static bool seen[ITEMS_MAX];
static unsigned n_seen;

static void begin(struct rig *rig, uint32_t n_consumers)
{
	struct heritage nowhere = { .control_endpoint = (char *)(uintptr_t) "ipc:///nowhere/weir" };
	struct worker *producer = &rig->producers[0];

	rig_init(rig, 1, n_consumers, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	rig->board->order = BOARD_RUN;
	producer->order_seen = BOARD_RUN;
	producer->heritage.outputs[0].movable = true;
	producer->heritage.lifeline_fd = -1;
	assert_int_equal(client_open(&nowhere, &producer->client), 0);
	memset(seen, 0, sizeof(seen));
	n_seen = 0;
}

static void end(struct rig *rig)
{
	client_close(rig->producers[0].client);
	rig_deinit(rig);
}

/* Puts in items, one a commit, until nothing has room. Returns how many. */
static unsigned fill(struct rig *rig, unsigned limit)
{
	unsigned n = 0;
	char text[32];

	for (; n < limit; n++) {
		snprintf(text, sizeof(text), "%u", n);
		if (rig_push(&rig->producers[0], text) != 0)
			break;
		rig_commit(&rig->producers[0]);
	}
	return n;
}

static void take(struct worker *consumer, unsigned limit)
{
	const char *text;

	for (unsigned i = 0; i < limit && strcmp(text = rig_take(consumer), "-") && strcmp(text, "."); i++) {
		assert_false(seen[atoi(text)]); /* never twice */
		seen[atoi(text)] = true;
		n_seen++;
	}
	rig_commit(consumer);
}

static void retire(struct rig *rig, uint32_t consumer)
{
	store_release(&rig->board->slots[rig->n_producers + consumer].dealing, 1);
	store_release(&rig->board->dealings, load_relaxed(&rig->board->dealings) + 1);
	doorbell_ring(rig->doorbells[0]);
}

static void test_what_waits_goes_to_the_others(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 3);
	assert_int_equal(fill(&rig, 60), 60);
	take(&rig.consumers[1], 2);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].outputs[0].n_lanes, 3); /* no news, nothing done */
	retire(&rig, 1);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].outputs[0].n_lanes, 2);
	lane_in_rewind(&rig.consumers[1].inputs[0].lanes[0].lane); /* it is dead: only to look */
	assert_string_equal(rig_take(&rig.consumers[1]), "-");
	assert_int_equal(load_relaxed(&rig.producers[0].segment.writers[1].tail),
			 load_relaxed(&rig.consumers[1].segment.readers[0].done));
	take(&rig.consumers[0], ITEMS_MAX);
	assert_in_range(n_seen, 2 + 20 + 5, 2 + 20 + 15); /* both got some */
	take(&rig.consumers[2], ITEMS_MAX);
	assert_int_equal(n_seen, 60);
	assert_int_equal(fill(&rig, 10), 10); /* and it goes on, with two */
	assert_string_equal(rig_take(&rig.consumers[1]), "-");
	end(&rig);
}

static void test_the_next_generation_finishes_what_was_begun(void **state)
{
	struct rig rig;
	struct lane_out *dead;

	(void)state;
	begin(&rig, 2);
	assert_int_equal(fill(&rig, 40), 40);
	retire(&rig, 0);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	/* As a new process finds it: all lanes in place, positions from shared memory, the board. */
	rig.producers[0].outputs[0].n_lanes = 2;
	rig.producers[0].outputs[0].n_retired = 0;
	rig.producers[0].dealings_seen = 0;
	dead = &rig.producers[0].outputs[0].lanes[1].lane;
	lane_out_rewind(dead);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].outputs[0].n_lanes, 1);
	take(&rig.consumers[1], ITEMS_MAX);
	assert_int_equal(n_seen, 40);
	end(&rig);
}

static void test_the_last_one_stays(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 2);
	assert_int_equal(fill(&rig, 4), 4);
	retire(&rig, 0);
	retire(&rig, 1);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].outputs[0].n_lanes, 1);
	end(&rig);
}

static void test_a_senseless_position_fails_the_producer(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 2);
	assert_int_equal(fill(&rig, 4), 4);
	store_relaxed(&rig.consumers[0].segment.readers[0].done, 8 * RIG_LANE_SIZE);
	retire(&rig, 0);
	assert_int_equal(retire_check(&rig.producers[0]), WEIR_FAILED);
	assert_non_null(strstr(rig.producers[0].reason, "retired worker of 'consumer'"));
	end(&rig);
}

struct other_side {
	struct rig *rig;
	uint32_t retires;
	bool closed_early;
};

/* Takes slowly from consumer 1, and retires consumer 0 on the way. */
static void *act(void *data)
{
	struct other_side *side = data;
	struct worker *consumer = &side->rig->consumers[1];

	for (unsigned i = 0; i < 500 && n_seen < side->retires; i++) {
		usleep(1000);
		take(consumer, 3);
	}
	if (side->retires) {
		side->closed_early = load_acquire(&side->rig->producers[0].segment.writers[1].closed) == 1;
		retire(side->rig, 0);
	}
	for (unsigned i = 0; i < 5000 && !load_acquire(&side->rig->producers[0].segment.writers[1].closed); i++) {
		usleep(1000);
		take(consumer, 3);
	}
	take(consumer, ITEMS_MAX);
	return NULL;
}

static void test_a_lack_of_room_is_waited_for(void **state)
{
	struct rig rig;
	struct other_side side = { .rig = &rig };
	pthread_t thread;
	unsigned n;

	(void)state;
	begin(&rig, 2);
	n = fill(&rig, ITEMS_MAX);
	assert_in_range(n, 100, ITEMS_MAX - 1); /* both are full */
	retire(&rig, 0);
	assert_int_equal(pthread_create(&thread, NULL, act, &side), 0);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(n_seen, n);
	end(&rig);
}

static void test_who_has_finished_stays_until_nothing_can_be_left(void **state)
{
	struct rig rig;
	struct other_side side = { .rig = &rig, .retires = 5 };
	pthread_t thread;

	(void)state;
	begin(&rig, 2);
	assert_int_equal(fill(&rig, 40), 40);
	assert_int_equal(pthread_create(&thread, NULL, act, &side), 0);
	assert_int_equal(retire_linger(&rig.producers[0]), 0); /* consumer 0 takes nothing, until it is retired */
	assert_int_equal(rig.producers[0].outputs[0].n_lanes, 1);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(side.closed_early);
	assert_int_equal(n_seen, 40);
	end(&rig);
}

static void test_who_can_not_be_retired_keeps_nobody(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 2);
	rig.producers[0].heritage.outputs[0].movable = false;
	assert_int_equal(fill(&rig, 40), 40);
	assert_int_equal(retire_linger(&rig.producers[0]), 0);
	end(&rig);
}

/* ---- a stage with a loop of its own ---- */

static struct rig running;

static void run(int (*function)(struct weir_context *context, void *state), int expected)
{
	struct worker *producer = &running.producers[0];

	begin(&running, 2);
	producer->context.host = &worker_host;
	producer->stage = (struct weir_stage){ .role = WEIR_SOURCE, .run = function };
	assert_int_equal(run_loop(producer), expected);
	end(&running);
}

/* Sends numbers from `first` on until one finds no room. Returns the number of that one. */
static unsigned send_from(struct weir_context *context, unsigned first, unsigned end_)
{
	char text[32];

	for (; first < end_; first++) {
		int r = weir_send(context, 0, text, (size_t)snprintf(text, sizeof(text), "%u", first), WEIR_NOW);

		if (r == WEIR_WOULD_BLOCK)
			break;
		assert_int_equal(r, WEIR_OK);
	}
	return first;
}

static int pause_until(struct weir_context *context, uint64_t deadline_ns)
{
	size_t number;

	return weir_select(context, NULL, 0, deadline_ns, &number);
}

static int run_retires(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(send_from(context, 0, 40), 40);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	retire(&running, 0);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK); /* a try is enough */
	take(&running.consumers[1], ITEMS_MAX);
	assert_int_equal(n_seen, 40);
	assert_int_equal(send_from(context, 40, 60), 60);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	take(&running.consumers[1], ITEMS_MAX);
	assert_int_equal(n_seen, 60);
	return WEIR_OK;
}

static void test_lanes_move_while_run_goes_on(void **state)
{
	(void)state;
	run(run_retires, 0);
}

static int run_crowded(struct weir_context *context, void *state)
{
	unsigned n = send_from(context, 0, ITEMS_MAX), before;

	(void)state;
	assert_in_range(n, 100, ITEMS_MAX - 1);
	retire(&running, 0);
	/* No room to move anything to: neither call may wait for it beyond its deadline. */
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_int_equal(pause_until(context, clock_now_ns() + NS_PER_MS), WEIR_EXPIRED);
	assert_int_equal(weir_send(context, 0, "1", 1, WEIR_NOW), WEIR_WOULD_BLOCK);
	before = 0;
	while (n_seen > before || !before) {
		before = n_seen;
		take(&running.consumers[1], ITEMS_MAX);
		assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	}
	assert_int_equal(n_seen, n);
	return WEIR_OK;
}

static void test_run_does_not_wait_for_room_to_move_lanes(void **state)
{
	(void)state;
	run(run_crowded, 0);
}

static int done_fd;

/* Retires consumer 0, takes from the other one until all of `retires` have come, and says so. */
static void *act_slowly(void *data)
{
	const struct other_side *side = data;
	ssize_t n;

	usleep(20000);
	retire(side->rig, 0);
	for (unsigned i = 0; i < 20000 && n_seen < side->retires; i++) {
		usleep(1000);
		take(&side->rig->consumers[1], 3);
	}
	n = write(done_fd, &(uint64_t){ 1 }, 8);
	(void)n;
	return NULL;
}

static int run_asleep(struct weir_context *context, void *state)
{
	struct other_side side = { .rig = &running, .retires = send_from(context, 0, ITEMS_MAX) };
	struct weir_case done = { .kind = WEIR_CASE_FD, .events = POLLIN };
	pthread_t thread;
	size_t number;

	(void)state;
	done_fd = done.fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&thread, NULL, act_slowly, &side), 0);
	/* One sleep: the ring of the retirement, and each of the room, is answered in it. */
	assert_int_equal(weir_select(context, &done, 1, WEIR_FOREVER, &number), WEIR_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(done_fd);
	assert_int_equal(n_seen, side.retires);
	return WEIR_OK;
}

static void test_lanes_move_while_run_sleeps(void **state)
{
	(void)state;
	run(run_asleep, 0);
}

static int run_in_step(struct weir_context *context, void *state)
{
	(void)state;
	retire(&running, 0);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK); /* nothing was sent in this step */
	take(&running.consumers[1], ITEMS_MAX);
	assert_int_equal(n_seen, 40);
	assert_int_equal(weir_send(context, 0, "40", 2, WEIR_NOW), WEIR_OK);
	store_release(&running.board->dealings, 7);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_true(retire_is_due(&running.producers[0])); /* not under what the step has built */
	return -EIO;
}

static void test_lanes_move_in_a_step_that_has_sent_nothing(void **state)
{
	struct worker *producer = &running.producers[0];

	(void)state;
	begin(&running, 2);
	producer->context.host = &worker_host;
	producer->stage = (struct weir_stage){ .role = WEIR_OPERATOR, .run = run_in_step };
	assert_int_equal(fill(&running, 40), 40);
	assert_int_equal(run_loop(producer), -EIO);
	end(&running);
}

static int run_closes_early(struct weir_context *context, void *state)
{
	const struct lane_writer *writers = running.producers[0].segment.writers;

	(void)state;
	assert_int_equal(send_from(context, 0, 20), 20);
	assert_int_equal(weir_close(context, 0), WEIR_OK);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_int_equal(load_relaxed(&writers[1].closed), LANE_OPEN); /* consumer 0 may die for good yet */
	take(&running.consumers[1], ITEMS_MAX);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_int_equal(load_relaxed(&writers[1].closed), LANE_OPEN);
	retire(&running, 0);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	take(&running.consumers[1], ITEMS_MAX);
	assert_int_equal(n_seen, 20);
	assert_int_equal(pause_until(context, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_int_equal(load_relaxed(&writers[1].closed), LANE_CLOSED_CLEAN);
	return WEIR_OK;
}

static void test_an_output_that_is_closed_early_still_moves(void **state)
{
	(void)state;
	run(run_closes_early, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_waits_goes_to_the_others),
		cmocka_unit_test(test_the_next_generation_finishes_what_was_begun),
		cmocka_unit_test(test_the_last_one_stays),
		cmocka_unit_test(test_a_senseless_position_fails_the_producer),
		cmocka_unit_test(test_a_lack_of_room_is_waited_for),
		cmocka_unit_test(test_who_has_finished_stays_until_nothing_can_be_left),
		cmocka_unit_test(test_who_can_not_be_retired_keeps_nobody),
		cmocka_unit_test(test_lanes_move_while_run_goes_on),
		cmocka_unit_test(test_run_does_not_wait_for_room_to_move_lanes),
		cmocka_unit_test(test_lanes_move_while_run_sleeps),
		cmocka_unit_test(test_lanes_move_in_a_step_that_has_sent_nothing),
		cmocka_unit_test(test_an_output_that_is_closed_early_still_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
