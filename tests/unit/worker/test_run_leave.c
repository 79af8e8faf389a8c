/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving and being left, in stages with a loop of their own. */
#include <poll.h>
#include <pthread.h>

#include "channel_test.h"

static bool wants_nothing(const struct worker *worker, uint32_t reader)
{
	return load_acquire(&worker->segment.readers[reader].left) == LANE_LEFT;
}

static bool has_rung(uint32_t slot)
{
	struct pollfd fd = { .fd = rig.doorbells[slot], .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void leave(struct worker *reader)
{
	store_release(&reader->segment.readers[0].left, LANE_LEFT);
}

/* ---- nobody listens ---- */

static int run_unheard(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(send_text(context, "A"), WEIR_OK);
	leave(&rig.consumers[0]);
	for (int i = 0; i < 100 && !wants_nothing(&rig.relay, 0); i++) /* it looks now and then */
		assert_int_equal(receive(context, ""), WEIR_WOULD_BLOCK);
	assert_true(wants_nothing(&rig.relay, 0));
	assert_true(has_rung(0));
	push("b");
	assert_int_equal(receive(context, ""), WEIR_WOULD_BLOCK); /* discarded, not given */
	assert_int_equal(LEDGER_OF(UNWANTED), 1);
	end_input();
	assert_int_equal(receive(context, ""), WEIR_CLOSED);
	return WEIR_CLOSED;
}

static void test_an_operator_that_nobody_listens_to_leaves_its_inputs(void **state)
{
	(void)state;
	chain(run_unheard);
	push("a");
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(LEDGER_OF(TAKEN), 2);
	assert_int_equal(LEDGER_OF(CONSUMED), 1);
	rig_deinit(&rig);
}

/* Leaves; once the relay has followed it sends one more item, sees that it is taken, and closes. */
static void *neighbours(void *data)
{
	const struct lane_out *lane = &rig.producers[0].outputs[0].lanes[0].lane;

	(void)data;
	usleep(20000);
	leave(&rig.consumers[0]);
	doorbell_ring(rig.doorbells[1]);
	for (int i = 0; i < 20000 && !wants_nothing(&rig.relay, 0); i++)
		usleep(1000);
	push("unwanted");
	for (int i = 0; i < 20000 && load_acquire(&lane->peer->done) != lane->tail; i++)
		usleep(1000);
	turn_close(&rig.producers[0]);
	return NULL;
}

static int run_asleep(struct weir_context *context, void *state)
{
	struct weir_item item;
	pthread_t thread;
	int r;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, neighbours, NULL), 0);
	r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(r, WEIR_CLOSED);
	return r;
}

static void test_being_left_ends_a_sleep(void **state)
{
	(void)state;
	chain(run_asleep);
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(LEDGER_OF(UNWANTED), 1);
	rig_deinit(&rig);
}

/* ---- sources ---- */

static void source(run_function run)
{
	const struct weir_stage stage = { .role = WEIR_SOURCE, .run = run };

	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.producers[0], &stage);
	assert_int_equal(run_loop(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].cursor.finished, CURSOR_END_CLEAN);
	rig_deinit(&rig);
}

static int run_source_left(struct weir_context *context, void *state)
{
	size_t number;
	int r = WEIR_WOULD_BLOCK;

	(void)state;
	leave(&rig.consumers[0]);
	for (int i = 0; i < 100; i++) /* one of two still listens */
		assert_int_equal(weir_select(context, NULL, 0, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	assert_int_equal(send_text(context, "a"), WEIR_OK);
	leave(&rig.consumers[1]);
	for (int i = 0; i < 100 && r == WEIR_WOULD_BLOCK; i++)
		r = weir_select(context, NULL, 0, WEIR_NOW, &number);
	assert_int_equal(r, WEIR_CLOSED);
	assert_true(number == WEIR_NO_CASE);
	assert_string_equal(seen(), "a"); /* it is committed */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send_text(context, "b"), WEIR_CLOSED); /* it stays so */
		assert_int_equal(weir_select(context, NULL, 0, WEIR_FOREVER, &number), WEIR_CLOSED);
	}
	return WEIR_CLOSED;
}

static int run_source_sends_on(struct weir_context *context, void *state)
{
	int r = WEIR_OK;

	(void)state;
	leave(&rig.consumers[0]);
	leave(&rig.consumers[1]);
	for (int i = 0; i < 10000 && r == WEIR_OK; i++) {
		r = weir_send(context, 0, "x", 1, WEIR_NOW);
		if (strcmp(rig_take(&rig.consumers[0]), "-") != 0)
			rig_commit(&rig.consumers[0]);
	}
	assert_int_equal(r, WEIR_CLOSED); /* and never out of room */
	return r;
}

