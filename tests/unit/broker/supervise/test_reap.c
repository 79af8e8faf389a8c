/* SPDX-License-Identifier: Apache-2.0 */
/* Deaths of workers, and what follows. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "tests/unit/broker/supervise/trial.h"

static void test_a_crash_is_repaired_and_restarted(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "crash-once", 2, EXIT_DONE, "starting running stopped ");
	assert_logged(&trial, "was killed by SIGSEGV");
	assert_logged(&trial, "restart in");
	assert_int_equal(trial.view.stages[1].restarts, 2);
	assert_int_equal(trial.view.stages[1].workers[0].generation, 1);
	end_trial(&trial);
}

static void test_exit_zero_without_the_word_is_a_crash(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "exit-0", 1, EXIT_DONE, "starting running stopped ");
	assert_logged(&trial, "exited with status 0 without having ended");
	assert_int_equal(trial.view.stages[1].restarts, 1);
	end_trial(&trial);
}

static void test_the_intensity_is_a_bound(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "stay-on", "crash-always", 1, EXIT_LOSSES, "starting running draining failed ");
	assert_int_equal(count_logged(&trial, "was killed by SIGKILL"), 5);
	assert_logged(&trial, "has failed: more than 4 deaths without progress in 30");
	assert_string_equal(trial.view.cause, "sibling_failed");
	end_trial(&trial);
}

static uint32_t lost_at_end;

static void look_at_the_lane(struct trial *trial, const char *phase)
{
	const struct seat *feed = &trial->supervisor->seats[0];

	if (strcmp(phase, "failed") == 0)
		lost_at_end = load_acquire(&feed->segment.writers[0].closed);
}

static void test_the_lanes_of_a_slot_that_is_given_up_close_as_lost(void **state)
{
	struct trial trial = { .at_phase = look_at_the_lane };

	(void)state;
	lost_at_end = LANE_OPEN;
	run_acts(&trial, "crash-always", "stay-on", 1, EXIT_LOSSES, "starting running draining failed ");
	assert_int_equal(lost_at_end, LANE_CLOSED_LOST);
	end_trial(&trial);
}

static void test_deaths_with_progress_do_not_count(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "crash-after-turns", 1, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 12);
	end_trial(&trial);
}

/* A source that asks once in vain and dies as it asks again: it has committed, and got nowhere. */
static void test_turns_of_nothing_are_no_progress(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "crash-after-idle-turns", "stay-on", 1, EXIT_LOSSES, "starting running draining failed ");
	assert_int_equal(count_logged(&trial, "was killed by SIGKILL"), 5);
	assert_logged(&trial, "has failed: more than 4 deaths without progress in 30");
	end_trial(&trial);
}

static void test_being_killed_asleep_does_not_count(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "killed-asleep", 1, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 12);
	end_trial(&trial);
}

static void test_the_obituary_has_the_last_words(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "last-words", 1, EXIT_DONE, "starting running stopped ");
	assert_logged(&trial, "4 store#0");
	assert_logged(&trial, "exited with status 7");
	assert_logged(&trial, "in state busy");
	assert_logged(&trial, "last words: \"something is wrong\" / \"I can't go on\"");
	end_trial(&trial);
}

static void test_the_suspect_is_counted_until_it_is_given_up(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "poison", 1, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 3);
	assert_logged(&trial, "with item 20 in hand (lane 0, position 640, 1 of 3 attempts)");
	assert_logged(&trial, "with item 20 in hand (lane 0, position 640, 3 of 3 attempts)");
	end_trial(&trial);
}

/* Two that kill in turn have each its own count, and its own story. */
static void test_suspects_do_not_forget_each_other(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "poison-two", 1, EXIT_DONE, "starting running stopped ");
	assert_logged(&trial, "(lane 0, position 640, 3 of 3 attempts)");
	assert_logged(&trial, "(lane 0, position 672, 3 of 3 attempts)");
	end_trial(&trial);
}

static void test_a_letter_that_was_taken_is_not_suspected(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "poison-letter", 1, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 2);
	assert_int_equal(count_logged(&trial, "a dead letter that was given again (1 of 3 attempts)"), 1);
	end_trial(&trial);
}

static void test_nobody_is_counted_among_many_in_flight(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "crowded", 1, EXIT_DONE, "starting running stopped ");
	assert_int_equal(trial.view.stages[1].restarts, 2);
	assert_logged(&trial, "with 100 items in flight (12 at a time until they are through)");
	assert_logged(&trial, "with 12 items in flight (1 at a time until they are through)");
	assert_int_equal(count_logged(&trial, "in hand"), 0);
	end_trial(&trial);
}

static void test_senseless_memory_is_quarantined(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "stay-on", "senseless", 1, EXIT_STATE_CORRUPT, "starting running draining failed ");
	assert_logged(&trial, "shared memory makes no sense");
	assert_false(trial.view.balanced);
	end_trial(&trial);
}

static void test_grandchildren_do_not_survive(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "grandchild", 1, EXIT_DONE, "starting running stopped ");
	assert_logged(&trial, "2 processes that a dead worker had left behind: ended");
	end_trial(&trial);
}

static void test_a_flood_on_stderr_is_limited_and_drained(void **state)
{
	struct trial trial = { 0 };

	(void)state;
	run_acts(&trial, "good", "flood", 2, EXIT_DONE, "starting running stopped ");
	assert_in_range(count_logged(&trial, ": flood "), 100, 200 * (trial.taken_ns / NS_PER_S + 2));
	assert_logged(&trial, "more lines on stderr, not shown");
	end_trial(&trial);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crash_is_repaired_and_restarted),
		cmocka_unit_test(test_exit_zero_without_the_word_is_a_crash),
		cmocka_unit_test(test_the_intensity_is_a_bound),
		cmocka_unit_test(test_the_lanes_of_a_slot_that_is_given_up_close_as_lost),
		cmocka_unit_test(test_deaths_with_progress_do_not_count),
		cmocka_unit_test(test_turns_of_nothing_are_no_progress),
		cmocka_unit_test(test_being_killed_asleep_does_not_count),
		cmocka_unit_test(test_the_obituary_has_the_last_words),
		cmocka_unit_test(test_the_suspect_is_counted_until_it_is_given_up),
		cmocka_unit_test(test_suspects_do_not_forget_each_other),
		cmocka_unit_test(test_a_letter_that_was_taken_is_not_suspected),
		cmocka_unit_test(test_nobody_is_counted_among_many_in_flight),
		cmocka_unit_test(test_senseless_memory_is_quarantined),
		cmocka_unit_test(test_grandchildren_do_not_survive),
		cmocka_unit_test(test_a_flood_on_stderr_is_limited_and_drained),
	};

	if (is_fake_worker(argc, argv))
		return fake_worker_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
