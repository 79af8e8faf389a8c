/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/status.h>

#include "common/base/atomic.h"
#include "common/scope/coordinator.h"

static char trace[64];
static enum weir_cause cause_seen;

static void write_letter(char letter)
{
	size_t length = strlen(trace);

	trace[length] = letter;
	trace[length + 1] = '\0';
}

static int write_name(void *data, enum weir_cause cause)
{
	write_letter(*(const char *)data);
	cause_seen = cause;
	return 0;
}

static int write_and_fail(void *data, enum weir_cause cause)
{
	(void)write_name(data, cause);
	return -EIO;
}

static int write_and_segv(void *data, enum weir_cause cause)
{
	(void)write_name(data, cause);
	raise(SIGSEGV);
	return 0;
}

static int write_and_abort(void *data, enum weir_cause cause)
{
	(void)write_name(data, cause);
	abort();
}

#define CLEANER(name_, function_)                                                            \
	{                                                                                    \
		.name = (name_), .function = (function_), .data = (char *)(uintptr_t)(name_) \
	}

static struct weir_coordinator *new_coordinator(struct weir_coordinator *outer)
{
	struct weir_coordinator *coordinator = NULL;

	assert_int_equal(weir_coordinator_new(outer, &coordinator), 0);
	return coordinator;
}

static void add(struct weir_coordinator *coordinator, struct weir_cleaner *cleaner)
{
	assert_int_equal(weir_coordinator_add(coordinator, cleaner), WEIR_OK);
}

static int setup(void **state)
{
	(void)state;
	trace[0] = '\0';
	return 0;
}

static void test_last_in_first_out_once(void **state)
{
	struct weir_coordinator *coordinator = new_coordinator(NULL);
	struct weir_cleaner a = CLEANER("a", write_name), b = CLEANER("b", write_name), c = CLEANER("c", write_name),
			    late = CLEANER("l", write_name), none = { .name = "none" };
	struct weir_exit_report report;

	(void)state;
	add(coordinator, &a);
	add(coordinator, &b);
	add(coordinator, &c);
	assert_int_equal(weir_coordinator_add(coordinator, &b), -EINVAL);
	assert_int_equal(weir_coordinator_add(coordinator, &none), -EINVAL);
	assert_int_equal(weir_coordinator_remove(coordinator, &b), WEIR_OK);
	assert_int_equal(weir_coordinator_remove(coordinator, &b), WEIR_CLOSED);
	assert_int_equal(weir_coordinator_run(coordinator, WEIR_CAUSE_ADMISSION, &report), WEIR_OK);
	assert_string_equal(trace, "ca");
	assert_int_equal(cause_seen, WEIR_CAUSE_ADMISSION);
	assert_int_equal(report.n_run, 2);
	assert_null(report.name);
	assert_int_equal(weir_coordinator_run(coordinator, WEIR_CAUSE_USER, NULL), WEIR_CLOSED);
	assert_int_equal(weir_coordinator_add(coordinator, &late), WEIR_CLOSED);
	assert_string_equal(trace, "ca");
	assert_null(weir_coordinator_free(coordinator));
}

static void test_an_inner_one_has_its_place(void **state)
{
	struct weir_coordinator *outer = new_coordinator(NULL), *inner, *innermost;
	struct weir_cleaner a = CLEANER("a", write_name), b = CLEANER("b", write_name), x = CLEANER("x", write_name),
			    y = CLEANER("y", write_name), z = CLEANER("z", write_name);
	struct weir_exit_report report;

	(void)state;
	add(outer, &a);
	inner = new_coordinator(outer);
	add(inner, &x);
	add(outer, &b);
	innermost = new_coordinator(inner);
	add(innermost, &z);
	add(inner, &y);
	assert_int_equal(weir_coordinator_run(outer, WEIR_CAUSE_NONE, &report), WEIR_OK);
	assert_string_equal(trace, "byzxa");
	assert_int_equal(report.n_run, 5);
	assert_int_equal(weir_coordinator_run(inner, WEIR_CAUSE_NONE, NULL), WEIR_CLOSED);
	weir_coordinator_free(outer);
}

