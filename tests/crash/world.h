/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything around the victim: the three slots' memory, a producer in front of it, a consumer behind it that checks
 * each item, and the judge.
 *
 *      producer --2 lanes--> victim --2 lanes--> consumer
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/crash/worker.h"

#define LANE_SIZE UINT64_C(4096)

enum slot { SLOT_PRODUCER, SLOT_VICTIM, SLOT_CONSUMER, N_SLOTS };

/* What producer and consumer know in private: plain numbers, copied with the memory. */
struct peers {
	uint64_t put[N_INPUTS];             /* items put into each input */
	uint64_t got[N_OUTPUTS];            /* items taken from each output */
	uint64_t next[N_OUTPUTS][N_INPUTS]; /* input sequence expected next */
	uint64_t next_ticket;
	unsigned batch;
};

struct world {
	struct segment slots[N_SLOTS]; /* mapped writable */
	int fds[N_SLOTS];
	int doorbells[N_SLOTS];
	uint64_t offsets[N_SLOTS][2];    /* of lane data: producer's and victim's */
	unsigned char *data[N_SLOTS][2]; /* mapped writable, twice */
	struct peers peers;
	struct lane_out put[N_INPUTS]; /* producer's ends */
	struct lane_in got[N_OUTPUTS]; /* consumer's ends */
};

/* How a walk begins. */
struct preset {
	const char *name;
	uint64_t position; /* at which every lane stands */
	unsigned items;    /* waiting in each input */
	unsigned batch;
	bool closed;      /* inputs closed behind them */
	bool crowded;     /* outputs nearly full */
	bool from_attach; /* the walk begins before the victim maps its memory */
};

/* Creates and maps. They end the program when the machine can't do it. */
void world_init(struct world *world);
void world_reset(struct world *world, const struct preset *preset);
/* Makes `to` the state of `from`. */
void world_copy(struct world *to, const struct world *from);
/* Whether the victim's memory in both is the same. */
bool world_same(const struct world *a, const struct world *b);
/* Hash of the victim's words that repair reads. */
uint64_t world_repair_key(const struct world *world);

/* A worker on the world's own mappings (in the judge), or on mappings of its own (in a victim process). */
void world_bind(struct world *world, struct worker *worker);
void world_attach(struct world *world, struct worker *worker);

/* Peers that act before anybody repairs: the consumer takes all that it sees, the producer fills all the room it sees. */
const char *world_disturb(struct world *world);

/*
 * Repairs, checks that the state is one between two turns, lets a next generation finish all the work, and checks that
 * every item arrived once and in order. Uses the world up. NULL: all is well; else what is not. Static text.
 */
const char *world_judge(struct world *world);
/* Only the first part: repair and check. */
const char *world_repair(struct world *world);
