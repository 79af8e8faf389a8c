/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "broker/supervise/stall_episode.h"

#define S UINT64_C(1000000000)

struct heard {
	unsigned n[3];
	enum stall_kind kind;
};

static void hear(void *data, enum stall_news news, const struct stall_episode *episode,
		 const struct stall_finding *finding)
{
	struct heard *heard = data;

	assert_true((news == STALL_ENDED) == !finding);
	heard->n[news]++;
	heard->kind = episode->kind;
}

static struct stall_episode episodes[STALL_FINDINGS_MAX];
static struct stall_history histories[4];
static const struct stall_finding stopped = { .kind = STALL_KIND_STOPPED, .culprit = 2 },
				  busy = { .kind = STALL_KIND_CALLBACK, .culprit = 2 };

static int reset(void **state)
{
	(void)state;
	memset(episodes, 0, sizeof(episodes));
	for (size_t i = 0; i < 4; i++)
		histories[i] = (struct stall_history){ .known = true, .generation = 1, .n_looks = 3 };
	return 0;
}

static struct heard at(uint64_t seconds, const struct stall_finding *finding)
{
	struct heard heard = { 0 };

	stall_episodes_update(episodes, histories, finding, finding != NULL, seconds * S, hear, &heard);
	return heard;
}

static void test_begin_and_end_are_told_once(void **state)
{
	(void)state;
	assert_int_equal(at(10, &stopped).n[STALL_BEGAN], 1);
	for (uint64_t second = 11; second < 60; second++) {
		struct heard heard = at(second, &stopped);

		assert_int_equal(heard.n[0] + heard.n[1] + heard.n[2], 0);
	}
	assert_int_equal(stall_episodes_open(episodes), 1);
	histories[2].n_looks = 0;
	assert_int_equal(at(60, NULL).n[STALL_ENDED], 1);
	assert_int_equal(stall_episodes_open(episodes), 0);
	assert_int_equal(at(61, NULL).n[STALL_ENDED], 0);
}

static void test_reminders_get_rarer(void **state)
{
	unsigned n = 0;

	(void)state;
	at(0, &stopped);
	for (uint64_t second = 1; second <= 86400; second++)
		n += at(second, &stopped).n[STALL_LASTS];
	assert_in_range(n, 24, 30); /* 1, 3, 7, 15, 31, 63 minutes, and then every hour */
}

/* A sleeper that was just looking round, or a snapshot taken in the middle of something. */
static void test_one_look_without_it_is_no_end(void **state)
{
	(void)state;
	at(10, &stopped);
	assert_int_equal(at(11, NULL).n[STALL_ENDED], 0);
	assert_int_equal(at(12, NULL).n[STALL_ENDED], 0);
	assert_int_equal(at(13, &stopped).n[STALL_BEGAN], 0);
	assert_int_equal(at(14, NULL).n[STALL_ENDED], 0);
	assert_int_equal(at(15, NULL).n[STALL_ENDED], 0);
	assert_int_equal(at(16, NULL).n[STALL_ENDED], 1);
}

static void test_a_replaced_worker_ends_it(void **state)
{
	(void)state;
	at(10, &stopped);
	histories[2].generation = 2;
	assert_int_equal(at(11, NULL).n[STALL_ENDED], 1);
}

static void test_another_reason_is_another_stall(void **state)
{
	struct heard heard;

	(void)state;
	at(10, &stopped);
	heard = at(11, &busy);
	assert_int_equal(heard.n[STALL_BEGAN], 1);
	assert_int_equal(heard.kind, STALL_KIND_CALLBACK);
	assert_int_equal(stall_episodes_open(episodes), 2);
}

static void test_no_more_than_there_is_room_for(void **state)
{
	struct stall_finding many[STALL_FINDINGS_MAX];
	struct stall_history more[2 * STALL_FINDINGS_MAX] = { 0 };
	struct heard heard = { 0 };

	(void)state;
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < STALL_FINDINGS_MAX; i++) {
			more[round * STALL_FINDINGS_MAX + i].n_looks = 3;
			many[i] = (struct stall_finding){ .kind = STALL_KIND_ABSENT,
							  .culprit = round * STALL_FINDINGS_MAX + i };
		}
		stall_episodes_update(episodes, more, many, STALL_FINDINGS_MAX, 10 * S, hear, &heard);
	}
	assert_int_equal(heard.n[STALL_BEGAN], STALL_FINDINGS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_begin_and_end_are_told_once, reset),
		cmocka_unit_test_setup(test_reminders_get_rarer, reset),
		cmocka_unit_test_setup(test_one_look_without_it_is_no_end, reset),
		cmocka_unit_test_setup(test_a_replaced_worker_ends_it, reset),
		cmocka_unit_test_setup(test_another_reason_is_another_stall, reset),
		cmocka_unit_test_setup(test_no_more_than_there_is_room_for, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
