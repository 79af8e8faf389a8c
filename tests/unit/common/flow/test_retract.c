/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/flow/retract.h"
#include "tests/unit/common/flow/fixture.h"

static int setup(void **state)
{
	static struct fixture fixture;

	fixture_init(&fixture);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	fixture_deinit(*state);
	return 0;
}

static void test_the_cut_falls_between_records(void **state)
{
	struct fixture *fixture = *state;
	uint64_t cut, last, base = 3 * LANE_SIZE - 256; /* across the seam */
	const struct {
		uint64_t bytes_max, cut;
	} cases[] = { { 4096, 0 }, { 40 + 96 + 64, 0 }, { 40 + 96 + 63, 40 }, { 64 + 96, 40 }, { 64, 136 },
		      { 63, 200 }, { 0, 200 } };

	fixture_start_at(fixture, base);
	assert_int_equal(fixture_put(fixture, 0, 8), 0);
	assert_int_equal(fixture_put(fixture, 1, 61), 0);
	assert_int_equal(fixture_put(fixture, 2, 32), 0);
	fixture_commit_out(fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(retract_cut(&fixture->out, base, cases[i].bytes_max, &cut, &last), 0);
		assert_int_equal(cut - base, cases[i].cut);
		assert_int_equal(last, 64);
	}
}

static void test_a_dead_readers_number_is_believed_in_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint64_t cut, last;

	fixture_start_at(fixture, 8192);
	assert_int_equal(fixture_put(fixture, 0, 100), 0);
	fixture_commit_out(fixture);
	assert_int_equal(retract_cut(&fixture->out, fixture->out.tail + 8, 4096, &cut, &last), LANE_E_BROKEN);
	assert_int_equal(retract_cut(&fixture->out, fixture->out.tail, 4096, &cut, &last), LANE_E_BROKEN);
	assert_int_equal(retract_cut(&fixture->out, fixture->out.tail - LANE_SIZE - 8, 4096, &cut, &last),
			 LANE_E_BROKEN);
	assert_int_equal(retract_cut(&fixture->out, 8193, 4096, &cut, &last), LANE_E_BROKEN);
	assert_int_equal(retract_cut(&fixture->out, fixture->out.tail - 16, 4096, &cut, &last), LANE_E_BROKEN);
}

static void test_records_arrive_as_they_were(void **state)
{
	struct fixture *from = *state, to;
	uint64_t sequence = 0, cut, last;
	uint32_t size;

	fixture_init(&to);
	fixture_start_at(from, 5 * LANE_SIZE - 100 / 8 * 8);
	fixture_start_at(&to, 9 * LANE_SIZE - 512);
	for (uint64_t i = 0; i < 30; i++)
		assert_int_equal(fixture_put(from, i, (uint32_t)(i * 3)), 0);
	fixture_commit_out(from);
	assert_int_equal(retract_cut(&from->out, from->in.done, 1000, &cut, &last), 0);
	assert_int_equal(fixture_put(&to, 99, 7), 0);
	retract_copy(&from->out, cut, &to.out);
	fixture_commit_out(&to);
	assert_int_equal(fixture_take(&to, &sequence, &size), 0);
	assert_int_equal(sequence, 99);
	assert_int_equal(fixture_take(&to, &sequence, &size), 0);
	for (uint64_t i = sequence; i < 30; i++) {
		assert_int_equal(sequence, i);
		assert_int_equal(size, i * 3);
		assert_int_equal(fixture_take(&to, &sequence, &size), i < 29 ? 0 : LANE_E_EMPTY);
	}
	fixture_deinit(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_cut_falls_between_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_dead_readers_number_is_believed_in_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_arrive_as_they_were, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
