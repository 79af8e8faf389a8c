/* SPDX-License-Identifier: Apache-2.0 */
/* When the pending items of an asynchronous stage with a deadline are due: the one that is first, for the supervisor to see. */
#pragma once

#include "worker/in_flight_priv.h"

/* Stamps an item that is given to the stage; reads the clock. Nothing without a deadline; so all of these. */
void due_stamp(struct worker *worker, struct in_flight_item *entry);
/* It was put aside: the youngest of those that are. */
void due_add(struct worker *worker, struct in_flight_item *entry);
/* It has ended, put aside or not. */
void due_remove(struct worker *worker, struct in_flight_item *entry);
