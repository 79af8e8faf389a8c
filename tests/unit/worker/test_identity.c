/* SPDX-License-Identifier: Apache-2.0 */
/* Which item is in hand: whatever way it has come, and whatever shape the stage has. Of dead letters, test_replay.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/channel.h>
#include <weir/identity.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/host.h"
#include "worker/run.h"
#include "worker/turn.h"

#define RUN 77u

static struct weir_identity seen[16];
static char first_letters[16];
static uint32_t n_seen;
static uint64_t tokens[16];
static uint32_t n_tokens;

static void look(struct weir_context *context, const struct weir_item *item)
{
	first_letters[n_seen] = *(const char *)item->data;
	assert_int_equal(weir_identify(context, &seen[n_seen++]), WEIR_OK);
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	look(context, item);
	return WEIR_OK;
}

static int finish(struct weir_context *context, void *state)
{
	struct weir_identity none;

	(void)state;
	assert_int_equal(weir_identify(context, &none), -EPERM);
	return WEIR_OK;
}

static int run(struct weir_context *context, void *state)
{
	struct weir_identity none;
	struct weir_item item;
	int r;

	(void)state;
	assert_int_equal(weir_identify(context, &none), -EPERM);
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK)
		look(context, &item);
	assert_int_equal(weir_identify(context, &none), -EPERM);
	return r;
}

static const struct weir_stage processing = { .role = WEIR_SINK, .process = process, .finish = finish };
static const struct weir_stage running = { .role = WEIR_SINK, .run = run };

static void push(struct rig *rig, uint32_t producer, const char *text)
{
	assert_int_equal(rig_push(&rig->producers[producer], text), 0);
	rig_commit(&rig->producers[producer]);
}

static const struct weir_identity *identity_of(char first_letter)
{
	const char *at = memchr(first_letters, first_letter, n_seen);

	assert_non_null(at);
	return &seen[at - first_letters];
}

static void assert_is(char first_letter, uint32_t producer, uint64_t sequence, uint32_t input)
{
	const struct weir_identity *identity = identity_of(first_letter);

	assert_int_equal(identity->run, RUN);
	assert_int_equal(identity->producer, producer);
	assert_int_equal(identity->sequence, sequence);
	assert_int_equal(identity->part, 0);
	assert_int_equal(identity->input, input);
}

/* Three producers, one edge each: the short way, the general way, and a loop of the stage's own. */
static void test_items_of_lanes(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct heritage_edge edges[3];
		struct rig rig;

		rig_init(&rig, 3, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
		rig_employ(&rig, &rig.consumers[0], way == 2 ? &running : &processing);
		for (uint32_t i = 0; i < 3; i++) { /* whose lane it is stands in its own edge */
			edges[i] = *rig.consumers[0].inputs[i].heritage;
			edges[i].lanes += i;
			rig.consumers[0].inputs[i].heritage = &edges[i];
		}
		rig.consumers[0].plain_input = way == 0;
		rig.consumers[0].heritage.run = RUN;
		push(&rig, 0, "a");
		push(&rig, 0, "b");
		push(&rig, 2, "c");
		push(&rig, 1, "d");
		push(&rig, 2, "e");
		for (uint32_t i = 0; i < 3; i++)
			lane_out_close(&rig.producers[i].outputs[0].lanes[0].lane);
		n_seen = 0;
		assert_int_equal(way == 2 ? run_loop(&rig.consumers[0]) : turn_loop(&rig.consumers[0]), 0);
		assert_int_equal(n_seen, 5);
		assert_is('a', 0, 0, 0);
		assert_is('b', 0, 1, 0);
		assert_is('c', 2, 0, 2);
		assert_is('d', 1, 0, 1);
		assert_is('e', 2, 1, 2);
		rig_deinit(&rig);
	}
}

static int put_aside(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct weir_identity identity;

	(void)state, (void)item;
	assert_int_equal(weir_identify(context, &identity), WEIR_OK);
	assert_int_equal(identity.sequence, n_tokens);
	tokens[n_tokens++] = weir_defer(context);
	weir_watch(context, -1, 0, clock_now_ns());
	return WEIR_PENDING;
}

/* The last first. */
static int complete(struct weir_context *context, void *state)
{
	struct weir_identity none;

	(void)state;
	assert_int_equal(weir_identify(context, &none), -EPERM);
	while (n_tokens) {
		const struct weir_item *item;

		assert_int_equal(weir_resume(context, tokens[--n_tokens], &item), 0);
		look(context, item);
		assert_int_equal(weir_complete(context, tokens[n_tokens], WEIR_OK), 0);
	}
	return WEIR_OK;
}

static void test_items_in_flight(void **state)
{
	static const struct weir_stage late = { .role = WEIR_OPERATOR, .process = put_aside, .produce = complete };
	struct rig rig;

	(void)state;
	rig_init_chain_asynchronous(&rig, &late, 4);
	rig.relay.heritage.run = RUN;
	push(&rig, 0, "a");
	push(&rig, 0, "b");
	push(&rig, 0, "c");
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	n_seen = n_tokens = 0;
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_seen, 3);
	assert_is('a', identity_of('b')->producer, 0, 0);
	assert_is('c', identity_of('b')->producer, 2, 0);
	rig_deinit(&rig);
}

/* Where the supervisor's socket lies. */
static void test_the_folder_of_the_run(void **state)
{
	static struct worker worker = { .context = { .host = &worker_host } };
	static char endpoint[] = "ipc:///run/weir/orders/control";

	(void)state;
	worker.heritage.control_endpoint = endpoint;
	assert_string_equal(weir_run_folder(&worker.context), "/run/weir/orders");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_of_lanes),
		cmocka_unit_test(test_items_in_flight),
		cmocka_unit_test(test_the_folder_of_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
