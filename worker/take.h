/* SPDX-License-Identifier: Apache-2.0 */
/* Taking from plain input edges: the short way through the turn. */
#pragma once

#include "worker/worker.h"

/*
 * Gives up to `batch` items of the plain input edges to the stage, as far as they lie there ready, and adds them to *n. Stops early
 * when the turn has taken or built its share, when the stage wants produce(), at a record that is not plain data, at a
 * cancel. Returns 0, WEIR_CANCELLED, or what made the stage fail; the general way (turn.c) finds out why nothing lay there. *ret_odd: some
 * lane has something that only the general way can take.
 */
int take_plain(struct worker *worker, uint32_t batch, uint32_t *n, bool *ret_odd);
/*
 * The same for a stage with one input that brings runs: items of the run at work, wherever it lies. Its end, and the first item of a run,
 * are left to the general way. Returns as take_plain().
 */
int take_run(struct worker *worker, uint32_t batch, uint32_t *n);
/* True if take_plain() would find something. A hint: orders nothing. */
bool take_lies(const struct worker *worker);

/* Tells the books of the items that this turn has taken the short way. Nothing happens if there are none. */
void take_settle(struct worker *worker);

/* What the stage said of an item of the general or the plain way, when it is not simply WEIR_OK. In turn.c. */
int turn_conclude(struct worker *worker, const struct weir_item *item, int status);
