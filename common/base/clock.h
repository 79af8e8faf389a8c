/* SPDX-License-Identifier: Apache-2.0 */
/* The one clock: CLOCK_MONOTONIC in nanoseconds. Deadlines are absolute on it; 0 means "none". */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* The time of day, for people and for what outlives a boot. It may jump; no deadline is ever made of it. */
static inline uint64_t clock_realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* The earlier of two deadlines, where 0 is "none". */
static inline uint64_t deadline_earlier(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;
}

/* Milliseconds from now_ns to the deadline for poll(2): rounded up, at least 0, at most cap_ms; cap_ms without deadline. */
static inline int deadline_poll_ms(uint64_t deadline_ns, uint64_t now_ns, int cap_ms)
{
	uint64_t left_ms;

	if (!deadline_ns)
		return cap_ms;
	if (deadline_ns <= now_ns)
		return 0;
	left_ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return left_ms < (uint64_t)cap_ms ? (int)left_ms : cap_ms;
}
