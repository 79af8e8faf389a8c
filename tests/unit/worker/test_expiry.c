/* SPDX-License-Identifier: Apache-2.0 */
/* Items that expire on their way, and items that are not let in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/channel.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/baggage.h"
#include "worker/expiry.h"
#include "worker/host.h"
#include "worker/in_flight.h"
#include "worker/input.h"
#include "worker/run.h"
#include "worker/turn.h"

#define EXPIRES (100 * NS_PER_S)
#define N 6u

static struct rig rig;
static char begun[64];
static uint64_t begun_ns;

/* Items 1, 2 and 5 are too old. */
static void push_some_old(void)
{
	for (unsigned i = 0; i < N; i++) {
		bool old = i == 1 || i == 2 || i == 5;
		char text[4];

		snprintf(text, sizeof(text), "%u", i);
		rig.producers[0].context.accepted_ns = clock_now_ns() - (old ? EXPIRES : NS_PER_S);
		assert_int_equal(rig_push(&rig.producers[0], text), 0);
	}
	rig_commit(&rig.producers[0]);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
}

static void begin(const struct weir_stage *stage, uint32_t in_flight)
{
	rig_init_chain_asynchronous(&rig, stage, in_flight);
	rig.relay.heritage.expires_ns = EXPIRES;
	rig.relay.inputs[0].plain = rig.relay.plain_input = rig.relay.runs_input = false; /* as attach.c has it */
	begun[0] = '\0';
	push_some_old();
}

static void assert_expired(void)
{
	const uint64_t *ledger = rig.relay.cursor.ledger;

	assert_string_equal(begun, "0 3 4 ");
	assert_int_equal(ledger[LEDGER_TAKEN], N);
	assert_int_equal(ledger[LEDGER_EXPIRED], 3);
	assert_int_equal(ledger[LEDGER_CONSUMED] + ledger[LEDGER_FILTERED], 3);
	rig_deinit(&rig);
}

static void note(struct weir_context *context, const struct weir_item *item)
{
	struct weir_budget budget = weir_budget_of(context);

	assert_int_equal(budget.deadline_ns, item->accepted_ns + EXPIRES);
	assert_int_equal(budget.cause, WEIR_CAUSE_RUN_DEADLINE);
	strncat(begun, item->data, item->size_bytes);
	strcat(begun, " ");
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	note(context, item);
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static void test_an_expired_item_is_not_begun(void **state)
{
	static const struct weir_stage passes = { .role = WEIR_OPERATOR, .process = process };

	(void)state;
	begin(&passes, 1);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(rig_take(&rig.consumers[0]), "0");
	assert_string_equal(rig_take(&rig.consumers[0]), "3");
	assert_string_equal(rig_take(&rig.consumers[0]), "4");
	assert_string_equal(rig_take(&rig.consumers[0]), ".");
	assert_expired();
}

#define BATCH 8u /* of the rig */

static int look_at_the_books(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state, (void)item;
	assert_int_equal(cursor_current(&rig.relay.segment)->ledger[LEDGER_EXPIRED], BATCH);
	assert_int_equal(load_relaxed(&rig.relay.segment.readers[0].done),
			 rig.producers[0].outputs[0].lanes[0].lane.tail / 9 * 8);
	return 0;
}

/* Else the producer would wait for the room of items that are long gone. */
static void test_a_turn_of_nothing_but_expired_items_is_committed(void **state)
{
	static const struct weir_stage looks = { .role = WEIR_SINK, .process = look_at_the_books };

	(void)state;
	rig_init_chain(&rig, &looks);
	rig.relay.heritage.expires_ns = EXPIRES;
	rig.relay.inputs[0].plain = rig.relay.plain_input = rig.relay.runs_input = false;
	for (unsigned i = 0; i <= BATCH; i++) {
		rig.producers[0].context.accepted_ns = clock_now_ns() - (i < BATCH ? EXPIRES : 0);
		assert_int_equal(rig_push(&rig.producers[0], "x"), 0);
	}
	rig_commit(&rig.producers[0]);
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], BATCH + 1);
	rig_deinit(&rig);
}

/* What is made of an item is as old as that. */
static void test_what_is_made_of_it_expires_with_it(void **state)
{
	static const struct weir_stage passes = { .role = WEIR_OPERATOR, .process = process };
	struct item_header header;
	const void *payload;

	(void)state;
	begin(&passes, 1);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(lane_in_peek(&rig.consumers[0].inputs[0].lanes[0].lane, &header, &payload), 0);
	assert_in_range(header.accepted_ns, clock_now_ns() - 90 * NS_PER_S, clock_now_ns() - NS_PER_S);
	assert_expired();
}

