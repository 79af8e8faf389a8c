/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/memory/board.h"
#include "common/memory/memfd.h"
#include "common/memory/segment.h"

static void test_worker_sees_what_the_supervisor_writes(void **state)
{
	struct board *board;
	const struct board *view;
	int fd, reader;

	(void)state;
	assert_int_equal(board_create(3, &board, &fd), 0);
	assert_int_equal(memfd_reopen_read_only(fd, &reader), 0);
	assert_int_equal(board_attach(reader, 3, &view), 0);
	assert_int_equal(board_order_of(view, 2), BOARD_HOLD);
	store_release(&board->order, BOARD_RUN);
	assert_int_equal(board_order_of(view, 2), BOARD_RUN);
	store_release(&board->slots[1].order, BOARD_CANCEL);
	assert_int_equal(board_order_of(view, 1), BOARD_CANCEL);
	assert_int_equal(board_order_of(view, 2), BOARD_RUN);
	store_release(&board->order, BOARD_DRAIN);
	assert_int_equal(board_order_of(view, 1), BOARD_CANCEL);
	assert_int_equal(board_order_of(view, 0), BOARD_DRAIN);
	assert_int_equal(mprotect((void *)(uintptr_t)view, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	board_detach(view);
	board_detach(board);
	board_detach(NULL);
	close(reader);
	close(fd);
}

static void test_sizes(void **state)
{
	struct board *board;
	const struct board *view;
	int fd;

	(void)state;
	assert_int_equal(board_create(0, &board, &fd), -EINVAL);
	assert_int_equal(board_create(BOARD_SLOTS_MAX + 1, &board, &fd), -EINVAL);
	assert_int_equal(board_create(BOARD_SLOTS_MAX, &board, &fd), 0);
	board->slots[BOARD_SLOTS_MAX - 1].generation = 5;
	assert_int_equal(board_attach(fd, BOARD_SLOTS_MAX, &view), 0);
	assert_int_equal(view->slots[BOARD_SLOTS_MAX - 1].generation, 5);
	board_detach(view);
	board_detach(board);
	close(fd);
}

static void test_foreign_memory_is_refused(void **state)
{
	struct board *board;
	const struct board *view;
	int fd;

	(void)state;
	assert_int_equal(board_create(2, &board, &fd), 0);
	assert_int_equal(board_attach(fd, 3, &view), BOARD_E_FOREIGN); /* same size in pages, other number */
	assert_int_equal(board_attach(fd, 1000, &view), BOARD_E_FOREIGN);
	assert_int_equal(board_attach(fd, 0, &view), BOARD_E_FOREIGN);
	board->layout_version++;
	assert_int_equal(board_attach(fd, 2, &view), BOARD_E_FOREIGN);
	board_detach(board);
	close(fd);
	assert_int_equal(memfd_new_fixed("weir-blank", 4096, &fd), 0);
	assert_int_equal(board_attach(fd, 2, &view), BOARD_E_FOREIGN);
	close(fd);
	assert_int_equal(board_attach(-1, 2, &view), BOARD_E_FOREIGN);
}

static void test_the_next_supervisor_writes_where_the_last_one_did(void **state)
{
	struct board *board, *adopted;
	int fd;

	(void)state;
	assert_int_equal(board_create(3, &board, &fd), 0);
	board->slots[1].suspect_attempts = 2;
	assert_int_equal(board_adopt(fd, 4, &adopted), BOARD_E_FOREIGN);
	assert_int_equal(board_adopt(fd, 3, &adopted), 0);
	assert_int_equal(adopted->slots[1].suspect_attempts, 2);
	store_release(&adopted->order, BOARD_DRAIN);
	assert_int_equal(board_order_of(board, 0), BOARD_DRAIN);
	board_detach(adopted);
	board->layout_version++;
	assert_int_equal(board_adopt(fd, 3, &adopted), BOARD_E_FOREIGN);
	board_detach(board);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker_sees_what_the_supervisor_writes),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_foreign_memory_is_refused),
		cmocka_unit_test(test_the_next_supervisor_writes_where_the_last_one_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
