/* SPDX-License-Identifier: Apache-2.0 */
/* Each item once: against a list of all that has passed, with kills, and with items of all sorts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "worker/builtin.h"

static void begin(struct fake_host *host, const char *key, uint64_t within_ns, uint64_t last, const char *without)
{
	fake_host_init(host, &dedupe_operator_callbacks);
	fake_host_option_string(host, "key", key);
	if (within_ns)
		fake_host_option_number(host, "within", (int64_t)within_ns);
	if (last)
		fake_host_option_number(host, "last", (int64_t)last);
	fake_host_option_string(host, "without", without);
	assert_int_equal(fake_host_open(host), 0);
}

/* An item at a time, in seconds from 1. Returns whether it has passed. */
static bool passes(struct fake_host *host, const char *text, uint64_t at_s)
{
	uint64_t before = fake_host_items(host);

	host->accepted_ns = at_s * NS_PER_S;
	assert_int_equal(fake_host_process_item(host, text, strlen(text)), WEIR_OK);
	return fake_host_items(host) > before;
}

static void test_time(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "item", 10 * NS_PER_S, 0, "pass");
	assert_true(passes(&host, "a", 100));
	assert_false(passes(&host, "a", 101));
	assert_true(passes(&host, "b", 105));
	assert_false(passes(&host, "a", 109));
	assert_true(passes(&host, "a", 110)); /* from the one that passed, not from its duplicates */
	assert_false(passes(&host, "b", 114));
	assert_false(passes(&host, "b", 100)); /* later than one that came from there already */
	assert_false(passes(&host, "a", 119));
	assert_true(passes(&host, "b", 119));
	assert_true(passes(&host, "a", 1000));
	fake_host_deinit(&host);
}

static void test_number(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, "item", 0, 2, "pass");
	assert_true(passes(&host, "a", 1));
	assert_true(passes(&host, "b", 1));
	assert_false(passes(&host, "a", 1));
	assert_true(passes(&host, "c", 1));
	assert_true(passes(&host, "a", 1)); /* b and c were the last two */
	assert_false(passes(&host, "c", 1));
	assert_true(passes(&host, "b", 1));
	assert_false(passes(&host, "a", 1));
	fake_host_deinit(&host);
}

static void test_kinds_of_keys(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, ".id", 0, 1000, "pass");
	assert_true(passes(&host, "{\"id\":1,\"n\":1}", 1));
	assert_false(passes(&host, "{\"n\":2, \"id\" : 1.0}", 1));
	assert_true(passes(&host, "{\"id\":\"1\"}", 1));
	assert_true(passes(&host, "{\"id\":{\"a\":1,\"b\":2}}", 1));
	assert_false(passes(&host, "{\"id\":{\"b\":2,\"a\":1}}", 1));
	assert_true(passes(&host, "{\"id\":null}", 1)); /* no key: each passes */
	assert_true(passes(&host, "{\"id\":null}", 1));
	assert_true(passes(&host, "no JSON", 1));
	assert_true(passes(&host, "no JSON", 1));
	/* What was decoded is the same as its text: {"id":"1"} and {"id":2} in msgpack. */
	assert_false(passes(&host,
			    "\x81\xa2id\xa1"
			    "1",
			    1));
	assert_true(passes(&host, "\x81\xa2id\x02", 1));
	assert_false(passes(&host, "{\"id\":2}", 1));
	fake_host_deinit(&host);
	begin(&host, "field(2)", 0, 1000, "drop");
	assert_true(passes(&host, "1 x", 1));
	assert_false(passes(&host, "2 x", 1));
	assert_true(passes(&host, "2 y", 1));
	assert_false(passes(&host, "2", 1));
	fake_host_deinit(&host);
}

/* Longer than a key of the state may be, alike at the front, and some of them with the same hash as others. */
static void test_long_keys(void **state)
{
	static char items[64][1200];
	struct fake_host host;

	(void)state;
	begin(&host, "item", 0, 40, "pass");
	for (unsigned i = 0; i < 64; i++) {
		memset(items[i], 'x', sizeof(items[i]) - 1);
		items[i][509 + i] = '\0'; /* 509 .. 572 bytes: across the bound of 510 */
		items[i][200] = (char)('0' + i / 8);
	}
	for (unsigned i = 0; i < 64; i++) {
		assert_true(passes(&host, items[i], 1));
		for (unsigned j = 0; j <= i && j < 40; j++)
			assert_false(passes(&host, items[i - j], 1));
	}
	assert_true(passes(&host, items[0], 1));
	fake_host_deinit(&host);
}

