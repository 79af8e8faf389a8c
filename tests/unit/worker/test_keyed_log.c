/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "worker/keyed_log.h"

static struct keyed_log writer;
static int memory;

static int setup(void **state)
{
	(void)state;
	memory = memfd_create("log", MFD_CLOEXEC);
	return keyed_log_attach(&writer, dup(memory), 0);
}

static int teardown(void **state)
{
	(void)state;
	keyed_log_detach(&writer);
	return close(memory);
}

static void push(const char *key, const char *value)
{
	const struct keyed_change change = { .key = { key, strlen(key) },
					     .value = { value, value ? strlen(value) : 0 },
					     .removes = !value };
	struct keyed_change written;

	assert_int_equal(keyed_log_write(&writer, &change, &written), 0);
	assert_memory_equal(written.key.data, key, strlen(key));
	keyed_log_push(&writer, &written);
}

/* All changes from `begin` to `end`, as "key=value key- ". */
static const char *read_all(const struct keyed_log *log, uint64_t end)
{
	static char text[4096];
	uint64_t position = log->begin;
	struct keyed_change change;
	int r;

	text[0] = '\0';
	while ((r = keyed_log_next(log, end, &position, &change)) == 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s%s%.*s ", (int)change.key.size_bytes,
			 (const char *)change.key.data, change.removes ? "-" : "=", (int)change.value.size_bytes,
			 (const char *)change.value.data);
	return r == KEYED_LOG_E_NONE ? text : "broken";
}

static void test_in_order(void **state)
{
	struct keyed_log next;
	uint64_t committed;

	(void)state;
	push("a", "1");
	push("long key", "");
	push("a", NULL);
	committed = writer.end;
	push("b", "not committed");
	assert_string_equal(read_all(&writer, writer.end), "a=1 long key= a- b=not committed ");
	/* The next generation knows from the cursor how much counts. */
	assert_int_equal(keyed_log_attach(&next, dup(memory), committed), 0);
	assert_string_equal(read_all(&next, next.end), "a=1 long key= a- ");
	keyed_log_detach(&next);
	keyed_log_cut(&writer, committed);
	push("c", "3");
	assert_string_equal(read_all(&writer, writer.end), "a=1 long key= a- c=3 ");
}

static void test_folded(void **state)
{
	struct keyed_log next;
	uint64_t folded;

	(void)state;
	push("a", "1");
	keyed_log_reset(&writer);
	folded = writer.end;
	assert_string_equal(read_all(&writer, writer.end), "");
	push("b", "2");
	assert_int_equal(keyed_log_attach(&next, dup(memory), writer.end), 0);
	assert_int_equal(next.begin, folded);
	assert_string_equal(read_all(&next, next.end), "b=2 ");
	keyed_log_detach(&next);
}

static void test_grows_and_is_bounded(void **state)
{
	static char value[1 << 20];
	const struct keyed_change large = { .key = { "k", 1 }, .value = { value, sizeof(value) } };
	struct keyed_change written, found;
	struct keyed_log next;
	uint64_t position = 0;
	unsigned n = 0;
	int r;

	(void)state;
	push("first", "1");
	value[sizeof(value) - 1] = '!';
	while ((r = keyed_log_write(&writer, &large, &written)) == 0) {
		keyed_log_push(&writer, &written);
		n++;
	}
	assert_int_equal(r, KEYED_LOG_E_FULL);
	assert_int_equal(n, KEYED_LOG_SIZE_MAX / sizeof(value) - 1);
	assert_int_equal(keyed_log_attach(&next, dup(memory), writer.end), 0);
	assert_int_equal(keyed_log_next(&next, next.end, &position, &found), 0);
	assert_memory_equal(found.key.data, "first", 5);
	while ((r = keyed_log_next(&next, next.end, &position, &found)) == 0) {
		assert_memory_equal(found.value.data, value, sizeof(value));
		n--;
	}
	assert_int_equal(r, KEYED_LOG_E_NONE);
	assert_int_equal(n, 0);
	keyed_log_detach(&next);
}

/* Whatever a wild pointer has left there: an answer. */
static void test_broken(void **state)
{
	struct keyed_log next;

	(void)state;
	push("a", "1");
	assert_int_equal(keyed_log_attach(&next, dup(memory), UINT64_MAX), KEYED_LOG_E_BROKEN);
	keyed_log_detach(&next);
	assert_string_equal(read_all(&writer, writer.end - 1), "broken");
	for (size_t at = 0; at < 8; at++) {
		unsigned char *byte = writer.base + 64 + at, was = *byte;

		*byte = 0xff;
		assert_true(strcmp(read_all(&writer, writer.end), "a=1 ") != 0);
		*byte = was;
	}
	memset(writer.base, 0xff, 8);
	assert_int_equal(keyed_log_attach(&next, dup(memory), 16), KEYED_LOG_E_BROKEN);
	keyed_log_detach(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grows_and_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
