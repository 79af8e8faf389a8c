/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "worker/retire.h"

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
	store_release(&rig->board->slots[rig->n_producers + consumer].retired, 1);
	store_release(&rig->board->retirements, load_relaxed(&rig->board->retirements) + 1);
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
	rig.producers[0].retirements_seen = 0;
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
