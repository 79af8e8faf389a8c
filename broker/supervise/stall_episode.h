/* SPDX-License-Identifier: Apache-2.0 */
/* A stall has a begin and an end, and is told of at both, and in between ever more rarely. Pure. */
#pragma once

#include "broker/supervise/stall.h"

#define STALL_REMINDER_NS (60 * UINT64_C(1000000000)) /* the first; each next one after twice the time */
#define STALL_REMINDER_MAX_NS (60 * STALL_REMINDER_NS)
#define STALL_LOOKS_MISSING \
	3u /* in a row without the finding, though nothing has moved: then it is over all the same */

struct stall_episode {
	bool open;
	enum stall_kind kind;
	uint32_t culprit, generation;
	uint64_t since_ns;
	uint64_t said_ns, pause_ns;
	uint32_t n_missing;
};

enum stall_news { STALL_BEGAN, STALL_LASTS, STALL_ENDED };
/* STALL_ENDED: finding is NULL. */
typedef void stall_tell(void *data, enum stall_news news, const struct stall_episode *episode,
			const struct stall_finding *finding);

/* Compares with what is open; tells what is new, what still lasts when that is due, and what has ended. */
void stall_episodes_update(struct stall_episode episodes[static STALL_FINDINGS_MAX],
			   const struct stall_history *histories, const struct stall_finding *findings,
			   size_t n_findings, uint64_t now_ns, stall_tell *tell, void *data);
/* How many are open. */
size_t stall_episodes_open(const struct stall_episode episodes[static STALL_FINDINGS_MAX]);
