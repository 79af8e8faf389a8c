/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every outcome of every channel call in every form, as one table: what the stage finds (`before`), what happens while it waits
 * (`meanwhile`, by a thread), and what the call says:
 *
 *      try        deadline WEIR_NOW                            nothing happens meanwhile
 *      past       a deadline that has passed
 *      near       a deadline that passes soon
 *      far        a deadline that does not pass in time        what happens, happens, 2 ms after the call
 *      forever    WEIR_FOREVER
 */
#include <pthread.h>

#include "channel_test.h"

enum form { TRY, PAST, NEAR, FAR, FOREVER, FORMS };
static const char *const form_names[FORMS] = { "try", "past", "near", "far", "forever" };

struct row {
	const char *what;
	int (*call)(struct weir_context *context, uint64_t deadline_ns);
	void (*before)(struct weir_context *context);
	void (*meanwhile)(void);
	int try, expired, waited; /* TRY · PAST, NEAR · FAR, FOREVER */
	bool source;
};

static const struct row *row;
static enum form form;
static struct worker *worker;
static size_t size_bytes;
static char bytes[2 * RIG_LANE_SIZE];

/* ---- the calls ---- */

static int call_recv(struct weir_context *context, uint64_t deadline_ns)
{
	struct weir_item item;

	return weir_recv(context, 0, deadline_ns, &item);
}

static int call_recv_any(struct weir_context *context, uint64_t deadline_ns)
{
	struct weir_item item;

	return weir_recv(context, WEIR_ANY_INPUT, deadline_ns, &item);
}

static int call_send(struct weir_context *context, uint64_t deadline_ns)
{
	return weir_send(context, 0, bytes, size_bytes, deadline_ns);
}

static int call_send_all(struct weir_context *context, uint64_t deadline_ns)
{
	return weir_send(context, WEIR_ALL_OUTPUTS, bytes, size_bytes, deadline_ns);
}

/* A case is named exactly if it is about that case. */
static int select_one(struct weir_context *context, struct weir_case *one, uint64_t deadline_ns)
{
	bool drains =
		row->source && (worker->unheard || board_order_of(worker->board, worker->heritage.slot) == BOARD_DRAIN);
	size_t number = 77;
	int r = weir_select(context, one, 1, deadline_ns, &number);

	drains = drains || (row->source && (worker->unheard || worker->order_seen == BOARD_DRAIN));
	if (r == WEIR_OK || r == WEIR_PEER_LOST || r == WEIR_TOO_LARGE || r == WEIR_FULL ||
	    (r == WEIR_CLOSED && !drains))
		assert_int_equal(number, 0);
	else
		assert_true(number == WEIR_NO_CASE);
	return r;
}

static int call_select_recv(struct weir_context *context, uint64_t deadline_ns)
{
	struct weir_case one = { .kind = WEIR_CASE_RECV, .index = 0 };

	return select_one(context, &one, deadline_ns);
}

static int call_select_send(struct weir_context *context, uint64_t deadline_ns)
{
	struct weir_case one = { .kind = WEIR_CASE_SEND, .index = 0, .size_bytes = size_bytes };

	return select_one(context, &one, deadline_ns);
}

static int call_select_nothing(struct weir_context *context, uint64_t deadline_ns)
{
	struct weir_case one = { .kind = WEIR_CASE_NONE };

	return select_one(context, &one, deadline_ns);
}

static int call_close(struct weir_context *context, uint64_t deadline_ns)
{
	(void)deadline_ns; /* it never waits */
	return weir_close(context, 0);
}

/* ---- what a call finds ---- */

static void nothing(struct weir_context *context)
{
	(void)context;
}

static void item(struct weir_context *context)
{
	(void)context;
	push("item");
}

static void producer_closes(void)
{
	turn_close(&rig.producers[0]);
}

static void producer_is_lost(void)
{
	store_release(&rig.producers[0].segment.writers[0].closed, LANE_CLOSED_LOST);
	doorbell_ring(rig.doorbells[1]);
}

static void input_closed(struct weir_context *context)
{
	(void)context;
	producer_closes();
}

static void last_item(struct weir_context *context)
{
	(void)context;
	push("last");
	producer_closes();
}

