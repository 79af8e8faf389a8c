/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memory/board.h"
#include "common/memory/scope_table.h"

static struct board *board;

static int setup(void **state)
{
	int fd;

	(void)state;
	if (board_create(3, &board, &fd))
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	board_detach(board);
	return 0;
}

static uint32_t add(uint64_t id, uint32_t cause)
{
	uint32_t place;

	assert_int_equal(scope_table_add(board, id, cause, &place), 0);
	assert_in_range(place, 0, SCOPES_PLACES - 1);
	return place;
}

static void test_the_first_cause_stays(void **state)
{
	uint32_t place, again;

	(void)state;
	assert_int_equal(scope_table_find(board, 4711), 0);
	assert_int_equal(load_relaxed(&board->scopes_epoch), 0);
	place = add(4711, 3);
	assert_int_equal(load_relaxed(&board->scopes_epoch), 1);
	assert_int_equal(load_relaxed(&board->n_scopes), 1);
	assert_int_equal(scope_table_find(board, 4711), 3);
	assert_int_equal(scope_table_find(board, 4712), 0);
	assert_int_equal(scope_table_find(board, UINT64_MAX), 0);
	assert_int_equal(scope_table_add(board, 4711, 5, &again), SCOPE_TABLE_E_ALREADY);
	assert_int_equal(again, place);
	assert_int_equal(scope_table_find(board, 4711), 3);
	assert_int_equal(load_relaxed(&board->scopes_epoch), 1);
	scope_table_remove(board, place);
	assert_int_equal(scope_table_find(board, 4711), 0);
	assert_int_equal(load_relaxed(&board->n_scopes), 0);
	assert_int_equal(load_relaxed(&board->scopes_epoch), 1);
	add(4711, 5);
	assert_int_equal(scope_table_find(board, 4711), 5);
	assert_int_equal(load_relaxed(&board->scopes_epoch), 2);
}

static void test_a_full_table_refuses(void **state)
{
	static uint32_t places[SCOPES_MAX];
	uint32_t place;

	(void)state;
	for (uint64_t i = 0; i < SCOPES_MAX; i++)
		places[i] = add(i + 1, 1);
	assert_int_equal(scope_table_add(board, 1000000, 1, &place), SCOPE_TABLE_E_FULL);
	assert_int_equal(scope_table_add(board, 7, 1, &place), SCOPE_TABLE_E_ALREADY);
	assert_int_equal(scope_table_find(board, 1000000), 0);
	for (uint64_t i = 0; i < SCOPES_MAX; i++)
		assert_int_equal(scope_table_find(board, i + 1), 1);
	scope_table_remove(board, places[41]);
	add(1000000, 2);
	assert_int_equal(scope_table_find(board, 1000000), 2);
	assert_int_equal(scope_table_find(board, 42), 0);
}

/* Against a plain list: ids come and go at random, and chains stay whole and short. */
static void test_ids_come_and_go(void **state)
{
	enum { N = 5000, ROUNDS = 200000 };
	static uint32_t place_of[N], cause_of[N];
	uint32_t n = 0, n_free = 0;

	(void)state;
	srand(4711);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t id = (uint32_t)rand() % N;

		if (cause_of[id]) {
			scope_table_remove(board, place_of[id]);
			cause_of[id] = 0;
			n--;
		} else if (n < SCOPES_MAX) {
			cause_of[id] = 1 + (uint32_t)rand() % 10;
			place_of[id] = add(UINT64_C(1000003) * (id + 1), cause_of[id]);
			n++;
		}
		id = (uint32_t)rand() % N;
		assert_int_equal(scope_table_find(board, UINT64_C(1000003) * (id + 1)), cause_of[id]);
	}
	for (uint32_t id = 0; id < N; id++) {
		assert_int_equal(scope_table_find(board, UINT64_C(1000003) * (id + 1)), cause_of[id]);
		if (cause_of[id])
			scope_table_remove(board, place_of[id]);
	}
	/* nothing is left of them, whatever order they went in: chains are taken back from their ends */
	for (uint32_t i = 0; i < SCOPES_PLACES; i++)
		n_free += load_relaxed(&board_scopes(board)[i].id) == 0;
	assert_in_range(n_free, SCOPES_PLACES / 2, SCOPES_PLACES);
	assert_int_equal(load_relaxed(&board->n_scopes), 0);
}

/* ---- one writes, another looks ---- */

#define STAYS UINT64_C(77)
static atomic_u32 over;

struct looks {
	unsigned long n, n_bad;
};

static void *look(void *data)
{
	struct looks *looks = data;

	do {
		/* cancelled with cause 7 all the time, and never with one of those that share its chain */
		looks->n_bad += scope_table_find(board, STAYS) != 7;
		/* never cancelled, though its place changes hands */
		looks->n_bad += scope_table_find(board, 1000001) != 0;
		looks->n++;
	} while (!load_acquire(&over));
	return NULL;
}

static void test_who_looks_finds_no_stranger(void **state)
{
	struct looks looks = { 0 };
	pthread_t thread;

	(void)state;
	add(STAYS, 7);
	assert_int_equal(pthread_create(&thread, NULL, look, &looks), 0);
	for (uint64_t round = 0; round < 40; round++) {
		uint32_t places[1000];

		for (uint64_t i = 0; i < 1000; i++)
			places[i] = add(1000002 + round * 7919 + i, 1 + (uint32_t)(i % 6));
		for (uint64_t i = 0; i < 1000; i++)
			scope_table_remove(board, places[(i * 389) % 1000]);
	}
	store_release(&over, 1);
	pthread_join(thread, NULL);
	assert_true(looks.n > 0);
	assert_int_equal(looks.n_bad, 0);
}

int main(void)
{
#define TEST(f_) cmocka_unit_test_setup_teardown(f_, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_cause_stays),
		TEST(test_a_full_table_refuses),
		TEST(test_ids_come_and_go),
		TEST(test_who_looks_finds_no_stranger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
