/* SPDX-License-Identifier: Apache-2.0 */
/* Channel calls with a scope and a budget, the exit point, and how the worker ends: hooks, cleaners. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "channel_test.h"
#include "common/scope/coordinator.h"
#include "worker/scopes.h"

static struct weir_scope *scope;
static int n_hooks, n_expiries;
static atomic_bool has_expired;

static void begin(run_function run)
{
	chain(run);
	assert_int_equal(scopes_open(&rig.relay), 0);
	n_hooks = n_expiries = 0;
	atomic_store(&has_expired, false);
}

static void end(void)
{
	scopes_close(&rig.relay);
	rig_deinit(&rig);
}

static struct weir_scope *child_of(struct weir_context *context, const struct weir_budget *budget)
{
	struct weir_scope *child = NULL;

	assert_int_equal(weir_scope_new(weir_scope_of(context), budget, &child), 0);
	return child;
}

/* Once the stage sleeps. */
static void *cancel_when_asleep(void *data)
{
	(void)data;
	while (!load_relaxed(&rig.relay.segment.armed->word))
		cpu_relax();
	weir_scope_cancel(scope, WEIR_CAUSE_ADMISSION);
	return NULL;
}

static void *order_when_asleep(void *data)
{
	(void)data;
	while (!load_relaxed(&rig.relay.segment.armed->word))
		cpu_relax();
	store_relaxed(&rig.board->cause, WEIR_CAUSE_SIBLING_FAILED);
	rig_order(&rig, BOARD_CANCEL);
	doorbell_ring(rig.doorbells[rig.relay.heritage.slot]);
	return NULL;
}

static void run_with(void *(*meanwhile)(void *data), int expected)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, meanwhile, NULL), 0);
	assert_int_equal(run_loop(&rig.relay), expected);
	pthread_join(thread, NULL);
}

/* ---- receive ---- */

static int run_cancelled_scope(struct weir_context *context, void *state)
{
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_recv_in(context, 0, scope, NULL, &item), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(scope), WEIR_CAUSE_ADMISSION);
	assert_false(weir_cancelled(context));
	push("one");
	assert_int_equal(weir_recv_in(context, 0, scope, NULL, &item), WEIR_CANCELLED); /* it is not taken */
	assert_int_equal(receive(context, "one"), WEIR_OK);
	end_input();
	return WEIR_OK;
}

/* Another thread cancels: the sleeper wakes, and only that call is over. */
static void test_a_scope_ends_a_receive_and_no_more(void **state)
{
	(void)state;
	begin(run_cancelled_scope);
	scope = child_of(&rig.relay.context, NULL);
	run_with(cancel_when_asleep, 0);
	assert_int_equal(LEDGER_OF(TAKEN), 1);
	end();
}

static void expire(void *data)
{
	++*(int *)data;
}

static int run_budget(struct weir_context *context, void *state)
{
	struct weir_expiry expiry = { .function = expire, .data = &n_expiries };
	struct weir_budget budget = weir_budget_within(NULL, 5 * NS_PER_MS), now = weir_budget_at(NULL, WEIR_NOW);
	struct weir_item item;

	(void)state;
	budget.expiry = &expiry;
	assert_int_equal(weir_recv_in(context, 0, scope, &now, &item), WEIR_WOULD_BLOCK);
	assert_int_equal(n_expiries, 0);
	assert_int_equal(weir_recv_in(context, 0, scope, &budget, &item), WEIR_EXPIRED);
	assert_int_equal(weir_recv_in(context, 0, NULL, &budget, &item), WEIR_EXPIRED);
	assert_int_equal(n_expiries, 1);
	assert_true(weir_budget_expired(&budget));
	push("late");
	assert_int_equal(weir_recv_in(context, 0, scope, &budget, &item), WEIR_OK); /* what is ready is given */
	assert_false(weir_scope_done(scope));
	end_input();
	assert_int_equal(weir_recv_in(context, 0, scope, NULL, &item), WEIR_CLOSED);
	return WEIR_OK;
}

static void test_a_budget_expires(void **state)
{
	(void)state;
	begin(run_budget);
	scope = child_of(&rig.relay.context, NULL);
	assert_int_equal(run_loop(&rig.relay), 0);
	end();
}

static int run_scope_deadline(struct weir_context *context, void *state)
{
	const struct weir_budget soon = weir_budget_within(NULL, 5 * NS_PER_MS),
				 later = weir_budget_within(NULL, NS_PER_S * 60);
	struct weir_scope *timed = child_of(context, &soon);
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_recv_in(context, 0, timed, &later, &item), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(timed), WEIR_CAUSE_ITEM_DEADLINE);
	assert_null(weir_scope_free(timed));
	end_input();
	return WEIR_OK;
}

