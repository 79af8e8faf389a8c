/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to stop, and the ladder, with real processes. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/supervise/process_state.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "tests/unit/broker/supervise/trial.h"

static void drain_when_running(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") == 0)
		supervisor_drain(trial->supervisor, 0, "the test");
}

static void test_a_drain_lets_everybody_finish(void **state)
{
	struct trial trial = { .at_phase = drain_when_running };

	(void)state;
	run_acts(&trial, "stay", "good", 1, EXIT_DONE, "starting running draining stopped ");
	assert_logged(&trial, "drain (the test), 9:"); /* of ten minutes */
	assert_logged(&trial, "waiting for: feed#0 pid ");
	assert_true(trial.n_sent > 0);
	assert_int_equal(trial.view.in_flight, 0);
	end_trial(&trial);
}

static void drain_soon(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") == 0)
		supervisor_drain(trial->supervisor, clock_now_ns() + 400 * MS, "the test");
}

/* Who is not scheduled for a while finds several rungs due at once: that each has its turn is for tests/unit/broker/lifecycle. */
static void test_the_ladder_ends_with_the_deaf(void **state)
{
	struct trial trial = { .at_phase = drain_soon };

	(void)state;
	run_acts(&trial, "good", "deaf", 2, EXIT_DONE, "starting running draining stopped ");
	assert_logged(&trial, "SIGKILL (time is up, cause drain_deadline)");
	assert_true(trial.taken_ns >= 400 * MS);
	assert_string_equal(trial.view.cause, "drain_deadline");
	assert_string_equal(trial.view.stages[1].workers[0].state, "stopped");
	end_trial(&trial);
}

static bool terminate_when_stopped(struct trial *trial)
{
	const struct seat *store = &trial->supervisor->seats[1];
	uint64_t starved_ns;

	if (!store->pid || process_state(store->pid, &starved_ns) != 'T')
		return false;
	for (unsigned i = 0; i < 3; i++)
		supervisor_signal(trial->supervisor, SIGTERM);
	return true;
}

/* Else it would be there until its grace of a minute is over. */
static void test_a_stopped_worker_is_woken_to_die(void **state)
{
	struct trial trial = { .look = terminate_when_stopped };

	(void)state;
	run_acts(&trial, "good", "stopped", 1, EXIT_SIGNAL_BASE + SIGTERM, "starting running draining stopped ");
	assert_logged(&trial, "SIGTERM (SIGTERM, cause user)");
	end_trial(&trial);
}

static bool drain_when_emitted(struct trial *trial)
{
	if (load_relaxed(&trial->supervisor->seats[0].segment.status->heartbeat) == 0)
		return false;
	supervisor_drain(trial->supervisor, clock_now_ns() + 400 * MS, "the test");
	return true;
}

static void test_a_passed_drain_with_items_left(void **state)
{
	struct trial trial = { .look = drain_when_emitted };

	(void)state;
	run_acts(&trial, "emit", "deaf", 1, EXIT_DRAIN_DEADLINE, "starting running draining failed ");
	assert_int_equal(trial.view.ledger[LEDGER_ACCEPTED], 3);
	assert_int_equal(trial.view.in_flight, 3);
	assert_true(trial.view.balanced);
	assert_int_equal(trial.view.stages[1].queue_bytes, 3 * 40);
	end_trial(&trial);
}

static void cancel_when_running(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") == 0)
		supervisor_cancel(trial->supervisor, CAUSE_USER, "the test");
}

/* Not after half of the time for a drain, nor with anybody's grace over: both are minutes. */
static void test_a_cancel_is_at_once(void **state)
{
	struct trial trial = { .at_phase = cancel_when_running };

	(void)state;
	run_acts(&trial, "stay-on", "stay-on", 4, EXIT_DONE, "starting running draining stopped ");
	assert_string_equal(trial.view.cause, "user");
	end_trial(&trial);
}

static uint32_t own_order(const struct trial *trial, uint32_t slot)
{
	return load_relaxed(&trial->supervisor->board->slots[slot].order);
}

/* Who takes items looks at its own slot's word alone. The second slot was told to end before; that stays. */
static void drain_and_go_on(struct trial *trial, const char *phase)
{
	struct supervisor *supervisor = trial->supervisor;

	if (strcmp(phase, "running") != 0)
		return;
	store_relaxed(&supervisor->board->slots[1].order, BOARD_CANCEL);
	order_stop(supervisor, RUNG_DRAIN, "the test");
	assert_int_equal(own_order(trial, 0), BOARD_DRAIN);
	assert_int_equal(own_order(trial, 1), BOARD_CANCEL);
	order_go_on(supervisor);
	assert_int_equal(own_order(trial, 0), BOARD_HOLD);
	assert_int_equal(own_order(trial, 1), BOARD_CANCEL);
	store_relaxed(&supervisor->board->slots[1].order, BOARD_HOLD);
	supervisor_cancel(supervisor, CAUSE_USER, "the test");
}

static void test_what_all_are_told_stands_in_each_slot(void **state)
{
	struct trial trial = { .at_phase = drain_and_go_on };

	(void)state;
	run_acts(&trial, "stay-on", "stay-on", 1, EXIT_DONE, "starting running draining stopped ");
	end_trial(&trial);
}

#define BOARD_WAIT_NS (20 * NS_PER_S)

static struct {
	struct supervisor *supervisor;
	pthread_t thread;
	bool in_time;
} first_ring;

