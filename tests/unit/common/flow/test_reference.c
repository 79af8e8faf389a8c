/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/flow/reference.h"
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

/* To the bytes, from any position, also across the lane's end. */
static void test_leads_to_the_bytes(void **state)
{
	static const uint64_t starts[] = { 0, LANE_SIZE - 64, UINT32_MAX - 63, UINT64_MAX - 127 };
	struct fixture *fixture = *state;
	const struct reference_lane lane = { .data = fixture->data, .capacity_bytes = LANE_SIZE };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint64_t start = starts[i] & ~UINT64_C(7);
		struct item_reference reference = { .position = start + sizeof(struct item_header),
						    .size_bytes = 1000 };
		const void *payload;

		fixture_start_at(fixture, start);
		assert_int_equal(fixture_put(fixture, 7 + i, 1000), 0);
		reference = reference_read(&reference);
		assert_int_equal(reference_resolve(&reference, &lane, &payload), 0);
		for (unsigned n = 0; n < 1000; n++)
			assert_int_equal(((const unsigned char *)payload)[n], 7 + i);
	}
}

/* Whatever 24 bytes say: an answer, and all that it names can be read. */
static void test_nonsense_is_broken_or_readable(void **state)
{
	struct fixture *fixture = *state;
	const struct reference_lane lane = { .data = fixture->data, .capacity_bytes = LANE_SIZE };
	uint64_t seed = 88172645463325252, n_good = 0;
	const void *payload;

	for (unsigned i = 0; i < 100000; i++) {
		struct item_reference reference;
		volatile unsigned char sum = 0;

		for (size_t j = 0; j < sizeof(reference) / 8; j++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			((uint64_t *)&reference)[j] = seed;
		}
		if (i & 1)
			reference.size_bytes &= LANE_SIZE - 1;
		if (reference_resolve(&reference, &lane, &payload) != 0)
			continue;
		assert_true(reference.size_bytes <= LANE_SIZE / 2 && reference.position % 8 == 0);
		for (uint64_t n = 0; n < reference.size_bytes; n += 64)
			sum = (unsigned char)(sum + ((const unsigned char *)payload)[n]);
		n_good++;
	}
	assert_true(n_good > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_leads_to_the_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_is_broken_or_readable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