static void test_an_inner_one_that_ran_by_itself_runs_no_more(void **state)
{
	struct weir_coordinator *outer = new_coordinator(NULL), *inner = new_coordinator(outer),
				*gone = new_coordinator(outer);
	struct weir_cleaner a = CLEANER("a", write_name), x = CLEANER("x", write_name), g = CLEANER("g", write_name);

	(void)state;
	add(inner, &x);
	add(outer, &a);
	add(gone, &g);
	assert_int_equal(weir_coordinator_run(inner, WEIR_CAUSE_NONE, NULL), WEIR_OK);
	assert_string_equal(trace, "x");
	weir_coordinator_free(gone);
	assert_int_equal(weir_coordinator_run(outer, WEIR_CAUSE_NONE, NULL), WEIR_OK);
	assert_string_equal(trace, "xa");
	weir_coordinator_free(outer);
}

static void test_an_error_keeps_nobody_from_running(void **state)
{
	struct weir_coordinator *coordinator = new_coordinator(NULL), *inner;
	struct weir_cleaner a = CLEANER("a", write_and_fail), b = CLEANER("b", write_name),
			    c = CLEANER("c", write_and_fail);
	struct weir_exit_report report;

	(void)state;
	add(coordinator, &a);
	add(coordinator, &b);
	inner = new_coordinator(coordinator);
	add(inner, &c);
	assert_int_equal(weir_coordinator_run(coordinator, WEIR_CAUSE_NONE, &report), WEIR_FAILED);
	assert_string_equal(trace, "cba");
	assert_int_equal(report.n_failed, 2);
	assert_int_equal(report.n_crashed, 0);
	assert_string_equal(report.name, "c");
	assert_int_equal(report.status, -EIO);
	weir_coordinator_free(coordinator);
}

static void test_a_crash_keeps_nobody_from_running(void **state)
{
	struct weir_coordinator *coordinator = new_coordinator(NULL), *inner;
	struct weir_cleaner a = CLEANER("a", write_name), b = CLEANER("b", write_and_segv),
			    c = CLEANER("c", write_and_abort), d = CLEANER("d", write_and_segv);
	struct sigaction before, after;
	struct weir_exit_report report;
	stack_t stack_before, stack_after;

	(void)state;
	sigaction(SIGSEGV, NULL, &before);
	sigaltstack(NULL, &stack_before);
	add(coordinator, &a);
	add(coordinator, &b);
	inner = new_coordinator(coordinator);
	add(inner, &c);
	add(coordinator, &d);
	assert_int_equal(weir_coordinator_run(coordinator, WEIR_CAUSE_NONE, &report), WEIR_FAILED);
	assert_string_equal(trace, "dcba");
	assert_int_equal(report.n_crashed, 3);
	assert_int_equal(report.n_failed, 0);
	assert_string_equal(report.name, "d");
	assert_int_equal(report.signal, SIGSEGV);
	sigaction(SIGSEGV, NULL, &after);
	sigaltstack(NULL, &stack_after);
	assert_true(before.sa_handler == after.sa_handler && before.sa_flags == after.sa_flags);
	assert_true(stack_before.ss_sp == stack_after.ss_sp && stack_before.ss_flags == stack_after.ss_flags);
	weir_coordinator_free(coordinator);
}

struct reentrant {
	struct weir_coordinator *coordinator;
	struct weir_cleaner late;
	int again;
};

static int run_again(void *data, enum weir_cause cause)
{
	struct reentrant *reentrant = data;

	reentrant->again = weir_coordinator_run(reentrant->coordinator, cause, NULL);
	write_letter('r');
	return weir_coordinator_add(reentrant->coordinator, &reentrant->late);
}

