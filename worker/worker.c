/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"
#include "worker/recording.h"

void worker_set_state(struct worker *worker, enum worker_state state, uint32_t lane)
{
	recording_note(worker, RECORDER_STATE, (uint32_t)state, 0, 0);
	worker_set_state_at(worker, state, lane, clock_now_ns());
}

void worker_set_state_at(struct worker *worker, enum worker_state state, uint32_t lane, uint64_t now_ns)
{
	struct segment_status *status = worker->segment.status;

	store_relaxed(&status->wait_lane, lane);
	store_relaxed(&status->since_ns, now_ns);
	store_release(&status->state, (uint32_t)state); /* [S3] mate: is_idle */
}
