/* SPDX-License-Identifier: Apache-2.0 */
/* What a gather keeps of items: as many as have a place, those that run ahead of their copies, and those whose copy may still come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/unit/worker/operators/gathers.h"
#include "worker/operators/joins.h"
#include "worker/operators/mark.h"

static void test_bound(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 1, "3"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	assert_int_equal(gather_answer(&host, 3, 2, "3"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 3);
	/* 3 is closed until its copy comes. */
	assert_int_equal(host.entries.n, 1);
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_OK);
	assert_int_equal(host.entries.n, 0);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 5, 0, "5"), WEIR_HELD);
	for (uint64_t i = 6; i < 8; i++) {
		gather_set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
		assert_int_equal(host.entries.n, i == 6 ? 6 : 8);
	}
	fake_host_deinit(&host);
}

/* Whose time is over while its copy waits for a place has had its result, whatever comes in between. */
static void test_over_while_the_copy_waits(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 3, 1, "a"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 1, "a"), WEIR_HELD);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 4);
	for (uint64_t i = 5; i < 50; i++) {
		gather_set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "a", 1), WEIR_HELD);
	}
	assert_int_equal(gather_answer(&host, 3, 0, "3"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_OK);
	gather_pass_time(&host, 0);
	assert_int_equal(fake_host_items(&host), 4);
	fake_host_deinit(&host);
}

/* Branches answer in any order, and far ahead of the copies that wait for a place: these have it as soon as others are whole. */
static void test_branches_run_ahead(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD);
	for (uint64_t i = 200; i > 2; i--) {
		assert_int_equal(gather_answer(&host, i, 1, "a"), WEIR_HELD);
		assert_int_equal(gather_answer(&host, i, 2, "b"), WEIR_HELD);
	}
	assert_int_equal(gather_answer(&host, 1, 1, "a"), WEIR_HELD);
	fake_host_turn_end(&host);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 201, 0, "201"), WEIR_WAIT);
	for (uint64_t i = 3; i <= 200; i++)
		assert_int_equal(gather_answer(&host, i, 0, "1"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 1, 2, "b"), WEIR_OK);
	assert_int_equal(fake_host_items(&host), 199);
	assert_int_equal(gather_answer(&host, 201, 0, "201"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 202, 1, "202"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 202, 0, "202"), WEIR_WAIT);
	fake_host_deinit(&host);
	/* Where nobody brings the item itself each first answer takes a place. */
	gather_begin(&host, "emit", "drop", 2);
	host.input_names[0] = "c";
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 1, 0, "1"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 1, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 3, 2, "3"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 2, 2, "2"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_OK);
	assert_int_equal(gather_answer(&host, 3, 2, "3"), WEIR_HELD);
	fake_host_deinit(&host);
}

