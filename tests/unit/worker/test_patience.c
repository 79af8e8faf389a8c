/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/patience.h"

static void assert_class(int policy)
{
	assert_int_equal(sched_getscheduler(0), policy);
}

static void enter(int policy)
{
	const struct sched_param parameters = { 0 };

	assert_int_equal(sched_setscheduler(0, policy, &parameters), 0);
}

static int set_up(void **state)
{
	(void)state;
	enter(SCHED_OTHER);
	return 0;
}

static void test_only_who_waits_for_room_is_patient(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience);
	patience_before_sleep(&patience, false);
	assert_class(SCHED_OTHER);
	patience_before_sleep(&patience, true);
	assert_true(patience.patient);
	assert_class(SCHED_BATCH);
	patience_before_sleep(&patience, false);
	assert_false(patience.patient);
	assert_class(SCHED_OTHER);
}

static int class_of_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		patience_leave();
		_exit(sched_getscheduler(0));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_a_class_that_was_chosen_stays(void **state)
{
	struct patience patience;

	(void)state;
	enter(SCHED_BATCH);
	patience_init(&patience);
	patience_before_sleep(&patience, true);
	assert_false(patience.patient);
	patience_before_sleep(&patience, false);
	assert_class(SCHED_BATCH);
	assert_int_equal(class_of_child(), SCHED_BATCH);
}

/* Sleeps for room until it is patient; returns how many there were before. */
static uint32_t sleeps_in_a_hurry(struct patience *patience)
{
	uint32_t n = 0;

	for (patience_before_sleep(patience, true); !patience->patient; patience_before_sleep(patience, true))
		n++;
	return n;
}

static void test_who_comes_too_late_hurries_more_and_more(void **state)
{
	struct patience patience;
	uint32_t n = 0;

	(void)state;
	patience_init(&patience);
	patience_after_sleep(&patience, true);
	for (int i = 0; i < 30; i++) {
		uint32_t before = n;

		n = sleeps_in_a_hurry(&patience);
		assert_true(n > before || n >= 1000);
		assert_true(n <= 3000);
		patience_after_sleep(&patience, true);
	}
	for (int i = 0; i < 30; i++) {
		(void)sleeps_in_a_hurry(&patience);
		patience_after_sleep(&patience, false);
	}
	patience_after_sleep(&patience, true);
	assert_true(sleeps_in_a_hurry(&patience) <= 2);
}

static void test_children_are_not_patient(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience);
	patience_before_sleep(&patience, true);
	assert_class(SCHED_BATCH);
	assert_int_equal(class_of_child(), SCHED_OTHER);
	assert_class(SCHED_BATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_who_waits_for_room_is_patient, set_up),
		cmocka_unit_test_setup(test_a_class_that_was_chosen_stays, set_up),
		cmocka_unit_test_setup(test_who_comes_too_late_hurries_more_and_more, set_up),
		cmocka_unit_test_setup(test_children_are_not_patient, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
