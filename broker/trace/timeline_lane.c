/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/trace/timeline_lane.h"

#include <stdlib.h>

#include "common/base/must.h"

static struct timeline_mark *at(const struct timeline_lane *lane, uint32_t index)
{
	return &lane->emits[(lane->first + index) & (lane->capacity - 1)];
}

static void drop_first(struct timeline_lane *lane)
{
	lane->first = (lane->first + 1) & (lane->capacity - 1);
	lane->n--;
}

static void grow(struct timeline_lane *lane)
{
	uint32_t capacity = lane->capacity ? 2 * lane->capacity : 16;
	struct timeline_mark *emits = calloc(capacity, sizeof(*emits));

	must(emits);
	for (uint32_t i = 0; i < lane->n; i++)
		emits[i] = *at(lane, i);
	free(lane->emits);
	lane->emits = emits;
	lane->first = 0;
	lane->capacity = capacity;
}

static bool shares(const struct timeline_mark *a, const struct timeline_mark *b)
{
	return a->from < b->position && b->from < a->position;
}

static struct timeline_mark mark_of(uint64_t bytes, uint64_t position, uint64_t now_ns)
{
	return (struct timeline_mark){ position - (bytes < position ? bytes : position), position, now_ns };
}

bool timeline_lane_take(struct timeline_lane *lane, uint64_t bytes, uint64_t position, uint64_t now_ns,
			uint64_t *ret_ns)
{
	const struct timeline_mark taken = mark_of(bytes, position, now_ns);
	bool found = false;

	while (lane->n && at(lane, 0)->from < taken.position) {
		if (shares(at(lane, 0), &taken)) {
			*ret_ns = at(lane, 0)->time_ns;
			found = true;
		}
		if (at(lane, 0)->position > taken.position)
			break; /* the rest of it is taken later */
		drop_first(lane);
	}
	lane->untold = found ? (struct timeline_mark){ 0 } : taken;
	return found;
}

bool timeline_lane_emit(struct timeline_lane *lane, uint64_t bytes, uint64_t position, uint64_t now_ns,
			uint64_t *ret_ns)
{
	const struct timeline_mark emitted = mark_of(bytes, position, now_ns);
	bool late = lane->untold.time_ns && shares(&emitted, &lane->untold);

	if (late)
		*ret_ns = lane->untold.time_ns;
	if (late && emitted.position <= lane->untold.position) {
		lane->untold.time_ns = 0;
		return true;
	}
	if (late)
		lane->untold.time_ns = 0;
	if (lane->n == TIMELINE_EMITS_MAX)
		drop_first(lane);
	if (lane->n == lane->capacity)
		grow(lane);
	lane->n++;
	*at(lane, lane->n - 1) = emitted;
	return late;
}

void timeline_lane_wake(struct timeline_lane *lane, bool by_producer, uint64_t position, uint64_t now_ns)
{
	lane->wakes[by_producer][lane->n_wakes[by_producer]++ % TIMELINE_WAKES] =
		(struct timeline_mark){ .position = position, .time_ns = now_ns };
}

bool timeline_lane_find_wake(const struct timeline_lane *lane, bool by_producer, uint64_t begin_ns, uint64_t position,
			     uint64_t *ret_ns)
{
	uint32_t n = lane->n_wakes[by_producer];
	uint32_t first = n > TIMELINE_WAKES ? n - TIMELINE_WAKES : 0;

	for (uint32_t i = first; i < n; i++) {
		const struct timeline_mark *wake = &lane->wakes[by_producer][i % TIMELINE_WAKES];

		if (wake->time_ns >= begin_ns && wake->position >= position) {
			*ret_ns = wake->time_ns;
			return true;
		}
	}
	return false;
}

void timeline_lane_deinit(struct timeline_lane *lane)
{
	free(lane->emits);
	*lane = (struct timeline_lane){ 0 };
}
