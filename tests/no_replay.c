/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For programs that step through a worker or explore it: no letter is ever marked there. The store's disk and locks are nothing to step
 * through; scenario d07 kills there.
 */
#include "worker/replay.h"

int replay_turn(struct worker *worker)
{
	(void)worker;
	return 0;
}

int replay_take(struct worker *worker, uint32_t input, struct weir_item *ret_item)
{
	(void)worker;
	(void)input;
	(void)ret_item;
	return REPLAY_E_NONE;
}

bool replay_has(struct worker *worker, uint32_t input)
{
	(void)worker;
	(void)input;
	return false;
}

uint32_t replay_attempts(const struct worker *worker)
{
	(void)worker;
	return 0;
}

uint32_t replay_overruns(const struct worker *worker)
{
	(void)worker;
	return 0;
}

void replay_note_hand(struct worker *worker, const struct weir_item *item)
{
	(void)worker;
	(void)item;
}

uint64_t replay_begun_ns(const struct worker *worker)
{
	(void)worker;
	return 0;
}

bool replay_in_hand(const struct worker *worker)
{
	(void)worker;
	return false;
}

const struct dead_letter *replay_letter(const struct worker *worker)
{
	(void)worker;
	return NULL;
}

void replay_end(struct worker *worker)
{
	(void)worker;
}

void replay_drop(struct worker *worker)
{
	(void)worker;
}

int replay_prepare(struct worker *worker)
{
	(void)worker;
	return 0;
}

void replay_must_prepare(struct worker *worker)
{
	(void)worker;
}

void replay_collect(struct worker *worker)
{
	(void)worker;
}

void replay_settle(struct worker *worker)
{
	(void)worker;
}

int replay_failure(struct worker *worker)
{
	(void)worker;
	return 0;
}

void replay_detach(struct worker *worker)
{
	(void)worker;
}