static void input_lost(struct weir_context *context)
{
	(void)context;
	producer_is_lost();
}

static void input_left(struct weir_context *context)
{
	struct weir_item unused;

	assert_int_equal(weir_leave(context, 0), 0);
	assert_int_equal(weir_recv(context, 0, WEIR_NOW, &unused), WEIR_WOULD_BLOCK);
	push("unwanted");
}

static void order(uint32_t order_)
{
	rig_order(&rig, order_);
	doorbell_ring(rig.doorbells[worker->heritage.slot]);
}

static void cancel(void)
{
	order(BOARD_CANCEL);
}

static void drain(void)
{
	order(BOARD_DRAIN);
}

static void cancelled(struct weir_context *context)
{
	if (!row->source)
		push("item");
	(void)context;
	cancel();
}

static void draining(struct weir_context *context)
{
	(void)context;
	drain();
}

static void failed(struct weir_context *context)
{
	worker->step.over = WEIR_FAILED; /* as after any call that has said so */
	(void)context;
}

static void reader_leaves(void)
{
	store_release(&rig.consumers[0].segment.readers[0].left, LANE_LEFT);
	doorbell_ring(rig.doorbells[worker->heritage.slot]);
}

static void unheard(struct weir_context *context)
{
	size_t number;

	reader_leaves();
	worker->turns_to_left = 0;
	assert_int_equal(weir_select(context, NULL, 0, WEIR_NOW, &number), WEIR_CLOSED);
}

static void push_soon(void)
{
	push("item");
}

/* The reader takes all that it can see, and commits. */
static void reader_takes(void)
{
	for (int i = 0; i < 5000 && strcmp(seen(), "-") == 0; i++)
		usleep(1000);
	while (strcmp(seen(), "-") != 0)
		;
	rig_commit(&rig.consumers[0]);
}

/* Two steps fill the lane; the stage is in a step of its own. */
static void full(struct weir_context *context)
{
	for (int i = 0; i < 2; i++) {
		if (!row->source) {
			push("item");
			assert_int_equal(call_recv(context, WEIR_NOW), WEIR_OK);
		}
		assert_int_equal(weir_send(context, 0, bytes, 1800, WEIR_NOW), WEIR_OK);
	}
	if (!row->source) {
		push("item");
		assert_int_equal(call_recv(context, WEIR_NOW), WEIR_OK);
	}
}