static int run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK)
		note(context, &item);
	return r;
}

static void test_it_is_not_received_by_a_loop(void **state)
{
	static const struct weir_stage loops = { .role = WEIR_OPERATOR, .run = run };

	(void)state;
	begin(&loops, 1);
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_expired();
}

static int produce_nothing(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	return 0;
}

static void test_it_is_not_given_to_an_asynchronous_stage(void **state)
{
	static const struct weir_stage answers = { .role = WEIR_OPERATOR,
						   .process = process,
						   .produce = produce_nothing };

	(void)state;
	begin(&answers, 4);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_expired();
}

/* ---- a deadline of its own ---- */

static uint64_t own_ns[N]; /* what a stage is told of each item; UINT64_MAX: none */

/* Item 1 has ended long ago, 2 just now; 3 is far off, 4 says nothing, 5 says more than its stage is given. */
static void push_with_deadlines(void)
{
	const uint64_t now_ns = clock_now_ns(),
		       ends_ns[N] = { WEIR_FOREVER,           WEIR_NOW,     now_ns,
				      now_ns + 50 * NS_PER_S, WEIR_FOREVER, now_ns + 200 * NS_PER_S };
	struct worker *producer = &rig.producers[0];

	for (unsigned i = 0; i < N; i++) {
		char text[4];

		snprintf(text, sizeof(text), "%u", i);
		producer->phase = PHASE_PRODUCE;
		producer->context.accepted_ns = now_ns;
		assert_int_equal(baggage_expire_at(&producer->context, ends_ns[i]), 0);
		assert_int_equal(rig_push(producer, text), 0);
		baggage_end(producer);
		producer->phase = PHASE_NONE;
		own_ns[i] = i == 0 || i == 4 ? UINT64_MAX : ends_ns[i];
	}
	rig_commit(producer);
	lane_out_close(&producer->outputs[0].lanes[0].lane);
}

static int pass_own(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t end_ns = own_ns[*(const char *)item->data - '0'], expires_ns = rig.relay.heritage.expires_ns;

	(void)state;
	if (expires_ns && item->accepted_ns + expires_ns < end_ns)
		end_ns = item->accepted_ns + expires_ns;
	assert_int_equal(weir_budget_of(context).deadline_ns, end_ns);
	strncat(begun, item->data, item->size_bytes);
	return weir_emit(context, 0, item->data, item->size_bytes);
}

/* What comes out, each with the deadline in its record: "3+" has the one that it came with, "4-" none. */
static const char *outputs(void)
{
	static char all[64];
	struct extension extension;
	struct input input;
	char *at = all;

	for (*at = '\0'; input_next(&rig.consumers[0], &input) == 0; input_take(&rig.consumers[0], &input)) {
		char name = *(const char *)input.payload;

		assert_int_equal(extension_read(&extension, input.extension, input.header.flags), 0);
		assert_true(!extension.deadline_ns || extension.deadline_ns == own_ns[name - '0']);
		at += sprintf(at, "%c%c", name, extension.deadline_ns ? '+' : '-');
	}
	return all;
}

static void begin_own(const struct weir_stage *stage, uint32_t in_flight, uint64_t expires_ns)
{
	rig_init_chain_asynchronous(&rig, stage, in_flight);
	rig.relay.heritage.expires_ns = expires_ns;
	if (expires_ns)
		rig.relay.inputs[0].plain = rig.relay.plain_input = false; /* as attach.c has it */
	begun[0] = '\0';
	push_with_deadlines();
}

static void assert_own_expired(void)
{
	assert_string_equal(begun, "0345");
	assert_string_equal(outputs(), "0-3+4-5+");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], N);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EXPIRED], 2);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], 4);
	rig_deinit(&rig);
}

static void test_its_own_deadline_counts_and_is_inherited(void **state)
{
	static const struct weir_stage passes = { .role = WEIR_OPERATOR, .process = pass_own };

	(void)state;
	begin_own(&passes, 1, 0);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_own_expired();
	/* ... beside that of the spec, of which the earlier counts */
	begin_own(&passes, 1, 100 * NS_PER_S);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_own_expired();
}

static int run_own(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r;

	while ((r = weir_recv(context, 0, WEIR_FOREVER, &item)) == WEIR_OK)
		assert_int_equal(pass_own(context, state, &item), 0);
	return r;
}

