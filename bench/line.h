/* SPDX-License-Identifier: Apache-2.0 */
/* How far the two processors are from each other. */
#pragma once

#include "bench/transport.h"

/* Forks; one cache line goes there and back run->count times, of which the first tenth is not measured. Returns ns each. */
double line_round_trip_ns(const struct run *run);
