/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, most of which fail. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/broker/supervise/trial.h"

static void test_a_stage_that_can_not_open(void **state)
{
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "fail-open", 2);
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_TRY_AGAIN);
	assert_string_equal(text_get(&trial.phases), "starting draining failed ");
	assert_true(trial.taken_ns < 20 * NS_PER_S);
	assert_logged(
		&trial,
		"7 weir#-1 0: cancel (the start failed"); /* debug: the diagnostic says what people want to know */
	end_trial(&trial);
}

static void test_the_failure_points_into_the_spec(void **state)
{
	struct trial option = { 0 }, plugin = { 0 };

	(void)state;
	run_acts(&option, "good", "fail-open", 1, EXIT_TRY_AGAIN, "starting draining failed ");
	assert_int_equal(option.failure.position.line, 8);
	assert_int_equal(option.failure.position.column, 5);
	assert_string_equal(option.failure.stage, "store");
	assert_string_equal(option.failure_message, "there is no such file: /nowhere");
	run_acts(&plugin, "good", "fail-plugin", 1, EXIT_SPEC_INVALID, "starting draining failed ");
	assert_int_equal(plugin.failure.position.line, 5);
	end_trial(&option);
	end_trial(&plugin);
}

static void test_no_weir_worker(void **state)
{
	struct trial trial = { .worker_path = "/nonexistent/weir-worker" };

	(void)state;
	run_acts(&trial, "good", "good", 3, EXIT_TRY_AGAIN, "starting draining failed ");
	assert_non_null(
		strstr(trial.failure_message, "cannot run /nonexistent/weir-worker: No such file or directory"));
	assert_int_equal(trial.failure.position.line, 0);
	end_trial(&trial);
}

static char moved[40];

/* An upgrade, while it runs: whoever is started later is what was there at the start. */
static void replace_the_program(struct trial *trial, const char *phase)
{
	if (strcmp(phase, "starting") != 0)
		return;
	assert_int_equal(rename(trial->worker_path, moved), 0);
	assert_int_equal(symlink("/bin/false", trial->worker_path), 0);
}

static void test_the_program_is_what_it_was(void **state)
{
	char path[] = "/tmp/weir-worker.XXXXXX", command[128];
	struct trial trial = { .worker_path = path, .at_phase = replace_the_program };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(moved, sizeof(moved), "%s.old", path);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s && chmod 755 %s", (int)getpid(), path, path);
	assert_int_equal(system(command), 0);
	run_acts(&trial, "good", "crash-once", 2, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 2);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(moved), 0);
	end_trial(&trial);
}

static void test_a_worker_that_never_says_a_word(void **state)
{
	struct trial trial = { .start_timeout_ns = 200 * MS };

	(void)state;
	run_acts(&trial, "good", "silent", 1, EXIT_TRY_AGAIN, "starting draining failed ");
	assert_non_null(strstr(trial.failure_message, "not everybody was ready after 0.2 s: "));
	assert_non_null(strstr(trial.failure_message, "store#0 (starting)"));
	end_trial(&trial);
}

static bool kill_when_refused(struct trial *trial)
{
	for (unsigned i = 0; trial->n_refused && i < 4; i++)
		supervisor_signal(trial->supervisor, SIGINT);
	return trial->n_refused;
}

static void test_a_wrong_token_is_refused(void **state)
{
	struct trial trial = { .look = kill_when_refused };

	(void)state;
	run_acts(&trial, "good", "liar", 1, EXIT_SIGNAL_BASE + SIGINT, "starting draining stopped ");
	assert_int_equal(trial.n_refused, 1);
	end_trial(&trial);
}

static void test_crashes_before_the_start_are_bounded_too(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "die-early", 1, EXIT_TRY_AGAIN, "starting draining failed ");
	assert_non_null(strstr(trial.failure_message, "more than 4 deaths"));
	assert_string_equal(trial.failure.stage, "store");
	end_trial(&trial);
}

static void test_more_memory_than_there_is(void **state)
{
	uint64_t sizes[1] = { UINT64_C(1) << 46 }, offsets[1];
	struct trial trial = { 0 };
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "good", 1);
	segment_plan(&made.slots[0].geometry, 0, 0, 1, sizes, offsets);
	made.lanes[0].capacity_bytes = sizes[0];
	run_trial(&trial, &made.plan);
	assert_true(trial.refused_to_start);
	assert_non_null(strstr(text_get(&trial.why), "no memory for the lanes: 64"));
	assert_non_null(strstr(text_get(&trial.why), "feed#0"));
	end_trial(&trial);
}

static void test_the_soft_limit_on_descriptors_is_ours_to_raise(void **state)
{
	struct trial trial = { 0 };
	struct rlimit before, few;
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "good", 4);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ .rlim_cur = 24, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	run_trial(&trial, &made.plan);
	assert_int_equal(trial.exit_code, EXIT_DONE);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(few.rlim_cur, 24);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	end_trial(&trial);
}

/* A hard limit can't be raised again, so this happens in a child; its exit code is the answer. */
static void test_too_few_descriptors(void **state)
{
	const struct rlimit few = { 24, 24 };
	struct trial trial = { 0 };
	struct made_plan made;
	int status;
	pid_t pid;

	(void)state;
	make_plan(&made, "good", "good", 4);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool refused =
			setrlimit(RLIMIT_NOFILE, &few) == 0 && open_trial(&trial, &made.plan) == SUPERVISOR_E_NO_START;

		_exit(refused && strstr(text_get(&trial.why), "too many open files: 5 workers need about ") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	end_trial(&trial);
}

/* The memory is there, but a worker can't be: that is said at once, with the reason. */
static void test_no_descriptor_for_a_worker(void **state)
{
	struct trial trial = { 0 };
	struct rlimit before, few;
	struct made_plan made;

	(void)state;
	make_plan(&made, "good", "good", 2);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(open_trial(&trial, &made.plan), 0);
	few = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(supervisor_start(trial.supervisor), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(supervisor_finished(trial.supervisor));
	assert_int_equal(supervisor_exit_code(trial.supervisor), EXIT_TRY_AGAIN);
	assert_string_equal(supervisor_failure(trial.supervisor).stage, "feed");
	assert_non_null(strstr(supervisor_failure(trial.supervisor).message, "cannot be started: Too many open files"));
	assert_string_equal(text_get(&trial.phases), "starting draining failed ");
	close_trial(&trial);
	assert_childless();
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stage_that_can_not_open),
		cmocka_unit_test(test_the_failure_points_into_the_spec),
		cmocka_unit_test(test_no_weir_worker),
		cmocka_unit_test(test_the_program_is_what_it_was),
		cmocka_unit_test(test_a_worker_that_never_says_a_word),
		cmocka_unit_test(test_a_wrong_token_is_refused),
		cmocka_unit_test(test_crashes_before_the_start_are_bounded_too),
		cmocka_unit_test(test_more_memory_than_there_is),
		cmocka_unit_test(test_the_soft_limit_on_descriptors_is_ours_to_raise),
		cmocka_unit_test(test_too_few_descriptors),
		cmocka_unit_test(test_no_descriptor_for_a_worker),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
