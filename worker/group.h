/* SPDX-License-Identifier: Apache-2.0 */
/* weir_group_begin(): items of a source that are emitted as one. In produce(); nothing here waits. */
#pragma once

#include "worker/worker.h"

/* As in weir/emit.h. */
int group_begin(struct weir_context *context);
int group_end(struct weir_context *context);
void group_drop(struct weir_context *context);
const char *group_fault(const struct weir_context *context);

/* What an emit says is remembered while a group is open. Returns it. */
static inline int group_note(struct worker *worker, int status)
{
	if (worker->group.is_open && status != 0 && worker->group.status == 0)
		worker->group.status = status;
	return status;
}

/* A record of the group in hand is bad: instead of a dead letter. Returns WEIR_REJECTED. */
int group_refuse(struct worker *worker, const char *reason);

/*
 * An emit of the group in hand has found no room. Returns WEIR_FULL, and what the group takes up already is waited for, too;
 * WEIR_TOO_LARGE: room for all of it there will never be.
 */
int group_no_room(struct worker *worker);