/* Copies that are dropped on the way: their items have results in time, answers beyond the bound wait, and whoever has a join goes on. */
static void test_copies_that_never_come(void **state)
{
	struct fake_host host;

	(void)state;
	joins_n_ahead_max = 3;
	gather_begin(&host, "emit", "reject", 2);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(gather_answer(&host, i, 1, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 1, "x"), WEIR_WAIT);
	assert_true(host.postponed_ns > host.now_ns);
	assert_int_equal(gather_answer(&host, 1, 2, "y"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 0, "4"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 4, 1, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 5, 2, "x"), WEIR_WAIT);
	assert_int_equal(gather_answer(&host, 2, 0, "2"), WEIR_HELD); /* it is not ahead any more */
	assert_int_equal(gather_answer(&host, 5, 2, "x"), WEIR_HELD);
	assert_int_equal(gather_answer(&host, 6, 2, "x"), WEIR_WAIT);
	fake_host_turn_end(&host);
	fake_host_kill(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(gather_answer(&host, 6, 2, "x"), WEIR_WAIT);
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 5);
	for (uint64_t i = 7; i <= 9; i++) {
		gather_set_mark(&host, i, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
	}
	fake_host_deinit(&host);
	joins_n_ahead_max = 65536;
}

/* Items 1 to n, each answered by one branch alone, have their results. */
static void end_without_copies(struct fake_host *host, uint64_t n)
{
	for (uint64_t i = 1; i <= n; i++) {
		gather_set_mark(host, i, host->now_ns);
		host->input = 1;
		assert_int_equal(fake_host_process_item(host, "x", 1), WEIR_HELD);
		fake_host_turn_end(host);
		gather_pass_time(host, 1);
	}
	gather_pass_time(host, 100);
	assert_int_equal(fake_host_items(host), n);
}

/* Another worker of scatter began later. */
static int answer_of(struct fake_host *host, uint32_t worker, uint64_t number, uint32_t input, const char *text)
{
	const struct mark mark = { .run = 1,
				   .number = number,
				   .stamp_ns = START_NS + (number + worker / 16 - 1) * NS_PER_MS,
				   .worker = worker };

	memcpy(host->pair, &mark, sizeof(mark));
	host->input = input;
	return fake_host_process_item(host, text, strlen(text));
}

/* Copies come in order: those of lower numbers that have not come are not waited for; also by whoever comes after a kill. */
static void test_the_passed_are_forgotten(void **state)
{
	struct fake_host host;

	(void)state;
	for (int kill = 0; kill < 2; kill++) {
		gather_begin(&host, "emit", "reject", 1000);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(answer_of(&host, 4095, 1, 1, "x"), WEIR_HELD);
		end_without_copies(&host, 200);
		assert_int_equal(host.entries.n, 202);
		if (kill) {
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
		}
		assert_int_equal(answer_of(&host, 0, 150, 0, "150"), WEIR_REJECTED); /* and changes nothing */
		assert_int_equal(host.entries.n, 202);
		for (unsigned turn = 0; turn < 3; turn++)
			gather_pass_time(&host, 0);
		assert_int_equal(host.entries.n, 202 - 149);
		for (uint64_t i = 150; i <= 200; i++)
			assert_int_equal(answer_of(&host, 0, i, 0, "copy"), WEIR_REJECTED);
		/* Whose copy went by before an answer came ends at once, too. */
		gather_set_mark(&host, 100, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
		assert_int_equal(answer_of(&host, 4095, 150, 1, "x"), WEIR_HELD);
		gather_pass_time(&host, 205);
		/* But none of another worker of scatter, which there may be. */
		assert_int_equal(host.entries.n, 3);
		assert_int_equal(answer_of(&host, 4095, 1, 0, "1"), WEIR_REJECTED);
		assert_int_equal(answer_of(&host, 4095, 150, 0, "150"), WEIR_REJECTED);
		gather_pass_time(&host, 0);
		assert_int_equal(host.entries.n, 2);
		assert_int_equal(fake_host_items(&host), 203);
		assert_int_equal(answer_of(&host, 4096, 1, 0, "1"), WEIR_REJECTED);
		assert_non_null(strstr(host.reason, "has no mark of scatter"));
		fake_host_deinit(&host);
	}
}

/* A copy that comes when another answer had ended the item leaves the list wherever it is in it: they do not end in order. */
static void test_copies_come_in_another_order(void **state)
{
	struct fake_host host;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 0; i < 97; i++) {
		gather_set_mark(&host, 1 + i * 35 % 97, host.now_ns);
		host.input = 1;
		assert_int_equal(fake_host_process_item(&host, "x", 1), WEIR_HELD);
		gather_pass_time(&host, 1);
	}
	gather_pass_time(&host, 100);
	assert_int_equal(fake_host_items(&host), 97);
	assert_int_equal(host.entries.n, 97);
	for (uint64_t number = 1; number <= 97; number++) {
		uint64_t i = 0;

		while (1 + i * 35 % 97 != number)
			i++;
		gather_set_mark(&host, number, START_NS + i * NS_PER_MS);
		host.input = 0;
		assert_int_equal(fake_host_process_item(&host, "copy", 4), WEIR_OK);
		gather_pass_time(&host, 0);
		assert_int_equal(host.entries.n, 97 - number);
	}
	assert_int_equal(fake_host_items(&host), 97);
	fake_host_deinit(&host);
}

/* Answers that are kept fill the state, others have ended: their copies come as late as they will, and nobody has two results. */
static void test_who_has_ended_is_known_however_full_it_is(void **state)
{
	char large[1024];
	struct fake_host host;
	uint64_t n_large = 0;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	gather_begin(&host, "emit", "drop", 2);
	host.state_bytes = 32768;
	assert_int_equal(fake_host_open(&host), 0);
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(gather_answer(&host, i, 1, "x"), WEIR_HELD);
	host.now_ns += 50 * NS_PER_MS;
	do {
		gather_set_mark(&host, 100 + n_large, host.now_ns);
		host.input = 1;
		n_large++;
	} while (fake_host_process_item(&host, large, sizeof(large)) == WEIR_HELD);
	assert_string_equal(host.reason, "no room to keep it until the others have answered: more than state: allows");
	gather_pass_time(&host, 50);
	assert_int_equal(fake_host_items(&host), 20);
	assert_true(host.entries.used_bytes > host.state_bytes / 8 * 7);
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(gather_answer(&host, i, 0, "copy"), WEIR_OK);
	gather_pass_time(&host, 200);
	assert_int_equal(fake_host_items(&host), 20 + n_large - 1);
	fake_host_deinit(&host);
}

/* Those whose copies were refused for want of room give theirs back, though each copy that comes is refused. */
static void test_refused_copies_free_the_state(void **state)
{
	char large[4096] = "";
	uint64_t number = 0;
	struct fake_host host;
	int r;

	(void)state;
	gather_begin(&host, "emit", "drop", 2);
	host.state_bytes = 4096;
	assert_int_equal(fake_host_open(&host), 0);
	do {
		gather_set_mark(&host, ++number, host.now_ns);
		host.input = 1;
		r = fake_host_process_item(&host, "x", 1);
		gather_pass_time(&host, 100);
	} while (r == WEIR_HELD);
	assert_int_equal(r, WEIR_REJECTED);
	assert_int_equal(fake_host_items(&host), number - 1);
	assert_int_equal(host.entries.n, number - 1);
	gather_set_mark(&host, ++number, host.now_ns);
	host.input = 0;
	assert_int_equal(fake_host_process_item(&host, large, sizeof(large)), WEIR_REJECTED);
	gather_pass_time(&host, 0);
	assert_int_equal(host.entries.n, 0);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_over_while_the_copy_waits),
		cmocka_unit_test(test_branches_run_ahead),
		cmocka_unit_test(test_copies_that_never_come),
		cmocka_unit_test(test_the_passed_are_forgotten),
		cmocka_unit_test(test_copies_come_in_another_order),
		cmocka_unit_test(test_who_has_ended_is_known_however_full_it_is),
		cmocka_unit_test(test_refused_copies_free_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
