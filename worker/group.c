/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that are one.
 *
 *      tail        mark                                    built
 *       | complete |  item  |  item  |  item of the group  |             the mark stays where the group began
 *
 * For the lanes and the books a group is what an item of process() is, which may have many outputs: its records stand behind one mark, and
 * count when it ends (output_item_end()) or never were (output_item_drop()). A commit comes after produce() only, so there is none in the
 * middle. What is counted elsewhere meanwhile, for each record, is put back from a copy.
 */
#include "worker/group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/output.h"
#include "worker/window.h"

int group_begin(struct weir_context *context)
{
	struct worker *worker = worker_of(context);
	struct group *group = &worker->group;

	if (worker->phase != PHASE_PRODUCE || worker->stage.role != WEIR_SOURCE || group->is_open)
		return error_origin(-EPERM);
	window_shut(worker);
	group->is_open = true;
	group->status = 0;
	group->fault[0] = '\0';
	group->bytes_out = load_relaxed(&worker->segment.counters->values[COUNTER_BYTES_OUT]);
	memcpy(group->ledger, worker->cursor.ledger, sizeof(group->ledger));
	return 0;
}

void group_drop(struct weir_context *context)
{
	struct worker *worker = worker_of(context);

	if (!worker->group.is_open)
		return;
	worker->group.is_open = false;
	output_item_drop(worker);
	memcpy(worker->cursor.ledger, worker->group.ledger, sizeof(worker->group.ledger));
	store_relaxed(&worker->segment.counters->values[COUNTER_BYTES_OUT], worker->group.bytes_out);
	window_open(worker);
}

int group_end(struct weir_context *context)
{
	struct worker *worker = worker_of(context);
	int status = worker->group.status;

	if (!worker->group.is_open)
		return error_origin(-EPERM);
	if (status != 0) {
		group_drop(context);
		return status;
	}
	worker->group.is_open = false;
	output_item_end(worker);
	window_open(worker);
	return 0;
}

const char *group_fault(const struct weir_context *context)
{
	const struct group *group = &worker_of(context)->group;

	return group->is_open && group->fault[0] ? group->fault : NULL;
}

int group_refuse(struct worker *worker, const char *reason)
{
	snprintf(worker->group.fault, sizeof(worker->group.fault), "%s", reason);
	return WEIR_REJECTED;
}

/* Where there is no choice of lanes it is known how much the group has in the one that is full. */
static uint64_t taken_bytes(const struct worker *worker)
{
	const struct output_lane *lane = worker->outputs[0].lanes;
	bool one = worker->n_outputs == 1 && worker->outputs[0].n_lanes == 1;

	return one && lane->mark_item == worker->item_number ? lane->lane.built - lane->mark : 0;
}

int group_no_room(struct worker *worker)
{
	if (!output_possible(worker, worker->need_bytes))
		return WEIR_TOO_LARGE;
	worker->need_bytes += taken_bytes(worker);
	worker->full = true;
	return WEIR_FULL;
}
