/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an asynchronous stage starts with: an empty table, and each lane's window as the last commit left it. The walk over done-bits is
 * the one place where a lane is read twice.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"
#include "worker/in_flight_priv.h"

static int attach_window(struct worker *worker, struct input_lane *lane)
{
	struct in_flight *in_flight = worker->in_flight;
	uint32_t reader = lane->lane.index;
	struct done_bits *shared = &worker->segment.done_bits[reader];
	uint64_t done = lane->lane.done, given = load_relaxed(&shared->given);

	/* A note, not a promise: anything else than a position ahead means that nothing is in doubt. */
	in_flight->doubtful_ends[reader] = given - done <= lane->lane.capacity_bytes ? given : done;
	in_flight->careful |= in_flight->limit && in_flight->doubtful_ends[reader] != done;
	return done_window_rewind(&in_flight->windows[reader], &lane->lane, shared);
}

int in_flight_attach(struct worker *worker, struct text *why)
{
	uint32_t n = worker->segment.geometry.n_readers, capacity = worker->heritage.in_flight;
	struct in_flight *in_flight;

	if (capacity <= 1)
		return 0;
	in_flight = calloc(1, sizeof(*in_flight));
	must(in_flight);
	worker->in_flight = in_flight;
	in_flight->items = calloc(capacity, sizeof(*in_flight->items));
	in_flight->windows = calloc(n + 1, sizeof(*in_flight->windows));
	in_flight->doubtful_ends = calloc(n + 1, sizeof(*in_flight->doubtful_ends));
	must(in_flight->items && in_flight->windows && in_flight->doubtful_ends);
	in_flight->n_windows = n;
	in_flight->capacity = capacity;
	in_flight->limit = worker->board->slots[worker->heritage.slot].in_flight_limit;
	for (uint32_t i = capacity; i-- > 0;) {
		in_flight->items[i].next_free = in_flight->first_free;
		in_flight->first_free = i + 1;
	}
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			if (attach_window(worker, &worker->inputs[i].lanes[j])) {
				text_printf(why, "the done-bits of lane %u from '%s' make no sense", j,
					    worker->inputs[i].heritage->peer_stage);
				return error_origin(-EBADMSG);
			}
	return 0;
}

void in_flight_detach(struct worker *worker)
{
	if (!worker->in_flight)
		return;
	free(worker->in_flight->items);
	free(worker->in_flight->windows);
	free(worker->in_flight->doubtful_ends);
	free(worker->in_flight);
	worker->in_flight = NULL;
}
