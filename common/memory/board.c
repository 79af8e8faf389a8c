/* SPDX-License-Identifier: Apache-2.0 */
/* The board: one memfd that only the supervisor maps writable. It says what is to be done; messages say who and why. */
#include "common/memory/board.h"

#include <errno.h>
#include <sys/mman.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/memory/memfd.h"

#define BOARD_PAGE_SIZE 4096u

size_t board_size(uint32_t n_slots)
{
	size_t size_bytes = sizeof(struct board) + n_slots * sizeof(struct board_slot) +
			    SCOPES_PLACES * sizeof(struct board_scope) + RECORDER_SIZE(RECORDER_BOARD_EVENTS);

	return (size_bytes + BOARD_PAGE_SIZE - 1) / BOARD_PAGE_SIZE * BOARD_PAGE_SIZE;
}

int board_create(uint32_t n_slots, struct board **ret_board, int *ret_fd)
{
	_cleanup_(close) int fd = -1;
	struct board *board;
	int r;

	if (!n_slots || n_slots > BOARD_SLOTS_MAX)
		return error_origin(-EINVAL);
	r = memfd_new_fixed("weir-board", board_size(n_slots), &fd);
	if (r)
		return error_trace(r);
	board = mmap(NULL, board_size(n_slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED)
		return error_origin(-errno);
	if (madvise(board, board_size(n_slots), MADV_DONTFORK)) {
		r = error_origin(-errno);
		munmap(board, board_size(n_slots));
		return r;
	}
	/* complete before the first worker exists: the fd is handed over by spawning, which orders it */
	board->magic = BOARD_MAGIC;
	board->layout_version = BOARD_LAYOUT_VERSION;
	board->n_slots = n_slots;
	*ret_board = board;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int map_checked(int fd, uint32_t n_slots, int protection, struct board **ret_board)
{
	struct board *board;

	if (!n_slots || n_slots > BOARD_SLOTS_MAX || !memfd_is_fixed(fd, board_size(n_slots)))
		return BOARD_E_FOREIGN;
	board = mmap(NULL, board_size(n_slots), protection, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED)
		return error_origin(-errno);
	if (board->magic != BOARD_MAGIC || board->layout_version != BOARD_LAYOUT_VERSION || board->n_slots != n_slots) {
		munmap(board, board_size(n_slots));
		return BOARD_E_FOREIGN;
	}
	*ret_board = board;
	return 0;
}

int board_attach(int fd, uint32_t n_slots, const struct board **ret_board)
{
	struct board *board;
	int r = map_checked(fd, n_slots, PROT_READ, &board);

	if (r == 0)
		*ret_board = board;
	return r;
}

int board_adopt(int fd, uint32_t n_slots, struct board **ret_board)
{
	struct board *board;
	int r = map_checked(fd, n_slots, PROT_READ | PROT_WRITE, &board);

	if (r != 0)
		return r;
	if (madvise(board, board_size(n_slots), MADV_DONTFORK)) {
		r = error_origin(-errno);
		board_detach(board);
		return r;
	}
	*ret_board = board;
	return 0;
}

void board_detach(const struct board *board)
{
	if (board)
		munmap((void *)(uintptr_t)board, board_size(board->n_slots));
}
