/* SPDX-License-Identifier: Apache-2.0 */
/* Which items wait, which the program has, and whom to blame when it is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/exec/frame_talk.h"

#define TOKEN(i_) (1000u + (i_))

static void fill(struct talk *talk, uint32_t in_flight)
{
	assert_int_equal(talk_init(talk, in_flight, 3), 0);
	for (uint32_t i = 0; i < in_flight; i++)
		talk_add(talk, TOKEN(i));
}

/* Sends what may be sent; returns how many those were. */
static uint32_t send_all(struct talk *talk)
{
	struct talk_item *item;
	uint32_t n = 0;

	for (; (item = talk_next(talk)); n++)
		talk_send(talk, item, 100 + n);
	return n;
}

/* The tokens of a list are first, first + 1 ... */
static void assert_list(const struct talk *talk, const struct talk_list *list, uint32_t first, uint32_t n)
{
	const struct talk_item *item = talk_first(talk, list);

	assert_int_equal(list->n, n);
	for (uint32_t i = 0; i < n; i++, item = talk_younger(talk, item)) {
		assert_non_null(item);
		assert_int_equal(item->token, TOKEN(first + i));
	}
	assert_null(item);
}

static void test_an_id_is_good_once(void **state)
{
	struct talk talk;
	struct talk_item *item;
	uint64_t id;

	(void)state;
	fill(&talk, 2);
	assert_int_equal(send_all(&talk), 2);
	item = talk_first(&talk, &talk.sent);
	id = item->id;
	assert_ptr_equal(talk_find(&talk, id), item);
	assert_null(talk_find(&talk, id + 8192)); /* another use of the same entry */
	assert_null(talk_find(&talk, 4711));
	assert_null(talk_find(&talk, UINT64_MAX));
	talk_end(&talk, item);
	assert_null(talk_find(&talk, id));
	assert_ptr_equal(talk_add(&talk, TOKEN(7)), item); /* the entry again, under another id */
	assert_null(talk_find(&talk, id));
	assert_int_equal(send_all(&talk), 1);
	assert_null(talk_find(&talk, id));
	assert_ptr_equal(talk_find(&talk, id + 8192), item);
	talk_deinit(&talk);
}

static void test_no_more_than_the_program_wants(void **state)
{
	struct talk talk;

	(void)state;
	fill(&talk, 8);
	talk_set_at_once(&talk, 3);
	assert_int_equal(send_all(&talk), 3);
	talk_set_at_once(&talk, 100); /* more than in_flight is in_flight */
	assert_int_equal(talk.at_once, 8);
	assert_true(talk_forsake(&talk, talk_first(&talk, &talk.sent)));
	assert_int_equal(talk.n_gone, 1);
	assert_int_equal(send_all(&talk), 5);
	talk_add(&talk, TOKEN(8));            /* the runtime may give another one */
	assert_int_equal(send_all(&talk), 0); /* but the program still works on the one that is gone */
	talk_deinit(&talk);
}

static void test_narrows_until_one_is_alone(void **state)
{
	static const uint32_t widths[] = { 64, 8, 1, 1, 1 };
	struct talk talk;

	(void)state;
	fill(&talk, 64);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(send_all(&talk), widths[i]);
		assert_list(&talk, &talk.sent, 0, widths[i]);
		assert_int_equal(talk_first(&talk, &talk.sent)->n_attempts, i < 3 ? 0 : i - 2);
		assert_int_equal(talk_lost(&talk, true), widths[i]);
		assert_list(&talk, &talk.queue, 0, 64); /* in their order, nobody missing */
	}
	assert_int_equal(talk_first(&talk, &talk.queue)->n_attempts, 3);
	for (const struct talk_item *item = talk_younger(&talk, talk_first(&talk, &talk.queue)); item;
	     item = talk_younger(&talk, item))
		assert_int_equal(item->n_attempts, 0);
	/* the guilty one is given up; the others go one by one while they are in doubt, then all at once */
	talk_end(&talk, talk_first(&talk, &talk.queue));
	for (uint32_t i = 1; i < 64; i++) {
		assert_int_equal(send_all(&talk), 1);
		talk_end(&talk, talk_first(&talk, &talk.sent));
	}
	assert_int_equal(talk.n_doubtful, 0);
	for (uint32_t i = 0; i < 64; i++)
		talk_add(&talk, TOKEN(i));
	assert_int_equal(send_all(&talk), 64);
	talk_deinit(&talk);
}

