/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/sources/follow_table.h"

static int spool;

static int setup(void **state)
{
	(void)state;
	spool = memfd_create("spool", MFD_CLOEXEC);
	return spool < 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(spool);
}

static void put(struct follow_table *table, uint32_t file, uint64_t offset)
{
	const struct follow_spot spot = { .position = { .offset = offset, .line = offset / 2 }, .print = offset * 3 };

	follow_table_put(table, file, &spot);
}

static void assert_at(const struct follow_table *table, uint32_t file, uint64_t offset)
{
	assert_int_equal(follow_table_spot(table, file)->position.offset, offset);
	assert_int_equal(follow_table_spot(table, file)->position.line, offset / 2);
	assert_int_equal(follow_table_spot(table, file)->print, offset * 3);
}

/* The worker dies; the cursor says that turn `turn` is committed. */
static void again(struct follow_table *table, uint64_t turn)
{
	follow_table_close(table);
	assert_int_equal(follow_table_open(table, spool, turn), 0);
}

static void test_turns(void **state)
{
	struct follow_table table;
	uint32_t a, b;

	(void)state;
	assert_int_equal(follow_table_open(&table, spool, 0), 0);
	follow_table_turn(&table, 1);
	assert_int_equal(follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = 10 }, 100, &a), 0);
	assert_int_equal(follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = 11 }, 101, &b), 0);
	assert_at(&table, a, 0);
	put(&table, a, 10);
	put(&table, a, 20); /* twice in one turn */
	assert_at(&table, a, 20);
	again(&table, 0); /* it never happened */
	assert_at(&table, a, 0);
	assert_int_equal(table.entries[a].inode, 10); /* but the file is known */
	follow_table_turn(&table, 1);
	put(&table, a, 30);
	again(&table, 1);
	assert_at(&table, a, 30);
	follow_table_turn(&table, 2);
	put(&table, b, 40);
	follow_table_turn(&table, 3);
	put(&table, a, 50);
	put(&table, a, 60);
	again(&table, 2); /* turn 3 is gone, in whichever copy it was */
	assert_at(&table, a, 30);
	assert_at(&table, b, 40);
	/* what turn 3 has left behind must not count when there is another turn 3 that has nothing to do with it */
	follow_table_turn(&table, 3);
	put(&table, b, 70);
	again(&table, 3);
	assert_at(&table, a, 30);
	assert_at(&table, b, 70);
	follow_table_close(&table);
}

/* Random turns, half of which die: what counts is what was committed. */
static void test_random(void **state)
{
	enum { FILES = 600, TURNS = 3000 };
	struct follow_table table;
	uint64_t committed[FILES] = { 0 }, built[FILES], turn = 0;
	uint32_t file;

	(void)state;
	srand(1);
	assert_int_equal(follow_table_open(&table, spool, 0), 0);
	for (uint32_t i = 0; i < FILES; i++) {
		assert_int_equal(
			follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = i + 1 }, 0, &file), 0);
		assert_int_equal(file, i);
	}
	for (unsigned i = 0; i < TURNS; i++) {
		memcpy(built, committed, sizeof(built));
		follow_table_turn(&table, turn + 1);
		for (int n = rand() % 5; n >= 0; n--) {
			uint32_t one = (uint32_t)rand() % FILES;

			built[one] += (uint64_t)rand() % 100;
			put(&table, one, built[one]);
		}
		if (rand() % 2) {
			turn++;
			memcpy(committed, built, sizeof(built));
		} else {
			again(&table, turn);
		}
		for (uint32_t j = 0; j < FILES; j++)
			assert_at(&table, j, committed[j]);
	}
	follow_table_close(&table);
}

static void test_room(void **state)
{
	struct follow_table table;
	uint32_t file;

	(void)state;
	assert_int_equal(follow_table_open(&table, spool, 0), 0);
	for (uint32_t i = 0; i < FOLLOW_FILES_MAX; i++)
		assert_int_equal(
			follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = i + 1 }, 0, &file), 0);
	assert_int_equal(follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = 7 }, 0, &file), -ENOSPC);
	follow_table_turn(&table, 1);
	put(&table, 4711, 5);
	again(&table, 1);
	follow_table_remove(&table, 4711);
	assert_false(follow_table_is_used(&table, 4711));
	again(&table, 1);
	assert_int_equal(follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = 7 }, 0, &file), 0);
	assert_int_equal(file, 4711);
	assert_at(&table, file, 0);
	assert_int_equal(follow_table_add(&table, &(struct follow_look){ .device = 1, .inode = 7 }, 0, &file), -ENOSPC);
	follow_table_close(&table);
}

static void test_foreign(void **state)
{
	struct follow_table table;

	(void)state;
	assert_int_equal(pwrite(spool, "something else", 14, 0), 14);
	assert_int_equal(follow_table_open(&table, spool, 0), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