static void test_without_a_key(void **state)
{
	struct fake_host host;

	(void)state;
	begin(&host, ".id", 0, 10, "reject");
	assert_int_equal(fake_host_process_item(&host, "{}", 2), WEIR_REJECTED);
	assert_string_equal(host.reason, "it has no key (.id)");
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
	fake_host_init(&host, &dedupe_operator_callbacks);
	fake_host_option_string(&host, "key", ".id[");
	fake_host_option_string(&host, "without", "pass");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "key '.id[' "));
	fake_host_deinit(&host);
}

/* As much is remembered as there is room for, and no more is let through than is remembered. */
static void test_no_room(void **state)
{
	struct fake_host host;
	unsigned n = 0;
	char text[32];
	int r;

	(void)state;
	begin(&host, "item", 10 * NS_PER_S, 0, "pass");
	host.state_bytes = 64 << 10;
	host.accepted_ns = NS_PER_S;
	do {
		snprintf(text, sizeof(text), "item %u", n);
		r = fake_host_process_item(&host, text, strlen(text));
	} while (r == WEIR_OK && ++n);
	assert_int_equal(r, WEIR_REJECTED);
	assert_non_null(strstr(host.reason, "no room to remember its key"));
	assert_in_range(n, 500, 1000);
	assert_int_equal(fake_host_items(&host), n);
	assert_false(passes(&host, "item 0", 2));
	assert_true(host.entries.used_bytes <= host.state_bytes);
	assert_true(passes(&host, text, 11)); /* the first ones may be forgotten now */
	assert_true(passes(&host, "item 0", 11));
	fake_host_deinit(&host);
}

/* Memory stays what the window takes, also when keys come again and again. */
static void test_forgotten(void **state)
{
	struct fake_host host;
	char text[32];

	(void)state;
	begin(&host, "item", 0, 100, "pass");
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "%u", rand() % 150);
		passes(&host, text, 1);
		assert_true(host.entries.n <= 2 * 120);
	}
	fake_host_deinit(&host);
}

#define STREAM 6000u
#define KEYS 40u
#define WITHIN_S 7u
#define LAST 25u

/* The answer by looking at all that has passed before. */
static bool passes_by_definition(const unsigned *passed, const uint64_t *times, unsigned n_passed, unsigned key,
				 uint64_t now_s, bool by_time, bool by_number)
{
	for (unsigned i = 0; i < n_passed; i++)
		if (passed[i] == key && (!by_time || now_s - times[i] < WITHIN_S) &&
		    (!by_number || n_passed - i <= LAST))
			return false;
	return true;
}

static void test_exact_through_kills(void **state)
{
	static unsigned passed[STREAM];
	static uint64_t times[STREAM];

	(void)state;
	srand(7);
	for (unsigned which = 1; which < 4; which++) {
		struct fake_host host;
		unsigned n_passed = 0, keys[8];
		uint64_t clock_s = 1, at[8];

		begin(&host, "item", which & 1 ? WITHIN_S * NS_PER_S : 0, which & 2 ? LAST : 0, "pass");
		for (unsigned turn = 0; turn < STREAM / 8; turn++) {
			bool dies = rand() % 4 == 0;

			for (unsigned i = 0; i < 8; i++) {
				keys[i] = (unsigned)rand() % KEYS;
				at[i] = 2 + turn / 4 - (unsigned)(rand() % 3 == 0); /* some are late */
			}
			for (unsigned again = 0; again < 1u + dies; again++) {
				unsigned n = n_passed;
				uint64_t now_s = clock_s;

				for (unsigned i = 0; i < 8; i++) {
					char text[16];
					bool wanted;

					now_s = at[i] > now_s ? at[i] : now_s;
					snprintf(text, sizeof(text), "key %u", keys[i]);
					wanted = passes_by_definition(passed, times, n, keys[i], now_s, which & 1,
								      which & 2);
					assert_int_equal(passes(&host, text, at[i]), wanted);
					passed[n] = keys[i];
					times[n] = now_s;
					n += wanted;
				}
				if (again < dies) {
					fake_host_kill(&host);
					assert_int_equal(fake_host_open(&host), 0);
					continue;
				}
				fake_host_commit(&host);
				n_passed = n;
				clock_s = now_s > clock_s ? now_s : clock_s;
			}
		}
		assert_true(n_passed > 200);
		fake_host_deinit(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),          cmocka_unit_test(test_number),
		cmocka_unit_test(test_kinds_of_keys), cmocka_unit_test(test_long_keys),
		cmocka_unit_test(test_without_a_key), cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_forgotten),     cmocka_unit_test(test_exact_through_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
