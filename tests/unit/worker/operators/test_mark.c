/* SPDX-License-Identifier: Apache-2.0 */
/* Names of marks, and their bytes in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/worker/fake_host.h"
#include "worker/builtin.h"
#include "worker/operators/mark.h"

static void test_keys(void **state)
{
	char a[MARK_KEY_SIZE], b[MARK_KEY_SIZE], name[65];

	(void)state;
	mark_key("split", a);
	assert_string_equal(a, "weir.split");
	memset(name, 'x', 64);
	name[64] = '\0';
	mark_key(name, a);
	assert_int_equal(strlen(a), WEIR_BAGGAGE_KEY_MAX);
	name[0] = 'y'; /* where the key has no room for it */
	mark_key(name, b);
	assert_string_not_equal(a, b);
	name[WEIR_BAGGAGE_KEY_MAX - 5] = '\0'; /* the longest that fits */
	mark_key(name, a);
	assert_int_equal(strncmp(a, "weir.y", 6), 0);
	assert_int_equal(strlen(a), WEIR_BAGGAGE_KEY_MAX);
}

static void test_bytes(void **state)
{
	const struct mark first = { .run = 7, .number = 255, .stamp_ns = UINT64_MAX, .worker = 1 },
			  second = { .run = 7, .number = 256, .stamp_ns = 0, .worker = 1 };
	unsigned char a[MARK_BYTES], b[MARK_BYTES];
	struct mark again;

	(void)state;
	mark_write(&first, a);
	mark_write(&second, b);
	assert_true(memcmp(a, b, sizeof(a)) < 0);
	mark_read(&again, 7, a);
	assert_true(mark_is(&again, &first));
	assert_false(mark_is(&again, &second));
	mark_read(&again, 8, a);
	assert_false(mark_is(&again, &first));
}

/* Scatter numbers its items, also through a kill, and leaves them as they are. */
static void test_scatter(void **state)
{
	struct fake_host host;
	struct mark mark;

	(void)state;
	fake_host_init(&host, &scatter_operator_callbacks);
	host.now_ns = 7;
	host.worker_index = 3;
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(fake_host_process_item(&host, "a", 1), WEIR_OK);
		assert_string_equal(host.set_key, "weir.fake");
		assert_int_equal(host.set_bytes, sizeof(mark));
		memcpy(&mark, host.set, sizeof(mark));
		assert_true(mark_is(&mark, &(struct mark){ .run = 1, .number = n, .stamp_ns = 7, .worker = 3 }));
		assert_int_equal(host.last_output, WEIR_ALL_OUTPUTS);
		fake_host_turn_end(&host);
		if (n == 2)
			assert_int_equal(fake_host_process_item(&host, "lost", 4), WEIR_OK);
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
	}
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(&host, 2, "a"));
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_scatter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