/* Lets the first ring go through when the board has the order. */
static void *let_ring(void *data)
{
	struct supervisor *supervisor = first_ring.supervisor;
	uint64_t until_ns = clock_now_ns() + BOARD_WAIT_NS, full;

	(void)data;
	while (load_acquire(&supervisor->board->order) < BOARD_CANCEL && clock_now_ns() < until_ns) // [B1]
		usleep(100);
	first_ring.in_time = load_relaxed(&supervisor->board->order) >= BOARD_CANCEL;
	assert_int_equal(eventfd_read(supervisor->seats[0].cancel_fd, &full), 0);
	return NULL;
}

/* The first ring of a cancel blocks: its descriptor is full. */
static void cancel_with_a_full_bell(struct trial *trial, const char *phase)
{
	struct seat *first = &trial->supervisor->seats[0];

	if (strcmp(phase, "running") != 0)
		return;
	fd_close(first->cancel_fd);
	first->cancel_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(eventfd_write(first->cancel_fd, UINT64_MAX - 1), 0);
	first_ring.supervisor = trial->supervisor;
	assert_int_equal(pthread_create(&first_ring.thread, NULL, let_ring, NULL), 0);
	supervisor_cancel(trial->supervisor, CAUSE_USER, "the test");
}

/* Else who is woken first thinks that it is meant alone, does not step aside, and ends while others have yet to be woken. */
static void test_a_cancel_stands_on_the_board_before_anybody_is_woken(void **state)
{
	struct trial trial = { .at_phase = cancel_with_a_full_bell };

	(void)state;
	run_acts(&trial, "stay-on", "stay-on", 4, EXIT_DONE, "starting running draining stopped ");
	pthread_join(first_ring.thread, NULL);
	assert_true(first_ring.in_time);
	end_trial(&trial);
}

/* Once it opens its stage; then, to its end, it is said who has told it to. */
static bool cancel_who_opens_and_ask_why(struct trial *trial)
{
	const struct seat *store = &trial->supervisor->seats[1];
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (store->life->state == SEAT_OPENING && trial->supervisor->lifecycle.ladder.rung < RUNG_CANCEL)
		supervisor_cancel(trial->supervisor, CAUSE_USER, "the test");
	if (store->life->state != SEAT_READY)
		return false;
	supervisor_why(trial->supervisor, &why);
	if (!strstr(text_get(&why), "waiting for store#0 (pid ") ||
	    !strstr(text_get(&why), " to end: told to (the test, cause user), "))
		fail_msg("%s", text_get(&why));
	trial->n_seen++;
	return false;
}

static void test_who_is_ready_behind_a_cancel_is_told_to_end(void **state)
{
	struct trial trial = { .look = cancel_who_opens_and_ask_why };

	(void)state;
	run_acts(&trial, "good", "late-deaf", 1, EXIT_DONE, "starting draining stopped ");
	assert_true(trial.n_seen > 0);
	end_trial(&trial);
}

static void signal_thrice(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") != 0)
		return;
	for (unsigned i = 0; i < 4; i++)
		supervisor_signal(trial->supervisor, SIGINT);
}

static void signal_once(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") == 0)
		supervisor_signal(trial->supervisor, SIGTERM);
}

static void test_signals(void **state)
{
	struct trial once = { .at_phase = signal_once }, often = { .at_phase = signal_thrice };

	(void)state;
	run_acts(&once, "stay", "good", 1, EXIT_SIGNAL_BASE + SIGTERM, "starting running draining stopped ");
	run_acts(&often, "deaf", "deaf", 2, EXIT_SIGNAL_BASE + SIGINT, "starting running draining stopped ");
	assert_logged(&often, "SIGKILL (SIGINT, cause user)");
	end_trial(&once);
	end_trial(&often);
}

static void signal_at_start(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "starting") == 0)
		supervisor_signal(trial->supervisor, SIGINT);
}

static void test_a_signal_before_anybody_is_ready(void **state)
{
	struct trial trial = { .at_phase = signal_at_start };

	(void)state;
	run_acts(&trial, "stay", "stay", 2, EXIT_SIGNAL_BASE + SIGINT, "starting draining stopped ");
	end_trial(&trial);
}

static void test_the_run_deadline(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "stay-on", "stay-on", 1);
	made.plan.deadline_ns = 150 * MS;
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_true(trial.taken_ns >= 150 * MS);
	assert_string_equal(trial.view.cause, "run_deadline");
	assert_int_equal(trial.n_deadlines, made.plan.n_slots); /* told to each worker at the start ... */
	assert_int_equal(trial.n_queries, made.plan.n_slots);   /* ... and each asked before it is cancelled */
	end_trial(&trial);
}

static void test_a_stage_that_fails_later(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "stay-on", "fail-run", 1, EXIT_LOSSES, "starting running draining failed ");
	assert_logged(&trial, "has failed: no space left on device");
	end_trial(&trial);
}

static void test_a_crash_while_draining_is_restarted(void **state)
{
	struct trial trial = { .at_phase = drain_when_running };

	(void)state;
	run_acts(&trial, "stay", "crash-once", 2, EXIT_DONE, "starting running draining stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 2);
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_drain_lets_everybody_finish),
		cmocka_unit_test(test_the_ladder_ends_with_the_deaf),
		cmocka_unit_test(test_a_stopped_worker_is_woken_to_die),
		cmocka_unit_test(test_a_passed_drain_with_items_left),
		cmocka_unit_test(test_a_cancel_is_at_once),
		cmocka_unit_test(test_what_all_are_told_stands_in_each_slot),
		cmocka_unit_test(test_a_cancel_stands_on_the_board_before_anybody_is_woken),
		cmocka_unit_test(test_who_is_ready_behind_a_cancel_is_told_to_end),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_a_signal_before_anybody_is_ready),
		cmocka_unit_test(test_the_run_deadline),
		cmocka_unit_test(test_a_stage_that_fails_later),
		cmocka_unit_test(test_a_crash_while_draining_is_restarted),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
