/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that keep an item for longer than its deadline, and what becomes of them and of it. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "tests/unit/broker/supervise/trial.h"

/* The sink has a deadline; exits 0 after running. */
static void run_late(struct trial *trial, const char *store, uint64_t deadline_ns)
{
	struct made_plan made;

	make_plan(&made, "good", store, 1);
	made.plan.stages[1].deadline_ns = deadline_ns;
	made.plan.stages[1].attempts = 2;
	made.plan.stages[1].restart_intensity = 1; /* overruns are no deaths without progress */
	run_trial(trial, &made.plan);
	if (trial->exit_code != EXIT_DONE || strcmp(text_get(&trial->phases), "starting running stopped ") != 0)
		fail_msg("exit %d, phases '%s'; log:\n%s", trial->exit_code, text_get(&trial->phases),
			 text_get(&trial->log));
}

static void test_who_heeds_the_cancel_leaves_and_the_item_is_counted(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_late(&trial, "hold", 50 * MS);
	assert_int_equal(trial.view.stages[1].restarts, 2);
	assert_int_equal(trial.view.stages[1].overruns, 2);
	assert_int_equal(count_logged(&trial, "has overrun its deadline of 50 ms here: cancelled"), 2);
	assert_int_equal(count_logged(&trial, "left when it was cancelled (item_deadline)"), 2);
	assert_int_equal(count_logged(&trial, "SIGTERM"), 0);
	assert_logged(&trial, "1 of 2 attempts");
	assert_logged(&trial, "2 of 2 attempts");
	end_trial(&trial);
}

static void test_who_is_deaf_is_killed(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_late(&trial, "hold-deaf", 50 * MS);
	assert_int_equal(trial.view.stages[1].overruns, 2);
	assert_int_equal(count_logged(&trial, "SIGTERM: it does not stop for its cancel"), 2);
	assert_int_equal(count_logged(&trial, "was killed by SIGKILL"), 2);
	assert_logged(&trial, "had overrun its deadline of 50 ms, by ");
	end_trial(&trial);
}

static void test_an_item_that_is_done_after_all_costs_nothing(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_late(&trial, "hold-done", 50 * MS);
	assert_int_equal(trial.view.stages[1].restarts, 1);
	assert_int_equal(trial.view.stages[1].overruns, 1);
	assert_int_equal(count_logged(&trial, "of 2 attempts"), 0);
	end_trial(&trial);
}

static void test_a_pending_item_is_blamed_and_nobody_beside_it(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_late(&trial, "hold-pending", 20 * MS);
	assert_int_equal(trial.view.stages[1].overruns, 2);
	assert_logged(&trial, "(put aside, not completed)");
	assert_int_equal(count_logged(&trial, "in flight"), 0);
	end_trial(&trial);
}

static void test_waiting_for_room_is_no_overrun(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_late(&trial, "wait-for-room", 50 * MS);
	assert_int_equal(trial.view.stages[1].overruns, 0);
	end_trial(&trial);
}

static void test_without_a_deadline_nobody_looks(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_late(&trial, "wait-for-room", 0);
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_heeds_the_cancel_leaves_and_the_item_is_counted),
		cmocka_unit_test(test_who_is_deaf_is_killed),
		cmocka_unit_test(test_an_item_that_is_done_after_all_costs_nothing),
		cmocka_unit_test(test_a_pending_item_is_blamed_and_nobody_beside_it),
		cmocka_unit_test(test_waiting_for_room_is_no_overrun),
		cmocka_unit_test(test_without_a_deadline_nobody_looks),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
