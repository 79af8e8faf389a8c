/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/orphans.h"
#include "common/base/clock.h"

#define GENERATIONS 5
#define SPAWNS 50

static pid_t known_pid;

static bool is_known(void *data, pid_t pid)
{
	(void)data;
	return pid == known_pid;
}

static struct orphans_report sweep(void)
{
	struct orphans_report report = { 0 };

	assert_int_equal(orphans_sweep(is_known, NULL, clock_now_ns() + 5 * NS_PER_S, &report), 0);
	return report;
}

static void assert_childless(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A child that has a child that has a child ...; all of them sleep. Tells through the pipe when the last one is there. */
static pid_t spawn_chain(unsigned depth, int ready_fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	signal(SIGTERM, SIG_IGN);
	if (depth > 1)
		spawn_chain(depth - 1, ready_fd);
	else if (write(ready_fd, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void test_nothing_to_do(void **state)
{
	(void)state;
	known_pid = 0;
	assert_int_equal(sweep().reaped, 0);
	assert_childless();
}

static void test_a_whole_family_is_ended(void **state)
{
	int fds[2];
	char byte;

	(void)state;
	known_pid = 0;
	assert_int_equal(pipe(fds), 0);
	spawn_chain(GENERATIONS, fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(sweep().reaped, GENERATIONS);
	assert_childless();
	close(fds[0]);
	close(fds[1]);
}

static void test_a_known_child_is_left_alone(void **state)
{
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	known_pid = spawn_chain(2, fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	spawn_chain(1, fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(sweep().reaped, 1);
	assert_int_equal(kill(known_pid, 0), 0);
	/* its own child becomes ours with its death */
	kill(known_pid, SIGKILL);
	assert_int_equal(waitpid(known_pid, NULL, 0), known_pid);
	assert_int_equal(sweep().reaped, 1);
	assert_childless();
	close(fds[0]);
	close(fds[1]);
}

/* The child of a thread that waits for its children itself. */
static void *ask_somebody(void *data)
{
	int *fds = data;
	siginfo_t info = { 0 };
	char go;
	pid_t pid;

	orphans_spare(gettid());
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	if (write(fds[1], &pid, sizeof(pid)) != sizeof(pid) || read(fds[2], &go, 1) != 1)
		abort();
	kill(pid, SIGKILL);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 || info.si_pid != pid)
		abort(); /* somebody else has reaped it */
	orphans_spare(0);
	return NULL;
}

static void test_a_spared_thread_keeps_its_child(void **state)
{
	int there[2], back[2], fds[3];
	pthread_t thread;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	fds[1] = there[1];
	fds[2] = back[0];
	assert_int_equal(pthread_create(&thread, NULL, ask_somebody, fds), 0);
	assert_int_equal(read(there[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(sweep().reaped, 0);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(write(back[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

static void test_zombies_are_reaped(void **state)
{
	(void)state;
	known_pid = 0;
	for (unsigned i = 0; i < SPAWNS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(0);
	}
	assert_int_equal(sweep().reaped, SPAWNS);
	assert_childless();
}

static int become_subreaper(void **state)
{
	(void)state;
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_a_whole_family_is_ended),
		cmocka_unit_test(test_a_known_child_is_left_alone),
		cmocka_unit_test(test_a_spared_thread_keeps_its_child),
		cmocka_unit_test(test_zombies_are_reaped),
	};

	return cmocka_run_group_tests(tests, become_subreaper, NULL);
}
