/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a death, and whether all is well then. Every verdict is static text; NULL: all is well. */
#pragma once

#include "tests/crash/actor.h"

/* Plays the scenario's steps in `world` and keeps the state of the workers beside the victim. The judge stays with this world. */
void judge_prepare(struct world *world);
/* The generation that is killed. */
uint32_t judge_generation(void);

/* The victim sleeps: its neighbours go on, in `world`, as far as they are rung for; from there on they are as they are then. */
const char *judge_interlude(struct world *world);
/* Back to the state that judge_prepare() left. */
void judge_rewind(void);

/* How an image came about. */
struct judge_case {
	bool disturbed;   /* the peers act on what they see before the repair */
	bool repair_cut;  /* a repair has begun already: the item in hand may have been forgotten */
	uint64_t in_hand; /* what the victim had certainly in hand, as actor_victim_hand() says it; 0: not known */
};

/* Makes the judge's world a copy of `image`, repairs, checks, rings, seats the next generation, and lets all finish. */
const char *judge_image(const struct world *image, const struct judge_case *judged);
/* What the supervisor does to the victim's slot. As seat_mend(). */
int judge_mend(struct world *world);
/* The same with all that must hold after it, on any world: broker/supervise/mend.c. */
const char *judge_repair(struct world *world, const struct judge_case *judged);
