/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for room is in no hurry: there is work for its readers. But the scheduler lets whoever wakes up take the processor from who
 * runs there. Where there are more workers than processors, that is often the very reader which has just made the first bit of room:
 *
 *     reader     reads 64 items, frees them, rings ..                 reads 64, frees, rings ..                 ...
 *     producer                                        writes 64, full                          writes 64, full
 *
 * Two changes of process for each 64 items, where a whole lane could have been read, or a whole time slice. In SCHED_BATCH nobody is
 * preempted by who wakes up; all else is as in SCHED_OTHER. So a worker enters it before it sleeps for nothing but room, and leaves it
 * before it sleeps for anything that is urgent: data, a descriptor, a time.
 *
 * Where a process that is none of ours keeps the processor for whole time slices, being patient means to come too late: the readers have
 * run dry and sleep. A worker that finds that is in a hurry for so many sleeps as follow, twice as many each time.
 */
#include <errno.h>
#include <sched.h>

#include "worker/patience.h"

#define BACKOFF_MAX 1024u

static bool is_ours; /* the class that this process is in */

static bool patience_enter(int policy)
{
	const struct sched_param parameters = { 0 };

	return sched_setscheduler(0, policy, &parameters) == 0;
}

void patience_init(struct patience *patience)
{
	*patience = (struct patience){ .allowed = sched_getscheduler(0) == SCHED_OTHER };
}

void patience_before_sleep(struct patience *patience, bool for_room)
{
	if (for_room && patience->skip) {
		patience->skip--;
		for_room = false;
	}
	if (!patience->allowed || for_room == patience->patient)
		return;
	patience->allowed = patience_enter(for_room ? SCHED_BATCH : SCHED_OTHER);
	patience->patient = is_ours = patience->allowed && for_room;
}

void patience_after_sleep(struct patience *patience, bool late)
{
	if (!late) {
		patience->backoff /= 2;
		return;
	}
	patience->backoff = patience->backoff < BACKOFF_MAX ? patience->backoff * 2 + 1 : BACKOFF_MAX;
	patience->skip = patience->backoff;
}

void patience_leave(void)
{
	int before = errno;

	if (is_ours)
		(void)patience_enter(SCHED_OTHER);
	errno = before;
}
