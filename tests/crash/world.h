/* SPDX-License-Identifier: Apache-2.0 */
/* The shared memory of a whole pipeline: segments, lanes, board, doorbells. */
#pragma once

#include "broker/supervise/supervisor_priv.h"
#include "tests/crash/scenario.h"

struct world {
	int fds[WORLD_SLOTS_MAX], doorbells[WORLD_SLOTS_MAX], board_fd;
	struct segment segments[WORLD_SLOTS_MAX]; /* mapped writable */
	unsigned char *lanes[WORLD_LANES_MAX];    /* by number in the plan; mapped writable, twice */
	unsigned char *holds[WORLD_LANES_MAX];    /* of lanes that drop their oldest; NULL: none */
	struct board *board;
	struct heritage heritages[WORLD_SLOTS_MAX];
	struct supervisor supervisor; /* as far as broker/supervise/mend.c needs it */
	struct seat seats[WORLD_SLOTS_MAX];
};

/* The plan of the scenario, with lanes of LANE_SIZE; the same for all worlds. Ends the program when it can't be made. */
void world_plan(const struct scenario *scenario);
extern struct plan *world_plan_now;

/* Creates and maps; lanes stand at scenario_now->position. They end the program when the machine can't do it. */
void world_init(struct world *world);
void world_deinit(struct world *world);
/* Makes `to` the state of `from`: memory, and which doorbells ring. */
void world_copy(struct world *to, const struct world *from);
/* Whether the memory of the slot and the board are the same in both. */
bool world_same(const struct world *a, const struct world *b, uint32_t slot);
/* Hash of all words of the slot that a repair may read or write, and the board. */
uint64_t world_repair_key(const struct world *world, uint32_t slot);

bool doorbell_is_rung(int fd);
void must_work(int r, const char *what);