static void test_its_own_deadline_in_a_loop(void **state)
{
	static const struct weir_stage loops = { .role = WEIR_OPERATOR, .run = run_own };

	(void)state;
	begin_own(&loops, 1, 0);
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_own_expired();
}

static uint64_t tokens[N];
static unsigned n_tokens;

static int put_aside(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	tokens[n_tokens++] = weir_defer(context);
	weir_watch(context, -1, 0, clock_now_ns());
	return WEIR_PENDING;
}

static int complete_own(struct weir_context *context, void *state)
{
	const struct weir_item *item;

	for (unsigned i = 0; i < n_tokens; i++) {
		assert_int_equal(weir_resume(context, tokens[i], &item), 0);
		assert_int_equal(pass_own(context, state, item), 0);
		assert_int_equal(weir_complete(context, tokens[i], WEIR_OK), 0);
	}
	n_tokens = 0;
	return 0;
}

static void test_its_own_deadline_while_it_is_in_flight(void **state)
{
	static const struct weir_stage answers = { .role = WEIR_OPERATOR,
						   .process = put_aside,
						   .produce = complete_own };

	(void)state;
	n_tokens = 0;
	begin_own(&answers, 8, 0);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_own_expired();
}

/* ---- who gathers ---- */

static uint64_t held_until_ns;
static unsigned n_flushes;

static int hold(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state;
	held_until_ns = held_until_ns < own_ns[*(const char *)item->data - '0'] ?
				held_until_ns :
				own_ns[*(const char *)item->data - '0'];
	strncat(begun, item->data, item->size_bytes);
	return WEIR_HELD;
}

/* Of this turn's items alone: what was held before was told before. */
static int look_at_the_first_end(struct weir_context *context, void *state)
{
	(void)state;
	assert_int_equal(weir_budget_of(context).deadline_ns, held_until_ns);
	held_until_ns = UINT64_MAX;
	n_flushes++;
	return 0;
}

static int settle_all(struct weir_context *context, void *state)
{
	(void)state;
	weir_settle(context, N);
	return 0;
}

static void test_who_gathers_is_told_when_the_first_expires(void **state)
{
	static const struct weir_stage gathers = {
		.role = WEIR_OPERATOR, .process = hold, .flush = look_at_the_first_end, .finish = settle_all
	};

	(void)state;
	n_flushes = 0;
	held_until_ns = UINT64_MAX;
	begin_own(&gathers, 1, 0);
	rig.relay.heritage.batch = 3;
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(begun, "0345");
	assert_in_range(n_flushes, 2, 10);
	rig_deinit(&rig);
}

