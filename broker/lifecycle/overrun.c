/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An item has overrun its stage's deadline in a worker's hands: that worker ends, and the others go on.
 *
 *      due             seen                + grace       + 25 ms           + 5 s
 *       |---------------|----- cancel ------|-- SIGTERM --|--- SIGKILL -----|-- left behind, its stage has failed
 *
 *      ready -> overrun -> dead -> restarting       like a crash with that item in hand: siblings go with it as with any, a temporary
 *                 |                                 worker is given up. But it counts in no intensity, and the word of who was made to
 *                 |                                 go, be it an end or a failure, is none
 *                 '--> stopping -> dead -> ...      a sibling dies meanwhile, or its stage is cancelled: what follows is theirs, the
 *                                                   times stay these
 *
 * The item is blamed in the repair (broker/supervise/deadline_watch.c), so there is one after every such death. Nobody is judged who
 * stands in for a stage, who is on a ladder already, or once everybody is.
 */
#include "broker/lifecycle/lifecycle_priv.h"

static bool pipeline_may_overrun(const struct lifecycle *lifecycle)
{
	return !lifecycle->finished && lifecycle->ladder.rung < RUNG_CANCEL &&
	       (lifecycle->state == PIPELINE_RUNNING || lifecycle->state == PIPELINE_DRAINING);
}

bool lifecycle_may_overrun(const struct lifecycle *lifecycle, uint32_t seat)
{
	const struct life *life = &lifecycle->lives[seat];

	return life->state == SEAT_READY && !life->stands_in && life_stage(lifecycle, life)->deadline_ns &&
	       pipeline_may_overrun(lifecycle);
}

bool overrun_end(struct lifecycle *lifecycle, struct life *life, uint64_t due_ns)
{
	if (!lifecycle_may_overrun(lifecycle, life_number(lifecycle, life)))
		return false;
	life->overrun = true;
	seat_ladder_begin_late(lifecycle, life, due_ns + life_stage(lifecycle, life)->grace_ns);
	return true;
}
