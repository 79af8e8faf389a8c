/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors a source may have: it raises the soft limit as far as it needs and may. */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#define OPEN_LIMIT_FOR_OTHERS 64u

/* So many, or as many as the limit leaves. */
static inline uint32_t open_limit(uint64_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return (uint32_t)wanted;
	if (limit.rlim_cur < wanted + OPEN_LIMIT_FOR_OTHERS && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = wanted + OPEN_LIMIT_FOR_OTHERS < limit.rlim_max ? wanted + OPEN_LIMIT_FOR_OTHERS :
										   limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= wanted + OPEN_LIMIT_FOR_OTHERS)
		return (uint32_t)wanted;
	return limit.rlim_cur > 2 * OPEN_LIMIT_FOR_OTHERS ? (uint32_t)(limit.rlim_cur - OPEN_LIMIT_FOR_OTHERS) :
							    OPEN_LIMIT_FOR_OTHERS / 4;
}
