/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lives of a pipeline, with real processes. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "broker/supervise/supervisor_priv.h"
#include "tests/unit/broker/supervise/trial.h"

/* ---- natural ends ---- */

static void test_everybody_ends(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "good", 3, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.n_refused, 0);
	assert_int_equal(trial.view.n_stages, 2);
	assert_int_equal(trial.view.stages[1].n_workers, 3);
	assert_string_equal(trial.view.stages[1].workers[2].state, "ended");
	assert_true(trial.view.balanced);
	assert_true(trial.view.started_ns != 0);
	end_trial(&trial);
}

static void test_a_worker_that_does_not_exit_after_its_goodbye(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "hang-at-exit", 1, EXIT_DONE, "starting running stopped ");
	assert_logged(&trial, "said goodbye but does not exit");
	assert_int_equal(trial.view.stages[1].restarts, 0);
	end_trial(&trial);
}

/* ---- words of the dead ---- */

static void say_hello_again(struct trial *trial, const char *phase)
{
	struct seat *seat = &trial->supervisor->seats[1];
	struct message hello = { .type = MESSAGE_HELLO };

	if (strcmp(phase, "stopped") != 0)
		return;
	hello.hello = (struct message_hello){ .slot = seat->slot,
					      .generation = seat->generation,
					      .pid = (uint64_t)seat->last_pid,
					      .token = { (const char *)seat->token, sizeof(seat->token) } };
	assert_true(supervisor_hello(trial->supervisor, &hello));
	assert_int_equal(seat->life->state, SEAT_DONE);
	hello.hello.pid++;
	assert_false(supervisor_hello(trial->supervisor, &hello));
	hello.hello.pid--;
	hello.hello.token.size_bytes--;
	assert_false(supervisor_hello(trial->supervisor, &hello));
	/* A seat that nobody has sat in has no token that could be guessed. */
	hello.hello.pid = 0;
	hello.hello.token.size_bytes++;
	memset(seat->token, 0, sizeof(seat->token));
	seat->last_pid = 0;
	assert_false(supervisor_hello(trial->supervisor, &hello));
}

static void test_a_hello_slower_than_its_death_is_no_strangers(void **state)
{
	struct trial trial = { .at_phase = say_hello_again };

	(void)state;
	run_acts(&trial, "good", "good", 1, EXIT_DONE, "starting running stopped ");
	end_trial(&trial);
}

/* ---- freeing in the middle ---- */

static void leave_the_loop(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "running") == 0)
		sd_event_exit(trial->event, 0);
}

static void test_freed_while_everybody_lives(void **state)
{
	struct trial trial = { .at_phase = leave_the_loop };
	unsigned n_fds = count_fds();
	struct made_plan made;

	(void)state;
	make_plan(&made, "deaf", "deaf", 3);
	assert_int_equal(open_trial(&trial, &made.plan), 0);
	assert_int_equal(supervisor_start(trial.supervisor), 0);
	assert_true(sd_event_loop(trial.event) >= 0);
	assert_false(supervisor_finished(trial.supervisor));
	close_trial(&trial);
	assert_childless();
	assert_int_equal(count_fds(), n_fds);
	end_trial(&trial);
}

/* Who does not even die of SIGKILL is reported and left behind: to wait for it would be to wait for ever. */
static void test_freed_without_waiting_for_who_was_left_behind(void **state)
{
	struct trial trial = { .at_phase = leave_the_loop };
	struct made_plan made;
	siginfo_t info = { 0 };
	pid_t pid;

	(void)state;
	make_plan(&made, "deaf", "deaf", 1);
	assert_int_equal(open_trial(&trial, &made.plan), 0);
	assert_int_equal(supervisor_start(trial.supervisor), 0);
	assert_true(sd_event_loop(trial.event) >= 0);
	pid = trial.supervisor->seats[1].pid;
	trial.supervisor->lifecycle.lives[1].state = SEAT_LOST;
	close_trial(&trial);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), 0);
	assert_int_equal(info.si_pid, 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	assert_childless();
	end_trial(&trial);
}

static void test_freed_before_anybody_was_started(void **state)
{
	unsigned n_fds = count_fds();
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "good", 4);
	assert_int_equal(open_trial(&trial, &made.plan), 0);
	close_trial(&trial);
	assert_int_equal(count_fds(), n_fds);
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everybody_ends),
		cmocka_unit_test(test_a_worker_that_does_not_exit_after_its_goodbye),
		cmocka_unit_test(test_a_hello_slower_than_its_death_is_no_strangers),
		cmocka_unit_test(test_freed_while_everybody_lives),
		cmocka_unit_test(test_freed_without_waiting_for_who_was_left_behind),
		cmocka_unit_test(test_freed_before_anybody_was_started),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
