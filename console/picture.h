/* SPDX-License-Identifier: Apache-2.0 */
/* What an observer sees, as JSON (docs/console.md). The observer is held meanwhile (watch_hold). Reads memory, waits for nobody. */
#pragma once

#include <stdint.h>

#include "broker/observe/observer.h"
#include "broker/supervise/view.h"

/* Append one object each. view: what the supervisor says, or NULL if it says nothing. */
void picture_plan(const struct observer *observer, struct text *text);
void picture_now(const struct observer *observer, const struct view *view, struct text *text);
/* slot: below the catalog's n_slots. */
void picture_worker(const struct observer *observer, uint32_t slot, const struct view *view, struct text *text);

/* What lies in all lanes of an edge now, and could, bytes. */
void picture_edge_fill(const struct observer *observer, uint32_t edge, uint64_t *ret_bytes,
		       uint64_t *ret_capacity_bytes);
