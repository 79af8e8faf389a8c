/* SPDX-License-Identifier: Apache-2.0 */
/* capacity: 0 behind a stage with a loop of its own: no step begins before the readers are done with the one before. */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "channel_test.h"

static void meet(struct worker *worker)
{
	worker->rendezvous = true;
	worker->heritage.outputs[0].rendezvous = true;
}

static void taken(const char *text)
{
	assert_string_equal(seen(), text);
}

static void done(void)
{
	rig_commit(&rig.consumers[0]);
}

static uint64_t soon_ns(void)
{
	return clock_now_ns() + NS_PER_MS;
}

/* ---- operators ---- */

static int run_operator(struct weir_context *context, void *state)
{
	struct weir_item item;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(send_text(context, "A1"), WEIR_OK);
	assert_int_equal(send_text(context, "A2"), WEIR_OK); /* of one item: they go over together */
	taken("-");
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_WOULD_BLOCK); /* b is there */
	assert_int_equal(weir_recv(context, 0, soon_ns(), &item), WEIR_EXPIRED);
	taken("A1");
	taken("A2");
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &item), WEIR_WOULD_BLOCK); /* taken, but not done */
	assert_int_equal(send_text(context, "tick"), WEIR_WOULD_BLOCK);
	assert_int_equal(weir_send(context, 0, "tick", 4, soon_ns()), WEIR_EXPIRED);
	done();
	assert_int_equal(receive(context, "b"), WEIR_OK); /* filtered: nothing to wait for */
	assert_int_equal(receive(context, "c"), WEIR_OK);
	return WEIR_OK;
}

static void test_no_receive_before_the_reader_has_committed(void **state)
{
	(void)state;
	chain(run_operator);
	meet(&rig.relay);
	for (const char *const *text = (const char *const[]){ "a", "b", "c", NULL }; *text; text++)
		push(*text);
	end_input();
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(LEDGER_OF(TAKEN), 3);
	assert_int_equal(LEDGER_OF(EMITTED), 2);
	rig_deinit(&rig);
}

static int run_select(struct weir_context *context, void *state)
{
	struct weir_case cases[] = { { .kind = WEIR_CASE_RECV, .index = 0 },
				     { .kind = WEIR_CASE_FD, .events = POLLIN } };
	size_t number;

	(void)state;
	cases[1].fd = eventfd(1, EFD_CLOEXEC);
	assert_int_equal(weir_select(context, cases, 1, WEIR_NOW, &number), WEIR_OK);
	assert_int_equal(send_text(context, "A"), WEIR_OK);
	/* Both are ready; neither may begin a step. */
	assert_int_equal(weir_select(context, cases, 2, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	assert_int_equal(weir_select(context, cases, 2, soon_ns(), &number), WEIR_EXPIRED);
	assert_true(number == WEIR_NO_CASE);
	taken("A");
	done();
	assert_int_equal(weir_select(context, cases, 1, WEIR_NOW, &number), WEIR_OK);
	assert_int_equal(weir_select(context, &cases[1], 1, WEIR_FOREVER, &number),
			 WEIR_OK); /* in the middle of a step */
	close(cases[1].fd);
	return WEIR_OK;
}

static void test_no_select_either(void **state)
{
	(void)state;
	chain(run_select);
	meet(&rig.relay);
	push("a");
	push("b");
	end_input();
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_int_equal(LEDGER_OF(TAKEN), 2);
	rig_deinit(&rig);
}

/* ---- waiting ---- */

static void *reader_late(void *data)
{
	(void)data;
	usleep(20000);
	while (strcmp(seen(), "-") == 0)
		usleep(1000);
	usleep(20000);
	done();
	return NULL;
}

static void *cancel_late(void *data)
{
	(void)data;
	usleep(20000);
	rig_order(&rig, BOARD_CANCEL);
	doorbell_ring(rig.doorbells[1]);
	return NULL;
}

static void *(*other)(void *data);

static bool reader_is_done(const struct worker *sender)
{
	const struct lane_out *lane = &sender->outputs[0].lanes[0].lane;

	return load_acquire(&lane->peer->done) == lane->tail;
}

static int run_waits(struct weir_context *context, void *state)
{
	bool cancelled = other == cancel_late;
	struct weir_item item;
	pthread_t thread;
	int r;

	(void)state;
	assert_int_equal(receive(context, "a"), WEIR_OK);
	assert_int_equal(send_text(context, "A"), WEIR_OK);
	assert_int_equal(pthread_create(&thread, NULL, other, NULL), 0);
	r = weir_recv(context, 0, WEIR_FOREVER, &item);
	assert_int_equal(r, cancelled ? WEIR_CANCELLED : WEIR_OK);
	assert_true(reader_is_done(&rig.relay) != cancelled);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return r;
}

static void test_a_wait_ends_with_the_reader_or_a_cancel(void **state)
{
	void *(*const others[])(void *data) = { reader_late, cancel_late };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		chain(run_waits);
		meet(&rig.relay);
		push("a");
		push("b");
		end_input();
		other = others[i];
		assert_int_equal(run_loop(&rig.relay), i ? WEIR_CANCELLED : 0);
		rig_deinit(&rig);
	}
}

/* ---- sources ---- */

static void source(run_function run, int expected)
{
	const struct weir_stage stage = { .role = WEIR_SOURCE, .run = run };

	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, &rig.producers[0], &stage);
	meet(&rig.producers[0]);
	assert_int_equal(run_loop(&rig.producers[0]), expected);
	rig_deinit(&rig);
}

