/* SPDX-License-Identifier: Apache-2.0 */
/* What has happened in a run, the last HISTORY_EVENTS_MAX of it, in memory; and each event as a line of JSON. Pure. */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/base/text.h"

#define HISTORY_EVENTS_MAX 1024u
#define HISTORY_TEXT_SIZE 320u /* bytes of a sentence, its end included; what is longer is cut */
#define HISTORY_NAME_SIZE 65u  /* of a stage */
#define HISTORY_CAUSE_SIZE 32u

enum history_kind {
#define HISTORY_EVENT(id_, name_, summary_) HISTORY_##id_,
#include "broker/supervise/history_event.def"
#undef HISTORY_EVENT
	HISTORY_KIND_COUNT
};
/* "died", ...; static. */
const char *history_kind_name(enum history_kind kind);

struct history_event {
	uint64_t number;      /* from 1 on, of this supervisor's events */
	struct timespec time; /* CLOCK_REALTIME */
	enum history_kind kind;
	char stage[HISTORY_NAME_SIZE];  /* "": the pipeline as a whole */
	int worker;                     /* in its stage; -1: the whole stage */
	uint32_t slot, generation;      /* of a worker */
	pid_t pid;                      /* 0: none */
	char cause[HISTORY_CAUSE_SIZE]; /* a word; "": none */
	char text[HISTORY_TEXT_SIZE];
};

struct history {
	uint64_t run,
		supervisor; /* CLOCK_REALTIME in ns of the run's begin, and of this supervisor's: tell events of several apart */
	uint64_t next;                /* number of the next event */
	struct history_event *events; /* number n is events[n % HISTORY_EVENTS_MAX] */
};

/* Returns 0 or -ENOMEM. */
int history_open(struct history *history, uint64_t run, uint64_t supervisor);
/* Fine if it is not open. */
void history_close(struct history *history);
/* Keeps a copy, with its number, in place of the oldest. Returns it. */
const struct history_event *history_add(struct history *history, const struct history_event *event);
/* Appends one event as a JSON object, without a newline. */
void history_format_event(const struct history *history, const struct history_event *event, struct text *text);
/* Appends {"next": N, "lost": N, "events": [...]}: those from number `from` on; lost: how many of these are not known any more. */
void history_format_json(const struct history *history, uint64_t from, struct text *text);
