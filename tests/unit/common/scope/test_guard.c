/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that crash, one within the other and one after the other, and crashes that nobody guards. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/scope/guard.c" /* libweir does not hand it out */

static int return_seven(void *data)
{
	(void)data;
	return 7;
}

static int crash(void *data)
{
	raise(*(const int *)data);
	return 0;
}

static volatile bool endless = true;

static int use_up_the_stack(void *data)
{
	volatile char block[4096];

	block[0] = (char)(data != NULL);
	return endless ? use_up_the_stack((void *)(uintptr_t)block) + block[0] : 0;
}

static int call_one_that_crashes(void *data)
{
	int status = 0, crashed_by = guard_call(crash, data, &status);

	return crashed_by == *(const int *)data ? 11 : 0;
}

static int crash_after_one_that_crashed(void *data)
{
	int status;

	(void)guard_call(crash, data, &status);
	abort();
}

static void test_what_is_returned_and_by_what_it_crashed(void **state)
{

	struct guard_stack *guard;
	int status = 0;

	(void)state;
	assert_int_equal(guard_begin(&guard), 0);
	assert_int_equal(guard_call(return_seven, NULL, &status), 0);
	assert_int_equal(status, 7);
	for (unsigned round = 0; round < 3; round++) /* again: a signal that stays blocked would be the end */
		for (unsigned i = 0; i < SIGNALS; i++) {
			int signal_number = signals[i];

			assert_int_equal(guard_call(crash, &signal_number, &status), signal_number);
		}
	assert_int_equal(guard_call(return_seven, NULL, &status), 0);
	guard_end(guard);
}

static void test_one_within_another(void **state)
{
	struct guard_stack *outer, *inner;
	int status = 0, signal_number = SIGSEGV;

	(void)state;
	assert_int_equal(guard_begin(&outer), 0);
	assert_int_equal(guard_begin(&inner), 0);
	assert_int_equal(guard_call(call_one_that_crashes, &signal_number, &status), 0);
	assert_int_equal(status, 11);
	assert_int_equal(guard_call(crash_after_one_that_crashed, &signal_number, &status), SIGABRT);
	guard_end(inner);
	assert_int_equal(guard_call(crash, &signal_number, &status), SIGSEGV); /* the outer one still holds */
	guard_end(outer);
}

/* Runs the part that dies in a child. Returns the signal that it died by; 0: it did not. */
static int death_of(void (*part)(void))
{
	const struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* cmocka has its own */
		setrlimit(RLIMIT_CORE, &none);
		part();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void crash_unguarded_after_a_guarded_one(void)
{
	struct guard_stack *guard;
	int status, signal_number = SIGSEGV;

	if (guard_begin(&guard) != 0 || guard_call(crash, &signal_number, &status) != SIGSEGV)
		_exit(1);
	raise(SIGSEGV);
}

static void crash_after_the_end(void)
{
	struct guard_stack *guard;
	int status;

	if (guard_begin(&guard) != 0 || guard_call(return_seven, NULL, &status) != 0)
		_exit(1);
	guard_end(guard);
	raise(SIGSEGV);
}

static void *crash_elsewhere(void *data)
{
	(void)data;
	raise(SIGSEGV);
	return NULL;
}

/* A guard is its thread's. */
static void crash_in_another_thread(void)
{
	struct guard_stack *guard;
	pthread_t thread;

	if (guard_begin(&guard) != 0 || pthread_create(&thread, NULL, crash_elsewhere, NULL) != 0)
		_exit(1);
	pthread_join(thread, NULL);
}

static void test_what_is_not_guarded_is_a_crash(void **state)
{
	(void)state;
	assert_int_equal(death_of(crash_unguarded_after_a_guarded_one), SIGSEGV);
	assert_int_equal(death_of(crash_after_the_end), SIGSEGV);
	assert_int_equal(death_of(crash_in_another_thread), SIGSEGV);
}

static void run_out_of_stack(void)
{
	const struct rlimit small = { 1024 * 1024, 1024 * 1024 };
	struct guard_stack *guard;
	int status;

	if (setrlimit(RLIMIT_STACK, &small) != 0 || guard_begin(&guard) != 0)
		_exit(1);
	if (guard_call(use_up_the_stack, NULL, &status) == SIGSEGV)
		raise(SIGUSR1); /* what the test waits for */
}

/* The handler needs a stack of its own. */
static void test_a_stack_that_has_run_out(void **state)
{
	(void)state;
	assert_int_equal(death_of(run_out_of_stack), SIGUSR1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_returned_and_by_what_it_crashed),
		cmocka_unit_test(test_one_within_another),
		cmocka_unit_test(test_what_is_not_guarded_is_a_crash),
		cmocka_unit_test(test_a_stack_that_has_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