static void test_nobody_is_blamed_for_a_deadline(void **state)
{
	struct talk talk;
	struct talk_item *item;

	(void)state;
	fill(&talk, 16);
	assert_int_equal(send_all(&talk), 16);
	item = talk_younger(&talk, talk_first(&talk, &talk.sent));
	item->n_attempts = item->n_overruns = 1;
	assert_int_equal(talk_lost(&talk, false), 16);
	assert_int_equal(talk.n_doubtful, 0);
	assert_list(&talk, &talk.queue, 0, 16);
	assert_int_equal(send_all(&talk), 16); /* as many as before */
	assert_int_equal(item->n_attempts, 1);
	talk_deinit(&talk);
}

static void test_retry_goes_behind_the_others(void **state)
{
	struct talk talk;
	struct talk_item *item;

	(void)state;
	fill(&talk, 4);
	talk_set_at_once(&talk, 1);
	assert_int_equal(send_all(&talk), 1);
	item = talk_first(&talk, &talk.sent);
	assert_false(talk_retry(&talk, item, false));
	assert_ptr_not_equal(talk_first(&talk, &talk.queue), item);
	for (uint32_t i = 0; i < 3; i++) { /* the three others first */
		assert_int_equal(send_all(&talk), 1);
		assert_ptr_not_equal(talk_first(&talk, &talk.sent), item);
		talk_end(&talk, talk_first(&talk, &talk.sent));
	}
	assert_int_equal(send_all(&talk), 1);
	assert_false(talk_retry(&talk, item, true));
	assert_int_equal(send_all(&talk), 1);
	assert_true(talk_retry(&talk, item, true)); /* the third of three */
	talk_deinit(&talk);
}

static void test_who_is_gone_is_deaf_at_last(void **state)
{
	struct talk talk;

	(void)state;
	fill(&talk, 3);
	assert_int_equal(send_all(&talk), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(talk_is_deaf(&talk));
		assert_true(talk_forsake(&talk, talk_first(&talk, &talk.sent)));
	}
	assert_true(talk_is_deaf(&talk));
	for (uint32_t i = 0; i < 3; i++)
		talk_add(&talk, TOKEN(i)); /* there is room all the same */
	assert_int_equal(talk_lost(&talk, true), 0);
	assert_int_equal(talk.n_gone, 0);
	assert_int_equal(talk.n_doubtful, 0);
	assert_int_equal(send_all(&talk), 3);
	assert_false(talk_forsake(&talk, talk_add(&talk, TOKEN(9)))); /* it was never sent */
	talk_deinit(&talk);
}

static void test_when_something_is_due(void **state)
{
	struct talk talk;

	(void)state;
	fill(&talk, 3);
	assert_int_equal(talk_due_ns(&talk, 1000, 50), UINT64_MAX);
	assert_int_equal(send_all(&talk), 3); /* at 100, 101, 102 */
	assert_int_equal(talk_due_ns(&talk, 1000, 50), 1100);
	talk_first(&talk, &talk.sent)->cancelled_ns = 1100;
	assert_int_equal(talk_due_ns(&talk, 1000, 50), 1101); /* the next one's deadline */
	assert_int_equal(talk_due_ns(&talk, 5000, 50), 1150); /* the first one's grace */
	talk_deinit(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_id_is_good_once),
		cmocka_unit_test(test_no_more_than_the_program_wants),
		cmocka_unit_test(test_narrows_until_one_is_alone),
		cmocka_unit_test(test_nobody_is_blamed_for_a_deadline),
		cmocka_unit_test(test_retry_goes_behind_the_others),
		cmocka_unit_test(test_who_is_gone_is_deaf_at_last),
		cmocka_unit_test(test_when_something_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