/* This very step fills it. */
static void full_of_itself(struct weir_context *context)
{
	push("item");
	assert_int_equal(call_recv(context, WEIR_NOW), WEIR_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(weir_send(context, 0, bytes, 1800, WEIR_NOW), WEIR_OK);
}

static void refusing(struct weir_context *context)
{
	worker->heritage.outputs[0].full = HERITAGE_FULL_REJECT;
	full(context);
}

static void large(struct weir_context *context)
{
	(void)context;
	size_bytes = RIG_LANE_SIZE;
}

static void output_closed(struct weir_context *context)
{
	assert_int_equal(weir_close(context, 0), WEIR_OK);
}

/* capacity: 0: the reader has not yet done what the last step sent. */
static void not_met(struct weir_context *context)
{
	worker->rendezvous = true;
	worker->heritage.outputs[0].rendezvous = true;
	if (!row->source) {
		push("item");
		assert_int_equal(call_recv(context, WEIR_NOW), WEIR_OK);
		push("item");
	}
	worker->step.batch = 1; /* as turn_batch() says from the next turn on */
	assert_int_equal(weir_send(context, 0, bytes, 8, WEIR_NOW), WEIR_OK);
}

static void ordered(struct weir_context *context)
{
	(void)context;
	worker->ordered = true;
}

/* ---- the table ---- */

#define READY(outcome_) WEIR_##outcome_, WEIR_##outcome_, WEIR_##outcome_
#define WAITS(outcome_) WEIR_WOULD_BLOCK, WEIR_EXPIRED, WEIR_##outcome_
#define OPERATOR false
#define SOURCE true

/* What a receive finds, for each way to receive. */
#define RECEIVES(name_, call_)                                                                            \
	{ name_ ": an item", call_, item, NULL, READY(OK), OPERATOR },                                    \
		{ name_ ": one comes", call_, nothing, push_soon, WAITS(OK), OPERATOR },                  \
		{ name_ ": the input closes", call_, nothing, producer_closes, WAITS(CLOSED), OPERATOR }, \
		{ name_ ": it is lost", call_, nothing, producer_is_lost, WAITS(PEER_LOST), OPERATOR },   \
		{ name_ ": a cancel comes", call_, nothing, cancel, WAITS(CANCELLED), OPERATOR },         \
		{ name_ ": the last item", call_, last_item, NULL, READY(OK), OPERATOR },                 \
		{ name_ ": closed", call_, input_closed, NULL, READY(CLOSED), OPERATOR },                 \
		{ name_ ": lost", call_, input_lost, NULL, READY(PEER_LOST), OPERATOR },                  \
		{ name_ ": left", call_, input_left, producer_closes, WAITS(CLOSED), OPERATOR },          \
		{ name_ ": cancelled", call_, cancelled, NULL, READY(CANCELLED), OPERATOR },              \
		{ name_ ": failed", call_, failed, NULL, READY(FAILED), OPERATOR },                       \
	{                                                                                                 \
		name_ ": rendezvous", call_, not_met, reader_takes, WAITS(OK), OPERATOR                   \
	}

/* What a send finds, in both roles. */
#define SENDS(name_, call_, role_)                                                          \
	{ name_ ": room", call_, nothing, NULL, READY(OK), role_ },                         \
		{ name_ ": full", call_, full, reader_takes, WAITS(OK), role_ },            \
		{ name_ ": a cancel comes", call_, full, cancel, WAITS(CANCELLED), role_ }, \
		{ name_ ": too large", call_, large, NULL, READY(TOO_LARGE), role_ },       \
		{ name_ ": closed", call_, output_closed, NULL, READY(CLOSED), role_ },     \
		{ name_ ": cancelled", call_, cancelled, NULL, READY(CANCELLED), role_ },   \
	{                                                                                   \
		name_ ": failed", call_, failed, NULL, READY(FAILED), role_                 \
	}

#define OPERATOR_SENDS(name_, call_)                                                               \
	SENDS(name_, call_, OPERATOR),                                                             \
	{                                                                                          \
		name_ ": full of its own step", call_, full_of_itself, NULL, READY(FULL), OPERATOR \
	}

#define SOURCE_SENDS(name_, call_)                                                                           \
	SENDS(name_, call_, SOURCE), { name_ ": a drain comes", call_, full, drain, WAITS(CLOSED), SOURCE }, \
		{ name_ ": the readers leave", call_, full, reader_leaves, WAITS(CLOSED), SOURCE },          \
		{ name_ ": drains", call_, draining, NULL, READY(CLOSED), SOURCE },                          \
		{ name_ ": nobody listens", call_, unheard, NULL, READY(CLOSED), SOURCE },                   \
	{                                                                                                    \
		name_ ": rendezvous", call_, not_met, reader_takes, WAITS(OK), SOURCE                        \
	}

static const struct row rows[] = {
	RECEIVES("recv", call_recv),
	RECEIVES("recv any", call_recv_any),
	RECEIVES("select recv", call_select_recv),
	OPERATOR_SENDS("send", call_send),
	OPERATOR_SENDS("send all", call_send_all),
	OPERATOR_SENDS("select send", call_select_send),
	SOURCE_SENDS("source send", call_send),
	SOURCE_SENDS("source send all", call_send_all),
	SOURCE_SENDS("source select send", call_select_send),
	{ "source send: refused", call_send, refusing, NULL, READY(REJECTED), SOURCE },
	{ "source select send: refusing is no waiting", call_select_send, refusing, NULL, READY(OK), SOURCE },
	{ "select nothing: a cancel comes", call_select_nothing, nothing, cancel, WAITS(CANCELLED), OPERATOR },
	{ "source select nothing: a cancel comes", call_select_nothing, nothing, cancel, WAITS(CANCELLED), SOURCE },
	{ "source select nothing: a drain comes", call_select_nothing, nothing, drain, WAITS(CLOSED), SOURCE },
	{ "source select nothing: the readers leave", call_select_nothing, nothing, reader_leaves, WAITS(CLOSED),
	  SOURCE },
	{ "close", call_close, nothing, NULL, READY(OK), OPERATOR },
	{ "close: again", call_close, output_closed, NULL, READY(OK), OPERATOR },
	{ "close: ordered", call_close, ordered, NULL, READY(FAILED), OPERATOR },
	{ "close: failed", call_close, failed, NULL, READY(FAILED), OPERATOR },
	{ "source close", call_close, nothing, NULL, READY(OK), SOURCE },
};

/* ---- going through it ---- */

static void *meanwhile(void *data)
{
	(void)data;
	usleep(2000);
	row->meanwhile();
	return NULL;
}

static uint64_t deadline(void)
{
	switch (form) {
	case TRY:
		return WEIR_NOW;
	case PAST:
		return 1;
	case NEAR:
		return clock_now_ns() + NS_PER_MS;
	case FAR:
		return clock_now_ns() + 100 * NS_PER_S;
	default:
		return WEIR_FOREVER;
	}
}

static int run_row(struct weir_context *context, void *state)
{
	int expected = form == TRY ? row->
	try : form
		== FAR || form == FOREVER ? row->waited : row->expired, r;
	bool waits = row->meanwhile && (form == FAR || form == FOREVER);
	pthread_t thread;

	(void)state;
	size_bytes = 1800;
	row->before(context);
	if (waits)
		assert_int_equal(pthread_create(&thread, NULL, meanwhile, NULL), 0);
	r = row->call(context, deadline());
	if (waits)
		assert_int_equal(pthread_join(thread, NULL), 0);
	if (r != expected)
		fail_msg("%s, %s: %s instead of %s", row->what, form_names[form], weir_status_name(r),
			 weir_status_name(expected));
	return -EIO; /* nothing is to be finished */
}

static void go(void)
{
	const struct weir_stage stage = { .role = row->source ? WEIR_SOURCE : WEIR_OPERATOR, .run = run_row };

	if (row->source) {
		rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
		rig_employ(&rig, &rig.producers[0], &stage);
		worker = &rig.producers[0];
	} else {
		rig_init_chain(&rig, &stage);
		worker = &rig.relay;
	}
	(void)run_loop(worker);
	rig_deinit(&rig);
}

static void test_every_outcome_of_every_call_in_every_form(void **state)
{
	(void)state;
	for (row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++)
		for (form = TRY; form < FORMS; form++)
			go();
}

/* The documented outcomes, held against the table: none of them is without a row. */
static void test_no_outcome_is_missing(void **state)
{
	static const struct {
		int (*call)(struct weir_context *context, uint64_t deadline_ns);
		int outcomes[12];
	} documented[] = {
		{ call_recv,
		  { WEIR_OK, WEIR_CLOSED, WEIR_PEER_LOST, WEIR_WOULD_BLOCK, WEIR_EXPIRED, WEIR_CANCELLED, WEIR_FAILED,
		    -1 } },
		{ call_send,
		  { WEIR_OK, WEIR_WOULD_BLOCK, WEIR_EXPIRED, WEIR_TOO_LARGE, WEIR_FULL, WEIR_CLOSED, WEIR_REJECTED,
		    WEIR_CANCELLED, WEIR_FAILED, -1 } },
		{ call_select_recv,
		  { WEIR_OK, WEIR_CLOSED, WEIR_PEER_LOST, WEIR_WOULD_BLOCK, WEIR_EXPIRED, WEIR_CANCELLED, WEIR_FAILED,
		    -1 } },
		{ call_select_send,
		  { WEIR_OK, WEIR_CLOSED, WEIR_TOO_LARGE, WEIR_FULL, WEIR_WOULD_BLOCK, WEIR_EXPIRED, WEIR_CANCELLED,
		    WEIR_FAILED, -1 } },
		{ call_close, { WEIR_OK, WEIR_FAILED, -1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]); i++)
		for (const int *outcome = documented[i].outcomes; *outcome >= 0; outcome++) {
			bool found = false;

			for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
				found = found || (rows[j].call == documented[i].call &&
						  (rows[j].try == *outcome || rows[j].expired == *outcome ||
						   rows[j].waited == *outcome));
			if (!found)
				fail_msg("call %zu: no row says %s", i, weir_status_name(*outcome));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_outcome_of_every_call_in_every_form),
		cmocka_unit_test(test_no_outcome_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
