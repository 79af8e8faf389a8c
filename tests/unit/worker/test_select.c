/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weir/channel.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/run.h"

#define N_INPUTS 3u

static struct rig rig;
static int event_fd;

/* The one consumer of three producers, with an input edge for each. */
static void merger(int (*run)(struct weir_context *context, void *state))
{
	const struct weir_stage stage = { .role = WEIR_SINK, .run = run };

	rig_init(&rig, N_INPUTS, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &stage);
	rig.consumers[0].backstop_ms = RIG_NEVER_MS;
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(event_fd >= 0);
}

static void merger_end(void)
{
	close(event_fd);
	rig_deinit(&rig);
}

static void fill(struct worker *producer, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(rig_push(producer, "item"), 0);
	rig_commit(producer);
}

static void end_inputs(void)
{
	for (uint32_t i = 0; i < N_INPUTS; i++)
		lane_out_close(&rig.producers[i].outputs[0].lanes[0].lane);
}

static struct weir_case from(uint32_t input)
{
	return (struct weir_case){ .kind = WEIR_CASE_RECV, .index = input };
}

/* ---- fairness ---- */

static int run_fair(struct weir_context *context, void *state)
{
	struct weir_case cases[] = { from(0), { .kind = WEIR_CASE_NONE }, from(1), from(WEIR_ANY_INPUT) };
	unsigned waited[4] = { 0 };

	(void)state;
	for (int i = 0; i < 60; i++) {
		size_t number;

		assert_int_equal(weir_select(context, cases, 4, WEIR_NOW, &number), WEIR_OK);
		assert_in_range(number, 0, 3);
		assert_int_not_equal(number, 1);
		for (size_t j = 0; j < 4; j++)
			waited[j] = j == number ? 0 : waited[j] + 1;
		/* All three are ready all the time: each waits for two others, whatever their places. */
		assert_true(waited[0] < 3 && waited[2] < 3 && waited[3] < 3);
		if (number < 3)
			assert_int_equal(cases[number].item.input, cases[number].index);
	}
	end_inputs();
	return WEIR_OK;
}

static void test_no_case_that_stays_ready_starves(void **state)
{
	(void)state;
	merger(run_fair);
	for (uint32_t i = 0; i < N_INPUTS; i++)
		fill(&rig.producers[i], 80);
	assert_int_equal(run_loop(&rig.consumers[0]), 0);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_DELIVERED], 60);
	merger_end();
}

static int run_descriptor(struct weir_context *context, void *state)
{
	struct weir_case cases[] = { { .kind = WEIR_CASE_FD, .fd = event_fd, .events = POLLIN }, from(0) };
	unsigned waited = 0, came = 0;
	size_t number;

	(void)state;
	assert_int_equal(write(event_fd, &(uint64_t){ 1 }, 8), 8);
	for (int i = 0; i < 200; i++) {
		if (i % 50 == 0)
			fill(&rig.producers[0], 50);
		assert_int_equal(weir_select(context, cases, 2, WEIR_NOW, &number), WEIR_OK);
		waited = number == 0 ? 0 : waited + 1;
		came += number == 0;
		assert_true(waited < 64);
		if (number == 0)
			assert_int_equal(cases[0].revents, POLLIN);
	}
	assert_true(came >= 3);
	end_inputs();
	return WEIR_OK;
}

static void test_a_ready_descriptor_comes_beside_lanes_that_are_always_ready(void **state)
{
	(void)state;
	merger(run_descriptor);
	assert_int_equal(run_loop(&rig.consumers[0]), 0);
	merger_end();
}

/* ---- ends and times ---- */

