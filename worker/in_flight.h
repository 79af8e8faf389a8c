/* SPDX-License-Identifier: Apache-2.0 */
/* The items that an asynchronous stage has: given to it, answered WEIR_PENDING, and not yet completed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/input.h"
#include "worker/worker.h"

struct in_flight;
struct text;

/*
 * For a stage with in_flight > 1, once its lanes are attached: worker->in_flight, which stays NULL for all others. Allocates
 * everything that it will ever need. Returns 0, or -EBADMSG after it has said why in `why`.
 */
int in_flight_attach(struct worker *worker, struct text *why);
void in_flight_detach(struct worker *worker);

/*
 * A turn of such a stage: gives it items, up to a batch and as many as it may have, and commits. Returns 0; IN_FLIGHT_E_IDLE:
 * nothing to give now, see in_flight_wait_events(); WEIR_CLOSED: the inputs are at their end and nothing is pending;
 * WEIR_CANCELLED, WEIR_FAILED, -errno.
 */
enum { IN_FLIGHT_E_IDLE = 101 };
int in_flight_turn(struct worker *worker);
/* What an idle stage waits for beside its own events: ARM_DATA, or 0 while it may not have more, or nothing more will come. */
uint32_t in_flight_wait_events(const struct worker *worker);

/* Items that are pending. 0 for other stages. */
uint32_t in_flight_pending(const struct worker *worker);
/* No more may be taken from this lane now. */
bool in_flight_lane_is_full(const struct worker *worker, const struct lane_in *lane);

/* produce() has returned: puts a resumed item back, and says so if the stage misused the calls below. Returns the status to go by. */
int in_flight_after_produce(struct worker *worker, int status);

/* The commit: bits and done of all lanes; and afterwards, for a lane that was touched, whether it has room to give back. */
void in_flight_collect(struct worker *worker);
bool in_flight_settle(struct worker *worker, const struct lane_in *lane);

/* weir_in_flight(), weir_has_all(), weir_defer(), weir_resume(), weir_complete() */
uint32_t in_flight_capacity(const struct worker *worker);
bool in_flight_has_all(struct worker *worker);
uint64_t in_flight_defer(struct worker *worker);
int in_flight_resume(struct worker *worker, uint64_t token, const struct weir_item **ret_item);
int in_flight_complete(struct worker *worker, uint64_t token, int status);
