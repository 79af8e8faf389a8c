/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flight recorders, as the supervisor has to do with them: it writes its own, at the end of the board, and keeps what the last events of a
 * dead worker were, before the next generation goes on in the same ring.
 */
#include <signal.h>

#include "broker/supervise/supervisor_priv.h"
#include "broker/trace/event_text.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

void supervisor_record(struct supervisor *supervisor, enum recorder_kind kind, uint32_t seat, uint32_t count,
		       uint64_t first, uint64_t second)
{
	supervisor->recorder.now_ns = clock_now_ns();
	recorder_write(&supervisor->recorder, kind, seat, count, first, second);
}

void seat_record(const struct seat *seat, enum recorder_kind kind, uint32_t count, uint64_t first, uint64_t second)
{
	supervisor_record(seat->supervisor, kind, seat->slot, count, first, second);
}

#define EVENTS_IN_LETTER 3u /* of the story of a dead letter, the last ones */

void seat_keep_last_events(struct seat *seat)
{
	const struct recorder_ring *ring;
	struct recorder_ring *mapped;
	uint64_t from, lost = 0;

	seat->death.n_last_events = 0;
	if (!seat->segment.base || !segment_is_recorded(&seat->segment.geometry) ||
	    recorder_map(seat->segment_read_fd, &seat->segment.geometry, SEGMENT_READ, &mapped) != 0)
		return;
	ring = mapped;
	from = recorder_last(ring, LAST_EVENTS_KEPT);
	seat->death.n_last_events =
		recorder_read(ring, RECORDER_SLOT_EVENTS, &from, seat->death.last_events, LAST_EVENTS_KEPT, &lost);
	recorder_unmap(mapped);
}

/* "take read#0->price#0 ...", and how long before its death. False: of an earlier generation, or nonsense: its memory is its own word. */
static bool describe(const struct seat *seat, const struct recorder_record *record, struct text *text,
		     char before[QUANTITY_TEXT_SIZE])
{
	if (record->time_ns < seat->spawned_ns || record->time_ns > seat->death.when_ns)
		return false;
	event_text_add(seat->supervisor->plan, seat->slot, record, text);
	quantity_format_duration(seat->death.when_ns - record->time_ns, before);
	return true;
}

void seat_say_last_events(const struct seat *seat, enum weir_log_level level)
{
	const struct death *death = &seat->death;

	for (uint32_t i = 0; i < death->n_last_events; i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;
		char before[QUANTITY_TEXT_SIZE];

		if (describe(seat, &death->last_events[i], &text, before))
			seat_log(seat, level, "last event %u of %u, %s before its death: %s", i + 1,
				 death->n_last_events, before, text_get(&text));
	}
}

void seat_add_last_events(const struct seat *seat, struct text *text)
{
	const struct death *death = &seat->death;
	const char *between = "; last events: ";

	for (uint32_t i = death->n_last_events > EVENTS_IN_LETTER ? death->n_last_events - EVENTS_IN_LETTER : 0;
	     i < death->n_last_events; i++) {
		_cleanup_(text_deinit) struct text event = TEXT_NULL;
		char before[QUANTITY_TEXT_SIZE];

		if (!describe(seat, &death->last_events[i], &event, before))
			continue;
		text_printf(text, "%s%s %s before its death", between, text_get(&event), before);
		between = ", ";
	}
}
