/* SPDX-License-Identifier: Apache-2.0 */
/* A source's worker that comes after a kill, and a drain. */
#include "tests/unit/worker/zmq/asked.h"

static void replace_the_source(void)
{
	fake_host_close(&source);
	source.generation = 1;
	assert_int_equal(fake_host_open(&source), 0);
}

static void end_the_sink(void)
{
	assert_int_equal(fake_host_finish(&sink), 0);
	fake_host_commit(&sink);
	fake_host_close(&sink);
}

/* What a sink has for clients of the worker before is heard: else it says it again until they would have waited no more; a drain waits. */
static void test_a_new_worker_hears_the_sinks(void **state)
{
	(void)state;
	begin();
	ask("before");
	hand_over();
	replace_the_source();
	source.draining = true;
	for (unsigned i = 0; i < 20; i++)
		assert_int_not_equal(drain_turn(), WEIR_CLOSED);
	assert_int_equal(reply("to before"), 0);
	end_the_sink();
	assert_int_equal(drain_until(WEIR_CLOSED), WEIR_CLOSED);
	end();
}

/* That one sink has ended does not say that all have, where not all were heard of: the reply may come from another. */
static void test_a_new_worker_waits_for_its_own_replies(void **state)
{
	void *peer;

	(void)state;
	begin_with(5 * SOON_NS, 100);
	ask("before");
	replace_the_source();
	peer = ask("after");
	end_the_sink();
	source.draining = true;
	assert_int_equal(drain_until(WEIR_CLOSED), WEIR_CLOSED);
	hears_fault(peer, "late"); /* and not "ended", before its time */
	end();
}

/* Sinks that had ended before it came do not say so again: who hears of none, and has nobody who waits, does not wait for `within`. */
static void test_a_new_worker_waits_for_nobody(void **state)
{
	void *peer;

	(void)state;
	begin();
	peer = ask("before");
	hand_over();
	assert_int_equal(reply("to before"), 0);
	hears(peer, "to before");
	end_the_sink();
	replace_the_source();
	source.now_ns = clock_now_ns();
	source.draining = true;
	for (unsigned i = 0; i < 20; i++)
		assert_int_not_equal(drain_turn(), WEIR_CLOSED);
	assert_in_range(source.watch_wake_ns, source.now_ns + NS_PER_S, source.now_ns + LONG_NS / 10);
	/* A drain that is taken back does not count. */
	source.draining = false;
	turn_of_source();
	source.now_ns += LONG_NS / 10;
	source.draining = true;
	assert_int_not_equal(drain_turn(), WEIR_CLOSED);
	source.now_ns += LONG_NS / 10;
	assert_int_equal(drain_turn(), WEIR_CLOSED);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_worker_hears_the_sinks),
		cmocka_unit_test(test_a_new_worker_waits_for_its_own_replies),
		cmocka_unit_test(test_a_new_worker_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