static void test_the_scopes_own_deadline_cancels_it(void **state)
{
	(void)state;
	begin(run_scope_deadline);
	assert_int_equal(run_loop(&rig.relay), 0);
	end();
}

static void hook(void *data, enum weir_cause cause)
{
	assert_int_equal(cause, WEIR_CAUSE_SIBLING_FAILED);
	++*(int *)data;
}

static int run_ordered(struct weir_context *context, void *state)
{
	struct weir_scope_hook one = { .function = hook, .data = &n_hooks };
	struct weir_exit exit;
	struct weir_item item;

	(void)state;
	assert_int_equal(weir_exit_point(context, &exit), WEIR_OK);
	assert_true(exit.remaining_ns == UINT64_MAX && exit.cause == WEIR_CAUSE_NONE);
	assert_int_equal(weir_scope_hook(scope, &one), WEIR_OK);
	assert_int_equal(weir_recv_in(context, 0, scope, NULL, &item), WEIR_CANCELLED);
	assert_int_equal(n_hooks, 1); /* run by the sleeper */
	assert_true(weir_scope_done(scope) && weir_scope_done(weir_scope_of(context)));
	assert_int_equal(weir_scope_cause(scope), WEIR_CAUSE_SIBLING_FAILED);
	assert_int_equal(weir_recv(context, 0, WEIR_FOREVER, &item), WEIR_CANCELLED);
	assert_int_equal(weir_exit_point(context, &exit), WEIR_CANCELLED);
	assert_int_equal(exit.cause, WEIR_CAUSE_SIBLING_FAILED);
	assert_int_equal(exit.deadline_ns, 1);
	assert_int_equal(exit.remaining_ns, 0);
	return WEIR_CANCELLED;
}

static void test_the_supervisors_order_ends_all(void **state)
{
	(void)state;
	begin(run_ordered);
	store_relaxed(&rig.board->term_deadline_ns, 1);
	scope = child_of(&rig.relay.context, NULL);
	run_with(order_when_asleep, WEIR_CANCELLED);
	end();
}

/* ---- send, select ---- */

static int run_full(struct weir_context *context, void *state)
{
	static const char large[RIG_LANE_SIZE / 4];
	const struct weir_budget soon = weir_budget_within(NULL, 5 * NS_PER_MS);
	int n = 0, r;

	(void)state;
	push("one");
	assert_int_equal(receive(context, "one"), WEIR_OK);
	while ((r = weir_send(context, 0, large, sizeof(large), WEIR_NOW)) == WEIR_OK) {
		n++;
		push("one"); /* a step each, as a step that fills the lane is FULL */
		assert_int_equal(receive(context, "one"), WEIR_OK);
	}
	assert_int_equal(r, WEIR_WOULD_BLOCK);
	assert_true(n > 0);
	assert_int_equal(weir_send_in(context, 0, large, sizeof(large), scope, &soon), WEIR_EXPIRED);
	atomic_store(&has_expired, true);
	assert_int_equal(weir_send_in(context, 0, large, sizeof(large), scope, NULL), WEIR_CANCELLED);
	assert_int_equal(weir_scope_cause(scope), WEIR_CAUSE_ADMISSION);
	end_input();
	return WEIR_OK;
}

/* Once it sleeps in the send behind that one. */
static void *cancel_when_it_has_expired(void *data)
{
	while (!atomic_load(&has_expired))
		cpu_relax();
	return cancel_when_asleep(data);
}

static void test_a_scope_ends_a_send(void **state)
{
	(void)state;
	begin(run_full);
	scope = child_of(&rig.relay.context, NULL);
	run_with(cancel_when_it_has_expired, 0);
	end();
}

static int run_select(struct weir_context *context, void *state)
{
	struct weir_case cases[2] = { { .kind = WEIR_CASE_RECV, .index = 0 },
				      { .kind = WEIR_CASE_FD, .fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN } };
	const struct weir_budget past = weir_budget_at(NULL, 1);
	size_t number;

	(void)state;
	assert_int_equal(weir_select_in(context, cases, 2, scope, &past, &number), WEIR_EXPIRED);
	assert_int_equal(weir_select_in(context, cases, 2, scope, NULL, &number), WEIR_CANCELLED);
	assert_true(number == WEIR_NO_CASE);
	assert_int_equal(eventfd_write(cases[1].fd, 1), 0);
	assert_int_equal(weir_select_in(context, cases, 2, scope, NULL, &number), WEIR_CANCELLED);
	assert_int_equal(weir_select(context, cases, 2, WEIR_FOREVER, &number), WEIR_OK);
	assert_int_equal(number, 1);
	close(cases[1].fd);
	end_input();
	return WEIR_OK;
}

static void test_a_scope_ends_a_select(void **state)
{
	(void)state;
	begin(run_select);
	scope = child_of(&rig.relay.context, NULL);
	run_with(cancel_when_asleep, 0);
	end();
}

