/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "worker/spin.h"

#define SHORT_NS 60000u
#define LONG_NS 50000000u

/* One wait: looks, sleeps so long. Returns how often it looked. */
static uint32_t sleep_once(struct spin *spin, uint64_t slept_ns)
{
	uint32_t rounds = spin_rounds(spin, false);

	spin_failed(spin, rounds, slept_ns);
	return rounds;
}

static void test_a_short_sleep_is_worth_a_longer_look(void **state)
{
	struct spin spin = { 0 };
	uint32_t brief = sleep_once(&spin, SHORT_NS);

	(void)state;
	assert_true(spin_rounds(&spin, false) > 10 * brief);
	spin_succeeded(&spin);
	assert_true(spin_rounds(&spin, false) > 10 * brief);
}

static void test_a_long_sleep_makes_it_look_briefly(void **state)
{
	struct spin spin = { 0 };
	uint32_t brief = sleep_once(&spin, SHORT_NS);

	(void)state;
	sleep_once(&spin, LONG_NS);
	assert_int_equal(spin_rounds(&spin, false), brief);
}

static void test_with_too_many_workers_it_looks_briefly(void **state)
{
	struct spin spin = { 0 };
	uint32_t brief = sleep_once(&spin, SHORT_NS);

	(void)state;
	assert_in_range(spin_rounds(&spin, true), 1, brief);
}

/* A peer on the same processor: sleeps are short, and no look ever succeeds. The long looks become rare. */
static void test_looks_in_vain_become_rare(void **state)
{
	struct spin spin = { 0 };
	uint32_t brief = spin_rounds(&spin, false), n_long = 0, n_looks = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t rounds = sleep_once(&spin, SHORT_NS);

		n_long += rounds > brief;
		n_looks += rounds > brief ? 0 : rounds;
	}
	assert_in_range(n_long, 5, 60);
	assert_true(n_looks < 20000 * brief / 4); /* the rest is brief indeed: it takes the peer's time */
	sleep_once(&spin, LONG_NS);
	spin_succeeded(&spin);
	for (int i = 0; i < 2000 && spin_rounds(&spin, false) <= brief; i++)
		sleep_once(&spin, SHORT_NS);
	assert_true(spin_rounds(&spin, false) > brief); /* but never given up for good */
}

static void test_yields_while_peers_have_the_processor(void **state)
{
	struct spin spin = { 0 };

	(void)state;
	assert_int_equal(spin_yields(&spin, false, false), 0);
	assert_true(spin_yields(&spin, true, false) > 0);
	assert_true(spin_yielded(&spin, false, SHORT_NS, true));
	assert_true(spin_yielded(&spin, false, SHORT_NS, false));
	assert_true(spin_yields(&spin, true, false) > 0);
	/* Room may wait a little longer than an item, and one knows nothing of the other. */
	assert_true(spin_yielded(&spin, true, 5 * SHORT_NS, true));
	assert_false(spin_yielded(&spin, false, 5 * SHORT_NS, true));
	assert_int_equal(spin_yields(&spin, true, false), 0);
	assert_true(spin_yields(&spin, true, true) > 0);
}

static void test_somebody_keeps_the_processor(void **state)
{
	struct spin spin = { 0 };
	uint32_t n_waits = 0, n_yields = 0;

	(void)state;
	for (; n_waits < 10000; n_waits++)
		if (spin_yields(&spin, true, false)) {
			assert_false(spin_yielded(&spin, false, LONG_NS, n_yields % 2));
			n_yields++;
		}
	assert_in_range(n_yields, 2, 30);
	/* When it is gone, it does not take as long to believe so. */
	for (n_waits = 0; !spin_yields(&spin, true, false); n_waits++)
		assert_true(n_waits < 2000);
	for (uint32_t i = 0; i < 20; i++)
		assert_true(spin_yielded(&spin, false, SHORT_NS, true));
	assert_false(spin_yielded(&spin, false, LONG_NS, true));
	for (n_waits = 0; !spin_yields(&spin, true, false); n_waits++)
		assert_true(n_waits < 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_short_sleep_is_worth_a_longer_look),
		cmocka_unit_test(test_a_long_sleep_makes_it_look_briefly),
		cmocka_unit_test(test_with_too_many_workers_it_looks_briefly),
		cmocka_unit_test(test_looks_in_vain_become_rare),
		cmocka_unit_test(test_yields_while_peers_have_the_processor),
		cmocka_unit_test(test_somebody_keeps_the_processor),
	};

	return cmocka_run_group_tests_name("worker.spin", tests, NULL, NULL);
}
