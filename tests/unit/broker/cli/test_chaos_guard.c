/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to a worker is undone: in its time, when it is to end, and when whoever asked for it is killed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/cli/chaos_guard.h"
#include "common/base/clock.h"

#define LONG_NS (100 * NS_PER_S) /* longer than wait_until(), and yet not for ever, should it not be ended */

static struct chaos_victim victim;

static int setup(void **state)
{
	(void)state;
	victim = (struct chaos_victim){ .pid = fork() };
	if (victim.pid == 0)
		for (;;)
			pause();
	victim.pidfd = (int)syscall(SYS_pidfd_open, victim.pid, 0);
	return victim.pidfd < 0;
}

static int teardown(void **state)
{
	(void)state;
	kill(victim.pid, SIGKILL);
	waitpid(victim.pid, NULL, 0);
	close(victim.pidfd);
	return 0;
}

static bool is_stopped(void)
{
	char path[64], line[256] = "";
	const char *behind;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)victim.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	behind = strrchr(line, ')');
	return behind && behind[2] == 'T';
}

static rlim_t limit(void)
{
	struct rlimit now;

	assert_int_equal(prlimit(victim.pid, RLIMIT_NOFILE, NULL, &now), 0);
	return now.rlim_cur;
}

/* Bounded, but generous: others may have the processor. What was seen counts: a delayed worker goes on a moment later. */
static void wait_until(bool (*is)(void), bool wanted)
{
	bool seen = is();

	for (int i = 0; i < 3000 && seen != wanted; i++) {
		usleep(10000);
		seen = is();
	}
	assert_int_equal(seen, wanted);
}

static void test_it_ends_when_it_is_told(void **state)
{
	struct chaos_guard guard;

	(void)state;
	assert_int_equal(chaos_guard_begin(&guard, CHAOS_PAUSE, &victim, LONG_NS), 0);
	wait_until(is_stopped, true);
	chaos_guard_end(&guard);
	wait_until(is_stopped, false);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* the victim is the only child that is left */
}

static void test_it_ends_in_its_time(void **state)
{
	const enum chaos_act acts[] = { CHAOS_PAUSE, CHAOS_DELAY };
	struct chaos_guard guard;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(chaos_guard_begin(&guard, acts[i], &victim, 60 * NS_PER_MS), 0);
		assert_int_equal(waitpid(guard.pid, NULL, 0), guard.pid); /* by itself */
		assert_false(is_stopped());
		guard.pid = 0;
		chaos_guard_end(&guard);
	}
}

static rlim_t limit_before;

static bool is_refused(void)
{
	return limit() != limit_before;
}

static void test_descriptors_are_refused_and_given_again(void **state)
{
	struct chaos_guard guard;

	(void)state;
	limit_before = limit();
	assert_int_equal(chaos_guard_begin(&guard, CHAOS_REFUSE, &victim, LONG_NS), 0);
	assert_true(limit() < limit_before && limit() > 0);
	chaos_guard_end(&guard);
	assert_int_equal(limit(), limit_before);
}

/* Guards whose parent is gone come to whoever is the subreaper. Returns when they have ended: only then is what they undo undone. */
static void reap_guards(unsigned n)
{
	for (int i = 0; i < 3000 && n; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		assert_true(pid >= 0 && pid != victim.pid);
		if (pid > 0)
			n--;
		else
			usleep(10000);
	}
	assert_int_equal(n, 0);
}

/* Two guards, of which the second could keep the first one's end open. */
static void test_it_ends_with_who_asked_for_it(void **state)
{
	struct chaos_guard guards[2];
	int fds[2];
	char done;
	pid_t pid;

	(void)state;
	limit_before = limit();
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1L), 0);
	pid = fork();
	if (pid == 0) {
		if (chaos_guard_begin(&guards[0], CHAOS_REFUSE, &victim, LONG_NS) ||
		    chaos_guard_begin(&guards[1], CHAOS_DELAY, &victim, LONG_NS) || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(fds[0], &done, 1), 1);
	assert_true(is_refused());
	wait_until(is_stopped, true);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	reap_guards(2);
	assert_false(is_refused());
	assert_false(is_stopped());
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0L), 0);
	close(fds[0]);
	close(fds[1]);
}

static void test_nobody_is_held_who_is_gone(void **state)
{
	struct chaos_guard guard;

	(void)state;
	kill(victim.pid, SIGKILL);
	waitpid(victim.pid, NULL, 0);
	assert_int_equal(chaos_guard_begin(&guard, CHAOS_PAUSE, &victim, LONG_NS), 1);
	assert_int_equal(chaos_guard_begin(&guard, CHAOS_REFUSE, &victim, LONG_NS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_ends_when_it_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_ends_in_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors_are_refused_and_given_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_ends_with_who_asked_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_is_held_who_is_gone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
