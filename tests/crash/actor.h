/* SPDX-License-Identifier: Apache-2.0 */
/* Real workers, run by the judge inside its own process, until they sleep. */
#pragma once

#include "tests/crash/world.h"

/* Makes the judge's calls to segment_attach() and the like answer with the mappings of this world. NULL: the real ones. */
void actor_use(struct world *world);

/* Seats the next generation; it has not run yet. */
void actor_seat(uint32_t slot, uint32_t generation);
/* Forgets it as a kill would. */
void actor_kill(uint32_t slot);
bool actor_is_seated(uint32_t slot);
/* One step of preparation: see struct scenario_step. */
void actor_run(const struct scenario_step *step);
/*
 * Runs all seated workers until each has ended or sleeps with a silent doorbell. wake: they begin with one look for nothing, as after a
 * ring too many. NULL, or what went wrong: static text.
 */
const char *actor_run_all(bool wake);
/* NULL: all seated workers have ended. Else which one sleeps. */
const char *actor_asleep(void);

/* All workers as they are now, stacks and all; and back to that. later: the first state is kept beside it. */
void actor_save(bool later);
void actor_restore(void);
/* From now on actor_restore() goes back to the first state. */
void actor_restore_first(void);

/* In the victim's process: attaches and runs; step_mark() at the end of the walk. */
void actor_be_victim(struct world *world, uint32_t generation);
/*
 * What the stepped victim has in hand: 1 + its sequence, and above that its input; 0: nothing that is sure; ACTOR_HAND_SEVERAL: one of
 * several in flight. In memory that the judge shares.
 */
#define ACTOR_HAND_SEVERAL UINT64_MAX
#define ACTOR_HAND_INPUT_SHIFT 48u
#define ACTOR_HAND_SEQUENCE_MASK ((UINT64_C(1) << ACTOR_HAND_INPUT_SHIFT) - 1)
uint64_t actor_victim_hand(void);
/* Whether its mark means that its neighbours act now; says so once. */
bool actor_victim_pauses(void);
/* What its stages or it itself found wrong; NULL: nothing. */
const char *actor_victim_wrong(void);
void actor_victim_reset(void);
