/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/top_rates.h"
#include "tests/unit/broker/cli/sample_view.h"

#define NEAR 0.01

static void test_between_two_looks(void **state)
{
	struct top_rates rates = TOP_RATES_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	top_rates_update(&rates, &s.view, 5 * NS_PER_S);
	assert_true(top_rates_worker(&rates, &s.workers[0]) < 0);
	assert_true(top_rates_stage(&rates, &s.stages[1]) < 0);
	s.workers[0].ledger[LEDGER_ACCEPTED] = 300; /* a source accepts */
	s.workers[1].ledger[LEDGER_TAKEN] = 100;    /* the others take */
	s.workers[2].ledger[LEDGER_TAKEN] = 50;
	s.view.ledger[LEDGER_DELIVERED] += 20;
	top_rates_update(&rates, &s.view, 7 * NS_PER_S);
	assert_float_equal(rates.passed_s, 2, NEAR);
	assert_float_equal(top_rates_worker(&rates, &s.workers[0]), 150, NEAR);
	assert_float_equal(top_rates_worker(&rates, &s.workers[2]), 25, NEAR);
	assert_float_equal(top_rates_stage(&rates, &s.stages[1]), 75, NEAR);
	assert_float_equal(rates.delivered.per_second, 10, NEAR);
	/* Nothing more has come: the speed now is none, and not a mean. */
	top_rates_update(&rates, &s.view, 8 * NS_PER_S);
	assert_float_equal(top_rates_stage(&rates, &s.stages[1]), 0, NEAR);
	/* The same moment again says nothing. */
	top_rates_update(&rates, &s.view, 8 * NS_PER_S);
	assert_float_equal(rates.passed_s, 1, NEAR);
	top_rates_deinit(&rates);
}

/* A number that has shrunk is of another run; a slot that is new has no speed yet. */
static void test_slots_come_and_begin_anew(void **state)
{
	struct top_rates rates = TOP_RATES_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.view.n_stages = 2;
	s.workers[0].ledger[LEDGER_ACCEPTED] = 300;
	top_rates_update(&rates, &s.view, 5 * NS_PER_S);
	s.view.n_stages = 3;
	s.workers[0].ledger[LEDGER_ACCEPTED] = 30;
	s.workers[5].ledger[LEDGER_TAKEN] = 1000;
	top_rates_update(&rates, &s.view, 6 * NS_PER_S);
	assert_true(top_rates_worker(&rates, &s.workers[0]) < 0);
	assert_true(top_rates_worker(&rates, &s.workers[5]) < 0);
	s.workers[0].ledger[LEDGER_ACCEPTED] = 31;
	top_rates_update(&rates, &s.view, 7 * NS_PER_S);
	assert_float_equal(top_rates_worker(&rates, &s.workers[0]), 1, NEAR);
	assert_float_equal(top_rates_worker(&rates, &s.workers[5]), 0, NEAR);
	top_rates_deinit(&rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_between_two_looks),
		cmocka_unit_test(test_slots_come_and_begin_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
