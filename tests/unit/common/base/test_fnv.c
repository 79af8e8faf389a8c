/* SPDX-License-Identifier: Apache-2.0 */
/* The published values of FNV-1a: keys are dealt, and lie in keyed state, by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/fnv.h"

static void test_published(void **state)
{
	(void)state;
	assert_true(fnv_add(FNV_BEGIN, "", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(fnv_add(FNV_BEGIN, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(fnv_add(FNV_BEGIN, "foobar", 6) == UINT64_C(0x85944171f73967e8));
	assert_true(fnv_add(fnv_add(FNV_BEGIN, "foo", 3), "bar", 3) == UINT64_C(0x85944171f73967e8));
	assert_true(fnv_end(0) == 0);
	assert_true(fnv_end(1) == UINT64_C(0xb456bcfc34c2cb2c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