/* A stage may shorten what an item has left, and never lengthen it. */
static int shorten(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t before_ns = weir_budget_of(context).deadline_ns;
	unsigned i = (unsigned)(*(const char *)item->data - '0');

	(void)state;
	assert_int_equal(weir_expire_at(context, UINT64_MAX - 1), 0);
	assert_int_equal(weir_expire_at(context, WEIR_FOREVER), 0);
	if (i != 3)
		assert_int_equal(weir_expire_at(context, own_ns[i] = clock_now_ns() + 10 * NS_PER_S), 0);
	assert_int_equal(weir_budget_of(context).deadline_ns, before_ns); /* of what follows */
	strncat(begun, item->data, item->size_bytes);
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static void test_a_stage_may_only_shorten_it(void **state)
{
	static const struct weir_stage shortens = { .role = WEIR_OPERATOR, .process = shorten };

	(void)state;
	begin_own(&shortens, 1, 0);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(begun, "0345");
	assert_string_equal(outputs(), "0+3+4+5+");
	assert_int_equal(weir_expire_at(&rig.relay.context, 1), -EPERM); /* no callback */
	rig_deinit(&rig);
}

/* ---- the door ---- */

#define N_OFFERED 40u
static unsigned n_offered, n_let_in, n_rejected;

static int offer(struct weir_context *context, void *state)
{
	static const char text[200];

	(void)state;
	while (n_offered < N_OFFERED) {
		int r = weir_emit(context, 0, text, sizeof(text));

		if (r == WEIR_FULL)
			return WEIR_MORE;
		assert_true(r == 0 || r == WEIR_REJECTED);
		n_let_in += r == 0;
		n_rejected += r == WEIR_REJECTED;
		n_offered++;
	}
	return WEIR_CLOSED;
}

static int offer_in_a_loop(struct weir_context *context, void *state)
{
	static const char text[200];

	(void)state;
	assert_int_equal(weir_send(context, 0, text, sizeof(text), WEIR_NOW), 0);
	n_let_in++;
	while (++n_offered < N_OFFERED) {
		int r = weir_send(context, 0, text, sizeof(text), WEIR_FOREVER);

		assert_true(r == 0 || r == WEIR_REJECTED);
		n_let_in += r == 0;
		n_rejected += r == WEIR_REJECTED;
	}
	return WEIR_CLOSED;
}

/* Nobody reads: what does not fit the lane waits its time, each for itself, and is counted. */
static void offer_to_nobody(const struct weir_stage *stage, int (*loop)(struct worker *worker))
{
	struct worker *source;
	const uint64_t *ledger;

	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	source = &rig.producers[0];
	rig_employ(&rig, source, stage);
	source->heritage.admission_ns = 2 * NS_PER_MS;
	n_offered = n_let_in = n_rejected = 0;
	begun_ns = clock_now_ns();
	assert_int_equal(loop(source), 0);
	ledger = source->cursor.ledger;
	assert_true(n_let_in >= 10 && n_rejected >= 10);
	assert_true(clock_now_ns() - begun_ns >= n_rejected * 2 * NS_PER_MS);
	assert_int_equal(n_let_in + n_rejected, N_OFFERED);
	assert_int_equal(ledger[LEDGER_ACCEPTED], N_OFFERED);
	assert_int_equal(ledger[LEDGER_EMITTED], N_OFFERED);
	assert_int_equal(ledger[LEDGER_TAKEN], n_rejected);
	assert_int_equal(ledger[LEDGER_EXPIRED], n_rejected);
	assert_int_equal(expiry_of_wait_ns(source), 0);
	rig_deinit(&rig);
}

static atomic_u32 read_to_the_end;

static void *read_slowly(void *data)
{
	(void)data;
	while (!load_acquire(&read_to_the_end)) {
		usleep(1000);
		if (strcmp(rig_take(&rig.consumers[0]), "-") != 0)
			rig_commit(&rig.consumers[0]);
	}
	return NULL;
}

/* Each has its own time: that the one before it has waited, and got in, is not held against the next one. */
static void test_who_gets_in_takes_its_wait_along(void **state)
{
	static const struct weir_stage offers = { .role = WEIR_SOURCE, .produce = offer };
	struct worker *source = &rig.producers[0];
	pthread_t thread;

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_employ(&rig, source, &offers);
	source->heritage.admission_ns = 600 * NS_PER_S;
	n_offered = n_let_in = n_rejected = 0;
	store_release(&read_to_the_end, 0);
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, NULL), 0);
	assert_int_equal(turn_loop(source), 0);
	store_release(&read_to_the_end, 1);
	pthread_join(thread, NULL);
	assert_int_equal(n_let_in, N_OFFERED);
	assert_int_equal(n_rejected, 0);
	rig_deinit(&rig);
}

static void test_a_source_waits_so_long_at_the_door(void **state)
{
	static const struct weir_stage offers = { .role = WEIR_SOURCE, .produce = offer };

	(void)state;
	offer_to_nobody(&offers, turn_loop);
}

static void test_a_loop_waits_so_long_at_the_door(void **state)
{
	static const struct weir_stage offers = { .role = WEIR_SOURCE, .run = offer_in_a_loop };

	(void)state;
	offer_to_nobody(&offers, run_loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_expired_item_is_not_begun),
		cmocka_unit_test(test_a_turn_of_nothing_but_expired_items_is_committed),
		cmocka_unit_test(test_what_is_made_of_it_expires_with_it),
		cmocka_unit_test(test_it_is_not_received_by_a_loop),
		cmocka_unit_test(test_it_is_not_given_to_an_asynchronous_stage),
		cmocka_unit_test(test_its_own_deadline_counts_and_is_inherited),
		cmocka_unit_test(test_its_own_deadline_in_a_loop),
		cmocka_unit_test(test_its_own_deadline_while_it_is_in_flight),
		cmocka_unit_test(test_who_gathers_is_told_when_the_first_expires),
		cmocka_unit_test(test_a_stage_may_only_shorten_it),
		cmocka_unit_test(test_who_gets_in_takes_its_wait_along),
		cmocka_unit_test(test_a_source_waits_so_long_at_the_door),
		cmocka_unit_test(test_a_loop_waits_so_long_at_the_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
