/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two plans are the same to the workers. */
#pragma once

#include <stdint.h>

#include "broker/spec/plan.h"

/*
 * A digest of all that the workers of the plan are told, geometry and options and edges, without where in the spec it stands: a comment
 * more changes nothing. What only the supervisor goes by (restart, deadlines of run and drain) is not in it. Returns 0 or -errno.
 */
int plan_digest(const struct plan *plan, uint64_t *ret_digest);
