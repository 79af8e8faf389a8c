/* SPDX-License-Identifier: Apache-2.0 */
/* Each call of weir/state.h, and what it says when it can't do what it is asked for. What holds through items and deaths: test_keyed.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "keyed_test.h"
#include "worker/keyed.h"

static int stage_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	(void)context;
	(void)data;
	(void)item;
	return WEIR_OK;
}

static const struct weir_stage counts = { .role = WEIR_OPERATOR, .flags = WEIR_STAGE_STATE, .process = stage_process };
static const struct weir_stage forgets = { .role = WEIR_OPERATOR, .process = stage_process };

/* ---- calls that are answered ---- */

static void test_answers(void **state)
{
	struct weir_context *context = &rig.relay.context;
	char key[WEIR_STATE_KEY_SIZE_MAX + 1];
	struct weir_state_entry entry;
	uint64_t used_bytes, size_bytes;
	const void *value;
	size_t bytes;

	(void)state;
	begin(&counts);
	assert_int_equal(attach(&rig.relay), 0);
	rig.relay.phase = PHASE_PROCESS;
	memset(key, 'x', sizeof(key));
	assert_int_equal(weir_state_put(context, key, sizeof(key) - 1, "", 0), WEIR_OK);
	assert_int_equal(weir_state_get(context, key, sizeof(key) - 1, &value, &bytes), WEIR_OK);
	assert_int_equal(bytes, 0);
	assert_int_equal(weir_state_put(context, key, sizeof(key), "", 0), -EINVAL);
	assert_int_equal(weir_state_put(context, key, 0, "", 0), -EINVAL);
	assert_int_equal(weir_state_get(context, key, 0, &value, &bytes), -EINVAL);
	assert_int_equal(weir_state_delete(context, key, sizeof(key)), -EINVAL);
	assert_int_equal(weir_state_first(context, key, sizeof(key), &entry), -EINVAL);
	assert_int_equal(weir_state_delete(context, "y", 1), -ENOENT);
	assert_int_equal(weir_state_first(context, "y", 1, &entry), -ENOENT);
	assert_int_equal(weir_state_first(context, "xx", 2, &entry), WEIR_OK);
	assert_int_equal(entry.key_size_bytes, WEIR_STATE_KEY_SIZE_MAX);
	assert_int_equal(weir_state_next(context, "xx", 2, &entry), -ENOENT);
	assert_int_equal(put_large(context, "large", WEIR_STATE_VALUE_SIZE_MAX + 1), WEIR_TOO_LARGE);
	assert_int_equal(weir_state_usage(context, &used_bytes, &size_bytes), WEIR_OK);
	assert_int_equal(used_bytes, WEIR_STATE_KEY_SIZE_MAX + 16);
	assert_int_equal(size_bytes, STATE_BYTES);
	rig.relay.phase = PHASE_NONE; /* as in close() */
	assert_int_equal(weir_state_put(context, "k", 1, "", 0), -EPERM);
	assert_int_equal(weir_state_delete(context, "k", 1), -EPERM);
	keyed_detach(&rig.relay);
	end();
}

/* One item may change 16 MiB, and 32 MiB may be remembered: each has its own answer, after which all is as it was. */
static void test_too_much(void **state)
{
	struct weir_context *context = &rig.relay.context;
	uint64_t used_bytes, size_bytes;
	unsigned n = 0;
	char key[8];
	int r;

	(void)state;
	begin(&counts);
	assert_int_equal(attach(&rig.relay), 0);
	rig.relay.phase = PHASE_PROCESS;
	do {
		snprintf(key, sizeof(key), "%03u", n);
		r = put_large(context, key, WEIR_STATE_VALUE_SIZE_MAX);
	} while (r == WEIR_OK && ++n);
	assert_int_equal(r, WEIR_TOO_LARGE);
	assert_int_equal(n, 15);
	assert_true(keyed_item_changed(&rig.relay));
	keyed_item_drop(&rig.relay);
	assert_false(keyed_item_changed(&rig.relay));
	assert_int_equal(weir_state_usage(context, &used_bytes, &size_bytes), WEIR_OK);
	assert_int_equal(used_bytes, 0);
	n = 0;
	do {
		snprintf(key, sizeof(key), "%03u", n);
		rig_commit(&rig.relay);
		rig.relay.phase = PHASE_PROCESS;
		r = put_large(context, key, WEIR_STATE_VALUE_SIZE_MAX);
	} while (r == WEIR_OK && ++n);
	assert_int_equal(r, WEIR_FULL);
	assert_int_equal(n, 31);
	assert_int_equal(weir_state_delete(context, "003", 3), WEIR_OK);
	assert_int_equal(put_large(context, key, WEIR_STATE_VALUE_SIZE_MAX), WEIR_OK);
	keyed_detach(&rig.relay);
	end();
}

static void test_a_stage_that_does_not_say_so(void **state)
{
	struct weir_state_entry entry;
	uint64_t used_bytes, size_bytes;
	const void *value;
	size_t bytes;

	(void)state;
	begin(&forgets);
	assert_int_equal(attach(&rig.relay), 0);
	assert_null(rig.relay.keyed);
	rig.relay.phase = PHASE_PROCESS;
	assert_int_equal(weir_state_get(&rig.relay.context, "a", 1, &value, &bytes), -EPERM);
	assert_int_equal(weir_state_put(&rig.relay.context, "a", 1, "", 0), -EPERM);
	assert_int_equal(weir_state_delete(&rig.relay.context, "a", 1), -EPERM);
	assert_int_equal(weir_state_first(&rig.relay.context, "a", 1, &entry), -EPERM);
	assert_int_equal(weir_state_usage(&rig.relay.context, &used_bytes, &size_bytes), -EPERM);
	close(rig.relay.heritage.state_fd);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_a_stage_that_does_not_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
