/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An item has no time of its own in its lane: its producer would have to look at the clock. So the tail is remembered, look by look:
 *
 *      looks          t1        t2        t3   now
 *      tail          100       240       300   360
 *      done            0         0       120   120
 *                                ^-- what lies at 120 was there at t2, and not at t1: it is now - t2 old, or a little more
 *
 * A mark goes when `done` has reached it. While all places are taken no new one is made: those that follow are the further apart the longer
 * what lies there waits. A tail that goes back (worker/retire.c) takes the marks behind it along.
 */
#include "broker/supervise/lane_age.h"

#include <stdbool.h>
#include <string.h>

/* Positions wrap. */
static bool is_behind(uint64_t position, uint64_t other)
{
	return (int64_t)(position - other) > 0;
}

static void forget(struct lane_age *age, uint64_t done)
{
	uint32_t n = 0;

	while (n < age->n && !is_behind(age->marks[n].position, done))
		n++;
	age->n -= n;
	memmove(age->marks, age->marks + n, age->n * sizeof(age->marks[0]));
}

uint64_t lane_age_look(struct lane_age *age, uint64_t tail, uint64_t done, uint64_t now_ns)
{
	for (uint32_t i = 0; i < age->n; i++)
		if (is_behind(age->marks[i].position, tail))
			age->marks[i].position = tail;
	forget(age, done);
	if (is_behind(tail, age->n ? age->marks[age->n - 1].position : done) && age->n < LANE_AGE_MARKS)
		age->marks[age->n++] = (struct lane_mark){ .position = tail, .seen_ns = now_ns };
	return age->n && now_ns > age->marks[0].seen_ns ? now_ns - age->marks[0].seen_ns : 0;
}
