/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observer of one pipeline, kept open while supervisors come and go, and what it has seen happen. Each call from any thread; who holds
 * the watch keeps the others out, so nobody keeps it for longer than a reading takes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/observe/observer.h"

#define WATCH_EVENTS 256u
#define WATCH_LOOK_NS (500 * NS_PER_MS)

enum watch_state {
#define WATCH_STATE(id, name, summary) WATCH_##id,
#include "console/watch_state.def"
#undef WATCH_STATE
	WATCH_STATE_COUNT
};

enum watch_event_kind {
#define WATCH_EVENT(id, name, summary) WATCH_EVENT_##id,
#include "console/watch_event.def"
#undef WATCH_EVENT
	WATCH_EVENT_COUNT
};

struct watch_event {
	uint64_t number; /* from 1 */
	uint64_t realtime_ns;
	enum watch_event_kind kind;
	char stage[72];  /* "": of the pipeline */
	int worker;      /* -1: of the stage, or the pipeline */
	uint64_t amount; /* generation, letters: as the kind says */
};

struct watch;

/* run_dir is borrowed. Nothing is looked at yet. Returns 0 or -ENOMEM. */
int watch_new(const char *run_dir, struct watch **ret_watch);
struct watch *watch_free(struct watch *watch);

/* Looks what has happened; opens the observer, again if need be. One thread does so, each WATCH_LOOK_NS. Blocks two seconds at most. */
enum watch_state watch_look(struct watch *watch);
enum watch_state watch_state_of(struct watch *watch);
const char *watch_state_name(enum watch_state state);
const char *watch_event_name(enum watch_event_kind kind);
const char *watch_event_summary(enum watch_event_kind kind);

/* Keeps the observer as it is until watch_release(). NULL: there is none; it is not kept then. */
const struct observer *watch_hold(struct watch *watch);
void watch_release(struct watch *watch);
/* Copies the newest events, the newest first. Returns how many. */
unsigned watch_events(struct watch *watch, struct watch_event ret_events[WATCH_EVENTS]);
