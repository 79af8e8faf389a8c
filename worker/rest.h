/* SPDX-License-Identifier: Apache-2.0 */
/* A source that was told to drain, before it ends. */
#pragma once

#include "worker/worker.h"

enum { REST_E_OVER = 211 }; /* it ends its stream now, whatever is ordered from here on */

/*
 * Rests until what the source gave has been taken, or nobody takes it any more. Between two turns only. Returns 0: the order has been
 * taken back, go on; REST_E_OVER; WEIR_CANCELLED; REPAIR_E_CORRUPT or -errno.
 */
int rest(struct worker *worker);
