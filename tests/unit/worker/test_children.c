/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "worker/children.h"

#define BOUND_NS (30 * NS_PER_S)

/* It has ended, and what it left behind is ours; it is not reaped. */
static void wait_until_ended(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* Both give up after a second, which is over at once for who was not scheduled. Nothing may be left for good. */
static size_t sweep(void)
{
	uint64_t until_ns = clock_now_ns() + BOUND_NS;
	size_t n_left;

	do
		n_left = children_sweep();
	while (n_left && clock_now_ns() < until_ns);
	return n_left;
}

static void kill_all(void)
{
	uint64_t until_ns = clock_now_ns() + BOUND_NS;

	do
		children_kill_all();
	while (waitpid(-1, NULL, WNOHANG) != -1 && clock_now_ns() < until_ns);
}

/* A shell in a group of its own; its numbers of interest come back through a pipe, one a line. */
static pid_t start(const char *script, int *ret_numbers, int n)
{
	int fds[2];
	pid_t pid;
	FILE *file;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		dup2(fds[1], 9);
		close(fds[0]);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	setpgid(pid, pid);
	close(fds[1]);
	file = fdopen(fds[0], "r");
	assert_non_null(file);
	for (int i = 0; i < n; i++)
		assert_int_equal(fscanf(file, "%d", &ret_numbers[i]), 1);
	fclose(file);
	return pid;
}

static void assert_gone(pid_t pid)
{
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void test_kill_all(void **state)
{
	int numbers[3];
	pid_t pid = start(
		"trap '' TERM; sleep 100 & echo $! >&9; setsid sh -c 'echo $$ >&9; sleep 100 & echo $! >&9; wait' & wait",
		numbers, 3);

	(void)state;
	assert_true(children_add(pid));
	kill_all();
	assert_gone(pid);
	for (int i = 0; i < 3; i++)
		assert_gone(numbers[i]);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void on_term(int signal_number)
{
	(void)signal_number;
	kill_all();
	_exit(143);
}

/* As the worker does it: from the handler of SIGTERM. */
static void test_from_handler(void **state)
{
	int fds[2], status, grandchild;
	pid_t worker;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	worker = fork();
	if (!worker) {
		int number;
		pid_t pid;

		prctl(PR_SET_CHILD_SUBREAPER, 1);
		signal(SIGTERM, on_term);
		pid = start("sleep 100 & echo $! >&9; wait", &number, 1);
		children_add(pid);
		if (write(fds[1], &number, sizeof(number)) != sizeof(number))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	kill(worker, SIGTERM);
	assert_int_equal(waitpid(worker, &status, 0), worker);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 143);
	assert_gone(grandchild);
	close(fds[0]);
	close(fds[1]);
}

static void test_sweep_spares_registered(void **state)
{
	int kept, left;
	pid_t registered = start("echo $$ >&9; exec sleep 100", &kept, 1),
	      ended = start("setsid sleep 100 & echo $! >&9", &left, 1);

	(void)state;
	assert_true(children_add(registered));
	wait_until_ended(ended);
	assert_int_equal(sweep(), 0);
	assert_gone(ended);
	assert_gone(left);
	assert_int_equal(kill(registered, 0), 0);
	children_remove(registered);
	assert_int_equal(sweep(), 0);
	assert_gone(registered);
}

/* More orphans than fit one look at the list. */
static void test_many(void **state)
{
	int last;
	pid_t pid;

	(void)state;
	pid = start("i=0; while [ $i -lt 300 ]; do sleep 100 & i=$((i+1)); done; echo $! >&9", &last, 1);
	wait_until_ended(pid);
	assert_int_equal(sweep(), 0);
	assert_gone(last);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_registry_is_bounded(void **state)
{
	(void)state;
	for (pid_t i = 0; i < (pid_t)CHILDREN_MAX; i++)
		assert_true(children_add(1000000000 + i));
	assert_false(children_add(999999999));
	for (pid_t i = 0; i < (pid_t)CHILDREN_MAX; i++)
		children_remove(1000000000 + i);
	children_remove(12345);
	assert_true(children_add(999999999));
	children_remove(999999999);
}

static int group_setup(void **state)
{
	(void)state;
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_all),
		cmocka_unit_test(test_from_handler),
		cmocka_unit_test(test_sweep_spares_registered),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_registry_is_bounded),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