static void *leave_both(void *data)
{
	(void)data;
	usleep(20000);
	leave(&rig.consumers[0]);
	leave(&rig.consumers[1]);
	doorbell_ring(rig.doorbells[0]);
	return NULL;
}

static int run_source_asleep(struct weir_context *context, void *state)
{
	pthread_t thread;
	size_t number;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, leave_both, NULL), 0);
	assert_int_equal(weir_select(context, NULL, 0, WEIR_FOREVER, &number), WEIR_CLOSED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return WEIR_CLOSED;
}

static int run_source_full(struct weir_context *context, void *state)
{
	pthread_t thread;
	int r;

	(void)state;
	while ((r = weir_send(context, 0, "x", 1, WEIR_NOW)) == WEIR_OK)
		;
	assert_int_equal(r, WEIR_WOULD_BLOCK);
	assert_int_equal(pthread_create(&thread, NULL, leave_both, NULL), 0);
	assert_int_equal(weir_send(context, 0, "x", 1, WEIR_FOREVER), WEIR_CLOSED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return WEIR_CLOSED;
}

static void test_a_source_that_nobody_listens_to_is_told_so(void **state)
{
	(void)state;
	source(run_source_left);
	source(run_source_sends_on);
	source(run_source_asleep);
	source(run_source_full);
}

/* ---- leaving ---- */

static int run_leaves_one(struct weir_context *context, void *state)
{
	struct weir_case first = { .kind = WEIR_CASE_RECV, .index = 0 };
	struct weir_item item;
	size_t number;

	(void)state;
	assert_int_equal(weir_recv(context, 1, WEIR_NOW, &item), WEIR_OK);
	assert_int_equal(weir_leave(context, 1), 0);
	weir_reject(context, "takes the leaving back");
	assert_int_equal(weir_recv(context, 1, WEIR_NOW, &item), WEIR_OK);
	assert_int_equal(weir_leave(context, 1), 0);
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_WOULD_BLOCK);
	assert_true(wants_nothing(&rig.consumers[0], 1) && !wants_nothing(&rig.consumers[0], 0));
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_WOULD_BLOCK);
	/* What lay there is gone, though nobody has asked for that input; so is what comes. */
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_UNWANTED], 1);
	assert_int_equal(rig_push(&rig.producers[1], "d"), 0);
	rig_commit(&rig.producers[1]);
	assert_int_equal(weir_select(context, &first, 1, clock_now_ns() + NS_PER_MS, &number), WEIR_EXPIRED);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_UNWANTED], 2);
	assert_int_equal(rig_push(&rig.producers[1], "e"), 0);
	rig_commit(&rig.producers[1]);
	assert_int_equal(weir_recv(context, 1, WEIR_NOW, &item), WEIR_WOULD_BLOCK);
	push("still wanted");
	assert_int_equal(weir_recv(context, WEIR_ANY_INPUT, WEIR_NOW, &item), WEIR_OK);
	assert_int_equal(item.input, 0);
	lane_out_close(&rig.producers[1].outputs[0].lanes[0].lane);
	assert_int_equal(weir_recv(context, 1, WEIR_FOREVER, &item), WEIR_CLOSED);
	end_input();
	return WEIR_OK;
}

static void test_an_input_that_is_left_gives_nothing_but_its_end(void **state)
{
	const struct weir_stage stage = { .role = WEIR_SINK, .run = run_leaves_one };
	char folder[64], path[80];

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.consumers[0], &stage);
	strcpy(folder, "/tmp/weir-leave-XXXXXX");
	assert_non_null(mkdtemp(folder));
	sprintf(path, "%s/dead", folder);
	rig.consumers[0].heritage.dead_letter_path = strdup(path);
	for (const char *text = "abc"; *text; text++)
		assert_int_equal(rig_push(&rig.producers[1], (char[]){ *text, '\0' }), 0);
	rig_commit(&rig.producers[1]);
	assert_int_equal(run_loop(&rig.consumers[0]), 0);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_UNWANTED], 3);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_DELIVERED], 2);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_REJECTED_IN], 1);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_TAKEN], 6);
	unlink(path);
	rmdir(folder);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_operator_that_nobody_listens_to_leaves_its_inputs),
		cmocka_unit_test(test_being_left_ends_a_sleep),
		cmocka_unit_test(test_a_source_that_nobody_listens_to_is_told_so),
		cmocka_unit_test(test_an_input_that_is_left_gives_nothing_but_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