static void test_a_second_exit_while_it_runs_does_nothing(void **state)
{
	struct reentrant reentrant = { .coordinator = new_coordinator(NULL), .late = CLEANER("l", write_name) };
	struct weir_cleaner a = CLEANER("a", write_name),
			    r = { .name = "r", .function = run_again, .data = &reentrant };

	(void)state;
	add(reentrant.coordinator, &a);
	add(reentrant.coordinator, &r);
	assert_int_equal(weir_coordinator_run(reentrant.coordinator, WEIR_CAUSE_NONE, NULL), WEIR_OK);
	assert_int_equal(reentrant.again, WEIR_CLOSED);
	assert_string_equal(trace, "rla"); /* what is added meanwhile is next */
	weir_coordinator_free(reentrant.coordinator);
}

static void test_a_child_process_cleans_nothing(void **state)
{
	struct weir_coordinator *coordinator = new_coordinator(NULL);
	struct weir_cleaner a = CLEANER("a", write_name);
	pid_t pid;
	int status;

	(void)state;
	add(coordinator, &a);
	pid = fork();
	if (pid == 0)
		_exit(weir_coordinator_run(coordinator, WEIR_CAUSE_NONE, NULL) == -EPERM && trace[0] == '\0' ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(weir_coordinator_run(coordinator, WEIR_CAUSE_NONE, NULL), WEIR_OK);
	assert_string_equal(trace, "a");
	weir_coordinator_free(coordinator);
}

static void test_the_workers_own_is_not_the_stages(void **state)
{
	struct weir_coordinator *root, *inner;
	struct weir_cleaner a = CLEANER("a", write_name), b = CLEANER("b", write_name);

	(void)state;
	assert_int_equal(weir_coordinator_root_new(&root), 0);
	add(root, &a);
	inner = new_coordinator(root);
	add(inner, &b);
	assert_int_equal(weir_coordinator_run(root, WEIR_CAUSE_NONE, NULL), -EPERM);
	weir_coordinator_free(root);
	assert_string_equal(trace, "");
	assert_int_equal(weir_coordinator_root_run(root, WEIR_CAUSE_NONE, NULL), WEIR_OK);
	assert_string_equal(trace, "ba");
	assert_int_equal(weir_coordinator_new(root, &inner), WEIR_CLOSED);
	assert_null(weir_coordinator_root_free(root));
	assert_null(weir_coordinator_root_free(NULL));
}

/* ---- threads ---- */

static int count_up(void *data, enum weir_cause cause)
{
	(void)cause;
	atomic_fetch_add((atomic_u32 *)data, 1);
	return 0;
}

static void *run_thread(void *data)
{
	return (void *)(intptr_t)weir_coordinator_run(data, WEIR_CAUSE_NONE, NULL);
}

/* Whoever comes first runs it all; guards of two threads do not disturb each other. */
static void test_threads_that_run_the_same_one(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		struct weir_coordinator *coordinator = new_coordinator(NULL);
		struct weir_cleaner cleaners[5], crash = CLEANER("x", write_and_abort);
		atomic_u32 n = 0;
		pthread_t threads[2];
		void *results[2];

		trace[0] = '\0';
		for (int i = 0; i < 5; i++) {
			cleaners[i] = (struct weir_cleaner){ .name = "n", .function = count_up, .data = &n };
			add(coordinator, &cleaners[i]);
			if (i == 2)
				add(coordinator, &crash);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, run_thread, coordinator), 0);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], &results[i]);
		assert_true(((intptr_t)results[0] == WEIR_FAILED) != ((intptr_t)results[1] == WEIR_FAILED));
		assert_int_equal(atomic_load(&n), 5);
		weir_coordinator_free(coordinator);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_last_in_first_out_once, setup),
		cmocka_unit_test_setup(test_an_inner_one_has_its_place, setup),
		cmocka_unit_test_setup(test_an_inner_one_that_ran_by_itself_runs_no_more, setup),
		cmocka_unit_test_setup(test_an_error_keeps_nobody_from_running, setup),
		cmocka_unit_test_setup(test_a_crash_keeps_nobody_from_running, setup),
		cmocka_unit_test_setup(test_a_second_exit_while_it_runs_does_nothing, setup),
		cmocka_unit_test_setup(test_a_child_process_cleans_nothing, setup),
		cmocka_unit_test_setup(test_the_workers_own_is_not_the_stages, setup),
		cmocka_unit_test(test_threads_that_run_the_same_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