/* The worker's own scope is watched by the plain calls, too. */
static int run_own_scope(struct weir_context *context, void *state)
{
	struct weir_scope *own = weir_scope_of(context);
	struct weir_item item;

	(void)state;
	push("one");
	assert_int_equal(weir_recv_in(context, 0, own, NULL, &item), WEIR_OK);
	assert_int_equal(weir_send_in(context, 0, "one", 3, own, NULL), WEIR_OK);
	end_input();
	assert_int_equal(weir_recv_in(context, 0, own, NULL, &item), WEIR_CLOSED);
	return WEIR_OK;
}

static void test_the_workers_own_scope(void **state)
{
	(void)state;
	begin(run_own_scope);
	assert_int_equal(run_loop(&rig.relay), 0);
	assert_string_equal(seen(), "one");
	end();
}

/* ---- budget, exit ---- */

static void test_the_budget_of_the_run(void **state)
{
	struct weir_budget budget;

	(void)state;
	begin(run_own_scope);
	budget = weir_budget_of(&rig.relay.context);
	assert_true(budget.deadline_ns == WEIR_FOREVER);
	store_relaxed(&rig.board->run_deadline_ns, 4711);
	budget = weir_budget_of(&rig.relay.context);
	assert_int_equal(budget.deadline_ns, 4711);
	assert_int_equal(budget.cause, WEIR_CAUSE_RUN_DEADLINE);
	end();
}

static void test_the_exit_point_of_a_drain(void **state)
{
	struct weir_exit exit;

	(void)state;
	begin(run_own_scope);
	store_relaxed(&rig.board->term_deadline_ns, clock_now_ns() + 3600 * NS_PER_S);
	rig_order(&rig, BOARD_DRAIN);
	assert_int_equal(weir_exit_point(&rig.relay.context, &exit), WEIR_OK); /* it may finish */
	assert_true(exit.remaining_ns > 3000 * NS_PER_S && exit.remaining_ns <= 3600 * NS_PER_S);
	assert_int_equal(exit.cause, WEIR_CAUSE_NONE);
	rig.relay.stage.role = WEIR_SOURCE;
	assert_int_equal(weir_exit_point(&rig.relay.context, NULL), WEIR_CLOSED);
	rig.relay.stage.role = WEIR_OPERATOR;
	end();
}

static int count_cleaner(void *data, enum weir_cause cause)
{
	*(int *)data += 1 + (int)cause;
	return 0;
}

static int fail_cleaner(void *data, enum weir_cause cause)
{
	(void)data;
	(void)cause;
	return -EBUSY;
}

static int crash_cleaner(void *data, enum weir_cause cause)
{
	(void)data;
	(void)cause;
	abort();
}

/* Returns what close() and the goodbye are told: whether to close, and *status. */
static bool conclude(struct weir_cleaner *cleaner, int *status, int *ret_n)
{
	struct weir_cleaner count = { .name = "count", .function = count_cleaner, .data = ret_n };
	bool may_close;

	begin(run_own_scope);
	*ret_n = 0;
	assert_int_equal(weir_coordinator_add(weir_coordinator_of(&rig.relay.context), &count), WEIR_OK);
	if (cleaner)
		assert_int_equal(weir_coordinator_add(weir_coordinator_of(&rig.relay.context), cleaner), WEIR_OK);
	may_close = scopes_conclude(&rig.relay, status);
	end();
	return may_close;
}

static void test_how_the_worker_ends(void **state)
{
	struct weir_cleaner fails = { .name = "fails", .function = fail_cleaner },
			    crashes = { .name = "crashes", .function = crash_cleaner };
	int n, status = 0;

	(void)state;
	assert_true(conclude(NULL, &status, &n));
	assert_true(status == 0 && n == 1);
	assert_true(conclude(&fails, &status, &n));
	assert_true(status == 0 && n == 1);
	assert_false(conclude(&crashes, &status, &n));
	assert_true(status == WEIR_FAILED && n == 1);
	assert_non_null(strstr(rig.relay.reason, "'crashes' crashed by SIGABRT"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_scope_ends_a_receive_and_no_more),
		cmocka_unit_test(test_a_budget_expires),
		cmocka_unit_test(test_the_scopes_own_deadline_cancels_it),
		cmocka_unit_test(test_the_supervisors_order_ends_all),
		cmocka_unit_test(test_a_scope_ends_a_send),
		cmocka_unit_test(test_a_scope_ends_a_select),
		cmocka_unit_test(test_the_workers_own_scope),
		cmocka_unit_test(test_the_budget_of_the_run),
		cmocka_unit_test(test_the_exit_point_of_a_drain),
		cmocka_unit_test(test_how_the_worker_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
