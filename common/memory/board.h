/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and mapping the board. */
#pragma once

#include <stdint.h>

#include "common/memory/board_layout.h"

/* Bytes of shared memory that it takes. */
size_t board_size(uint32_t n_slots);

/* Supervisor: creates and maps it for writing. Returns 0 and both, owned by the caller (board_detach, close); or -errno. */
int board_create(uint32_t n_slots, struct board **ret_board, int *ret_fd);
/* Worker: maps it read-only. Returns 0; BOARD_E_FOREIGN; -errno. The fd stays the caller's. */
enum { BOARD_E_FOREIGN = 1 };
int board_attach(int fd, uint32_t n_slots, const struct board **ret_board);
/* Supervisor, of a run that another one began: maps what that one has made, for writing. The same outcomes. */
int board_adopt(int fd, uint32_t n_slots, struct board **ret_board);
void board_detach(const struct board *board);

/* What slot must do now: the larger of the pipeline's order and its own. One or two loads; any process. */
static inline uint32_t board_order_of(const struct board *board, uint32_t slot)
{
	/* [B1] mate: order_board */
	uint32_t all = load_acquire(&board->order), own = load_acquire(&board->slots[slot].order);

	return all > own ? all : own;
}