static int run_source(struct weir_context *context, void *state)
{
	size_t number;
	pthread_t thread;

	(void)state;
	assert_int_equal(send_text(context, "1"), WEIR_OK);
	taken("-");
	assert_int_equal(send_text(context, "2"), WEIR_WOULD_BLOCK);
	assert_int_equal(weir_send(context, 0, "2", 1, soon_ns()), WEIR_EXPIRED);
	taken("1");
	assert_int_equal(send_text(context, "2"), WEIR_WOULD_BLOCK);
	assert_int_equal(weir_select(context, NULL, 0, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	done();
	assert_int_equal(send_text(context, "2"), WEIR_OK);
	assert_int_equal(pthread_create(&thread, NULL, reader_late, NULL), 0);
	assert_int_equal(weir_send(context, 0, "3", 1, WEIR_FOREVER), WEIR_OK);
	assert_true(reader_is_done(&rig.producers[0]));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(weir_select(context, NULL, 0, WEIR_NOW, &number), WEIR_WOULD_BLOCK);
	taken("3"); /* and none of those that were refused */
	return WEIR_OK;
}

static int run_source_drains(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(send_text(context, "1"), WEIR_OK);
	assert_int_equal(send_text(context, "2"), WEIR_WOULD_BLOCK);
	rig_order(&rig, BOARD_DRAIN);
	assert_int_equal(weir_send(context, 0, "2", 1, WEIR_FOREVER), WEIR_CLOSED);
	taken("1");
	return WEIR_OK;
}

static int run_source_cancelled(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(send_text(context, "1"), WEIR_OK);
	rig_order(&rig, BOARD_CANCEL);
	assert_int_equal(weir_send(context, 0, "2", 1, WEIR_FOREVER), WEIR_CANCELLED);
	return WEIR_CANCELLED;
}

/* Its reader has left: it commits what it discards, and the source hears of it. */
static void *reader_leaves(void *data)
{
	(void)data;
	usleep(20000);
	store_release(&rig.consumers[0].segment.readers[0].left, LANE_LEFT);
	doorbell_ring(rig.doorbells[0]);
	for (int i = 0; i < 100; i++) {
		usleep(1000);
		if (strcmp(seen(), "-") != 0)
			done();
	}
	return NULL;
}

static int run_source_left(struct weir_context *context, void *state)
{
	pthread_t thread;
	int r = WEIR_OK;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, reader_leaves, NULL), 0);
	for (int i = 0; i < 100000 && r == WEIR_OK; i++)
		r = weir_send(context, 0, "x", 1, WEIR_FOREVER);
	assert_int_equal(r, WEIR_CLOSED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return r;
}

static void test_no_second_send_before_the_reader_has_committed(void **state)
{
	(void)state;
	source(run_source, 0);
	source(run_source_drains, 0);
	source(run_source_cancelled, WEIR_CANCELLED);
	source(run_source_left, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_receive_before_the_reader_has_committed),
		cmocka_unit_test(test_no_select_either),
		cmocka_unit_test(test_a_wait_ends_with_the_reader_or_a_cancel),
		cmocka_unit_test(test_no_second_send_before_the_reader_has_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
