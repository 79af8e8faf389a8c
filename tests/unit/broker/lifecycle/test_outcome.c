/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "broker/lifecycle/outcome.h"

/* 100 accepted, 100 emitted by the source, all taken and delivered. */
static struct outcome good(void)
{
	struct outcome outcome = { 0 };

	outcome.ledger[LEDGER_ACCEPTED] = outcome.ledger[LEDGER_EMITTED] = 100;
	outcome.ledger[LEDGER_TAKEN] = outcome.ledger[LEDGER_DELIVERED] = 100;
	return outcome;
}

static void test_all_delivered_is_done(void **state)
{
	struct outcome outcome = good();

	(void)state;
	assert_true(outcome_balanced(&outcome));
	assert_true(outcome_lossless(&outcome));
	assert_int_equal(outcome_exit_code(&outcome), EXIT_DONE);
	outcome.signal_number = SIGINT;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_SIGNAL_BASE + SIGINT);
}

static void test_items_left_in_lanes(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.ledger[LEDGER_EMITTED] = 103;
	outcome.in_lanes = 3;
	assert_true(outcome_balanced(&outcome));
	assert_int_equal(outcome_in_flight(&outcome), 3);
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
	outcome.signal_number = SIGTERM;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
	outcome.drain_deadline_passed = true;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_DRAIN_DEADLINE);
}

/* What is given again was emitted once already, and is taken a second time. */
static void test_letters_that_were_given_again(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.ledger[LEDGER_TAKEN] += 2;
	outcome.ledger[LEDGER_DELIVERED] += 2;
	assert_false(outcome_balanced(&outcome));
	outcome.ledger[LEDGER_REPLAYED] = 2;
	assert_true(outcome_balanced(&outcome) && outcome_lossless(&outcome));
	assert_int_equal(outcome_exit_code(&outcome), EXIT_DONE);
}

/* What the spec wanted dropped is no loss; what was refused is one. Both must be in the books. */
static void test_full_lanes(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.ledger[LEDGER_EMITTED] += 5;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_STATE_CORRUPT);
	outcome.ledger[LEDGER_DROPPED_NEW] = 2;
	outcome.ledger[LEDGER_DROPPED_OLD] = 3;
	assert_true(outcome_balanced(&outcome) && outcome_lossless(&outcome));
	assert_int_equal(outcome_exit_code(&outcome), EXIT_DONE);
	outcome.ledger[LEDGER_REFUSED] = 1;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_STATE_CORRUPT);
	outcome.ledger[LEDGER_EMITTED]++;
	assert_true(outcome_balanced(&outcome));
	assert_false(outcome_lossless(&outcome));
	assert_int_equal(outcome_in_flight(&outcome), 0);
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
}

static void test_passed_deadline_with_nothing_left_is_no_loss(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.drain_deadline_passed = true;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_DONE);
}

static void test_held_items_are_in_flight(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.ledger[LEDGER_DELIVERED] = 98;
	outcome.ledger[LEDGER_HELD] = 2;
	assert_true(outcome_balanced(&outcome));
	assert_int_equal(outcome_in_flight(&outcome), 2);
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
}

static void test_every_bad_fate_is_a_loss(void **state)
{
	static const enum ledger fates[] = { LEDGER_REJECTED_IN, LEDGER_DEAD_LETTERED, LEDGER_EXPIRED,
					     LEDGER_CANCELLED };

	(void)state;
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		struct outcome outcome = good();

		outcome.ledger[LEDGER_DELIVERED]--;
		outcome.ledger[fates[i]]++;
		assert_true(outcome_balanced(&outcome));
		assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
	}
}

static void test_good_fates_are_none(void **state)
{
	static const enum ledger fates[] = { LEDGER_CONSUMED, LEDGER_FILTERED, LEDGER_UNWANTED };

	(void)state;
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		struct outcome outcome = good();

		outcome.ledger[LEDGER_DELIVERED]--;
		outcome.ledger[fates[i]]++;
		assert_int_equal(outcome_exit_code(&outcome), EXIT_DONE);
	}
}

