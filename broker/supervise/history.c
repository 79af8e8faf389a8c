/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"

static const char *const names[] = {
#define HISTORY_EVENT(id_, name_, summary_) name_,
#include "broker/supervise/history_event.def"
#undef HISTORY_EVENT
};

const char *history_kind_name(enum history_kind kind)
{
	return names[kind];
}

int history_open(struct history *history, uint64_t run, uint64_t supervisor)
{
	*history = (struct history){ .run = run,
				     .supervisor = supervisor,
				     .next = 1,
				     .events = calloc(HISTORY_EVENTS_MAX, sizeof(*history->events)) };
	return history->events ? 0 : error_origin(-ENOMEM);
}

void history_close(struct history *history)
{
	free(history->events);
	*history = (struct history){ 0 };
}

const struct history_event *history_add(struct history *history, const struct history_event *event)
{
	struct history_event *kept = &history->events[history->next % HISTORY_EVENTS_MAX];

	*kept = *event;
	kept->number = history->next++;
	return kept;
}

static void add_string(const char *key, const char *value, struct text *text)
{
	text_printf(text, ",\"%s\":", key);
	if (*value)
		text_add_json(text, value, strlen(value));
	else
		text_add(text, "null");
}

void history_format_event(const struct history *history, const struct history_event *event, struct text *text)
{
	text_printf(text, "{\"run\":%" PRIu64 ",\"supervisor\":%" PRIu64 ",\"number\":%" PRIu64 ",\"time\":%lld.%06ld",
		    history->run, history->supervisor, event->number, (long long)event->time.tv_sec,
		    event->time.tv_nsec / 1000);
	add_string("event", names[event->kind], text);
	add_string("stage", event->stage, text);
	if (*event->stage && event->worker >= 0) {
		text_printf(text, ",\"worker\":%d,\"slot\":%" PRIu32 ",\"generation\":%" PRIu32, event->worker,
			    event->slot, event->generation);
	} else {
		text_add(text, ",\"worker\":null,\"slot\":null,\"generation\":null");
	}
	if (event->pid)
		text_printf(text, ",\"pid\":%d", (int)event->pid);
	else
		text_add(text, ",\"pid\":null");
	add_string("cause", event->cause, text);
	add_string("text", event->text, text);
	text_add_char(text, '}');
}

void history_format_json(const struct history *history, uint64_t from, struct text *text)
{
	uint64_t oldest = history->next > HISTORY_EVENTS_MAX ? history->next - HISTORY_EVENTS_MAX : 1;
	uint64_t first = from > oldest ? from : oldest;

	text_printf(text, "{\"next\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"events\":[", history->next,
		    first - (from ? from < first ? from : first : 1));
	for (uint64_t number = first; number < history->next; number++) {
		if (number > first)
			text_add_char(text, ',');
		history_format_event(history, &history->events[number % HISTORY_EVENTS_MAX], text);
	}
	text_add(text, "]}");
}