static int run_ends(struct weir_context *context, void *state)
{
	struct weir_case cases[] = { from(0), from(1), from(2) };
	uint64_t deadline_ns;
	size_t number;

	(void)state;
	assert_int_equal(weir_select(context, cases, 3, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	assert_true(number == WEIR_NO_CASE);
	deadline_ns = clock_now_ns() + 10 * NS_PER_MS;
	assert_int_equal(weir_select(context, cases, 3, deadline_ns, &number), WEIR_EXPIRED);
	assert_true(number == WEIR_NO_CASE && clock_now_ns() >= deadline_ns);
	assert_int_equal(weir_select(context, NULL, 0, clock_now_ns() + NS_PER_MS, &number), WEIR_EXPIRED);

	fill(&rig.producers[1], 1);
	lane_out_close(&rig.producers[1].outputs[0].lanes[0].lane);
	assert_int_equal(weir_select(context, cases, 3, deadline_ns, &number), WEIR_OK);
	assert_int_equal(number, 1);
	assert_int_equal(weir_select(context, cases, 3, WEIR_FOREVER, &number), WEIR_CLOSED);
	assert_int_equal(number, 1);
	cases[1].kind = WEIR_CASE_NONE;
	assert_int_equal(weir_select(context, cases, 3, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	store_release(&rig.producers[2].segment.writers[0].closed, LANE_CLOSED_LOST);
	assert_int_equal(weir_select(context, cases, 3, WEIR_FOREVER, &number), WEIR_PEER_LOST);
	assert_int_equal(number, 2);

	cases[0].index = N_INPUTS;
	assert_int_equal(weir_select(context, cases, 1, WEIR_NOW, &number), -EINVAL);
	cases[0] = (struct weir_case){ .kind = WEIR_CASE_SEND };
	assert_int_equal(weir_select(context, cases, 1, WEIR_NOW, &number), -EINVAL); /* a sink sends nothing */
	cases[0].kind = (enum weir_case_kind)9;
	assert_int_equal(weir_select(context, cases, 1, WEIR_NOW, &number), -EINVAL);
	assert_int_equal(weir_select(context, cases, WEIR_CASES_MAX + 1, WEIR_NOW, &number), -EINVAL);
	end_inputs();
	return WEIR_OK;
}

static void test_ends_deadlines_and_senseless_cases(void **state)
{
	(void)state;
	merger(run_ends);
	assert_int_equal(run_loop(&rig.consumers[0]), 0);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_DELIVERED], 1);
	merger_end();
}

/* ---- asleep ---- */

static uint64_t called_ns;

static void *write_soon(void *data)
{
	ssize_t n;

	(void)data;
	usleep(20000);
	n = write(event_fd, &(uint64_t){ 1 }, 8);
	(void)n;
	return NULL;
}

static void *push_soon(void *data)
{
	(void)data;
	usleep(20000);
	fill(&rig.producers[2], 1);
	return NULL;
}

static void *cancel_soon(void *data)
{
	(void)data;
	usleep(20000);
	rig_order(&rig, BOARD_CANCEL);
	doorbell_ring(rig.doorbells[N_INPUTS]);
	return NULL;
}

static void in_a_while(void *(*what)(void *), pthread_t *thread)
{
	called_ns = clock_now_ns();
	assert_int_equal(pthread_create(thread, NULL, what, NULL), 0);
}

static void it_woke(pthread_t thread)
{
	/* By its ring, not by the bound of a minute. */
	assert_true(clock_now_ns() - called_ns < RIG_NEVER_MS / 2 * NS_PER_MS);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static int run_sleeps(struct weir_context *context, void *state)
{
	struct weir_case cases[] = { from(0), from(2), { .kind = WEIR_CASE_FD, .fd = event_fd, .events = POLLIN } };
	struct pollfd fd = { .fd = event_fd, .events = POLLIN };
	pthread_t thread;
	size_t number;

	(void)state;
	fill(&rig.producers[1],
	     1); /* an input that nobody asks for must not keep it awake, nor stop it from sleeping */
	in_a_while(write_soon, &thread);
	assert_int_equal(weir_select(context, cases, 3, WEIR_FOREVER, &number), WEIR_OK);
	assert_int_equal(number, 2);
	it_woke(thread);
	assert_int_equal(weir_wait(context, &fd, 1, 0), WEIR_OK);
	assert_int_equal(fd.revents, POLLIN);
	assert_int_equal(read(event_fd, &(uint64_t){ 0 }, 8), 8);
	in_a_while(push_soon, &thread);
	assert_int_equal(weir_select(context, cases, 3, WEIR_FOREVER, &number), WEIR_OK);
	assert_int_equal(number, 1);
	it_woke(thread);
	in_a_while(cancel_soon, &thread);
	assert_int_equal(weir_select(context, &cases[2], 1, WEIR_FOREVER, &number), WEIR_CANCELLED);
	it_woke(thread);
	return WEIR_CANCELLED;
}

static void test_lanes_descriptors_and_orders_wake_a_select(void **state)
{
	(void)state;
	merger(run_sleeps);
	assert_int_equal(run_loop(&rig.consumers[0]), WEIR_CANCELLED);
	merger_end();
}

/* ---- sending ---- */

static char large[RIG_LANE_SIZE];

static int run_room(struct weir_context *context, void *state)
{
	struct weir_case cases[] = { { .kind = WEIR_CASE_SEND, .index = 0, .size_bytes = 1800 },
				     { .kind = WEIR_CASE_SEND, .index = 1, .size_bytes = 1800 } };
	size_t number;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weir_send(context, 0, large, 1800, WEIR_NOW), WEIR_OK);
		assert_int_equal(weir_select(context, cases, 2, WEIR_NOW, &number), WEIR_OK);
	}
	assert_int_equal(weir_send(context, 0, large, 1800, WEIR_NOW), WEIR_WOULD_BLOCK);
	assert_int_equal(weir_select(context, cases, 2, WEIR_NOW, &number), WEIR_OK);
	assert_int_equal(number, 1);
	assert_int_equal(weir_select(context, cases, 1, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	assert_string_equal(rig_take(&rig.consumers[0]), "");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(weir_select(context, cases, 1, WEIR_FOREVER, &number), WEIR_OK);
	assert_int_equal(weir_send(context, 0, large, 1800, WEIR_NOW), WEIR_OK);
	cases[1].size_bytes = sizeof(large);
	assert_int_equal(weir_select(context, cases, 2, WEIR_FOREVER, &number), WEIR_TOO_LARGE);
	assert_int_equal(number, 1);
	assert_int_equal(weir_close(context, 1), WEIR_OK);
	assert_int_equal(weir_select(context, &cases[1], 1, WEIR_FOREVER, &number), WEIR_CLOSED);
	assert_int_equal(number, 0);
	assert_string_equal(rig_take(&rig.consumers[1]), "-");
	/* A second edge goes on while one is closed, also when all are meant. */
	assert_string_equal(rig_take(&rig.consumers[0]), "");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(weir_send(context, WEIR_ALL_OUTPUTS, "x", 1, WEIR_NOW), WEIR_OK);
	rig_order(&rig, BOARD_DRAIN);
	assert_int_equal(weir_select(context, cases, 1, WEIR_FOREVER, &number), WEIR_CLOSED);
	assert_true(number == WEIR_NO_CASE);
	return WEIR_CLOSED;
}

static void test_select_waits_for_room(void **state)
{
	const struct weir_stage stage = { .role = WEIR_SOURCE, .run = run_room };

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.producers[0], &stage);
	assert_int_equal(run_loop(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_ACCEPTED], 4);
	assert_string_equal(rig_take(&rig.consumers[0]), "");
	assert_string_equal(rig_take(&rig.consumers[0]), "x");
	assert_string_equal(rig_take(&rig.consumers[0]), ".");
	assert_string_equal(rig_take(&rig.consumers[1]), ".");
	rig_deinit(&rig);
}

static int run_in_step(struct weir_context *context, void *state)
{
	struct weir_case room = { .kind = WEIR_CASE_SEND, .index = 0, .size_bytes = 1 };
	struct weir_item item;
	size_t number;

	(void)state;
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_OK);
	assert_int_equal(weir_send(context, 0, "A", 1, WEIR_NOW), WEIR_OK);
	assert_int_equal(weir_select(context, &room, 1, WEIR_FOREVER, &number), WEIR_OK);
	assert_int_equal(weir_select(context, NULL, 0, clock_now_ns() + NS_PER_MS, &number), WEIR_EXPIRED);
	assert_string_equal(rig_take(&rig.consumers[0]), "-"); /* the step goes on: half of it must not be seen */
	assert_memory_equal(item.data, "a", 1);
	return -EIO;
}

static void test_a_select_without_receive_is_no_end_of_a_step(void **state)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .run = run_in_step };

	(void)state;
	rig_init_chain(&rig, &stage);
	assert_int_equal(rig_push(&rig.producers[0], "a"), 0);
	rig_commit(&rig.producers[0]);
	assert_int_equal(run_loop(&rig.relay), -EIO);
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 0);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_case_that_stays_ready_starves),
		cmocka_unit_test(test_a_ready_descriptor_comes_beside_lanes_that_are_always_ready),
		cmocka_unit_test(test_ends_deadlines_and_senseless_cases),
		cmocka_unit_test(test_lanes_descriptors_and_orders_wake_a_select),
		cmocka_unit_test(test_select_waits_for_room),
		cmocka_unit_test(test_a_select_without_receive_is_no_end_of_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