static void test_rejected_at_the_source_is_a_loss(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.ledger[LEDGER_ACCEPTED] = 101;
	outcome.ledger[LEDGER_REJECTED_OUT] = 1;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
}

static void test_imbalance_and_corruption_win_over_everything(void **state)
{
	struct outcome lost = good(), twice = good(), corrupt = good();

	(void)state;
	lost.ledger[LEDGER_TAKEN]--;
	lost.ledger[LEDGER_DELIVERED]--;
	lost.stage_failed = lost.start_failed = true;
	assert_false(outcome_balanced(&lost));
	assert_int_equal(outcome_exit_code(&lost), EXIT_STATE_CORRUPT);
	twice.ledger[LEDGER_DELIVERED]++;
	assert_int_equal(outcome_exit_code(&twice), EXIT_STATE_CORRUPT);
	corrupt.corrupt = true;
	assert_int_equal(outcome_exit_code(&corrupt), EXIT_STATE_CORRUPT);
}

static void test_failures(void **state)
{
	struct outcome start = { .start_failed = true }, spec = { .start_failed = true, .spec_matter = true },
		       stage = good();

	(void)state;
	assert_int_equal(outcome_exit_code(&start), EXIT_TRY_AGAIN);
	assert_int_equal(outcome_exit_code(&spec), EXIT_SPEC_INVALID);
	stage.stage_failed = true;
	stage.signal_number = SIGINT;
	assert_int_equal(outcome_exit_code(&stage), EXIT_LOSSES);
}

/* What has become of a letter counts, not that it was one; and nothing else is forgiven with it. */
static void test_letters_that_are_settled(void **state)
{
	static const int letters[] = { LEDGER_REJECTED_OUT, LEDGER_REJECTED_IN, LEDGER_DEAD_LETTERED, LEDGER_REFUSED };
	static const int others[] = { LEDGER_EXPIRED, LEDGER_CANCELLED };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct outcome outcome = { .ledger = { [LEDGER_ACCEPTED] = 1 } };

		outcome.ledger[letters[i]] = 1;
		assert_int_equal(outcome_letters(outcome.ledger), 1);
		assert_false(outcome_lossless(&outcome));
		outcome.letters_settled = true;
		assert_true(outcome_lossless(&outcome));
		for (size_t j = 0; j < 2; j++) {
			outcome.ledger[others[j]] = 1;
			assert_false(outcome_lossless(&outcome));
			outcome.ledger[others[j]] = 0;
		}
		outcome.stage_failed = true;
		assert_false(outcome_lossless(&outcome));
	}
}

/* Nobody has looked whether they were taken: that is no end to be silent about. */
static void test_letters_that_could_not_be_settled(void **state)
{
	struct outcome outcome = good();

	(void)state;
	outcome.letters_held = true;
	assert_false(outcome_lossless(&outcome));
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
	outcome.letters_settled = true;
	outcome.signal_number = SIGTERM;
	assert_int_equal(outcome_exit_code(&outcome), EXIT_LOSSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_delivered_is_done),
		cmocka_unit_test(test_items_left_in_lanes),
		cmocka_unit_test(test_letters_that_were_given_again),
		cmocka_unit_test(test_letters_that_could_not_be_settled),
		cmocka_unit_test(test_full_lanes),
		cmocka_unit_test(test_passed_deadline_with_nothing_left_is_no_loss),
		cmocka_unit_test(test_held_items_are_in_flight),
		cmocka_unit_test(test_every_bad_fate_is_a_loss),
		cmocka_unit_test(test_good_fates_are_none),
		cmocka_unit_test(test_rejected_at_the_source_is_a_loss),
		cmocka_unit_test(test_imbalance_and_corruption_win_over_everything),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_letters_that_are_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
