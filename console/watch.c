/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      ABSENT ---- it is there ----> OPEN ---- ENDED packet ----> ENDED
 *         ^  '--- can't be read ---> SHUT        |
 *         '--------------------------'-----------'  the supervisor is gone: the next one has the same seats
 *
 * Events are found by comparing what a look sees with what the last one saw: seats by their generation on the board, which the supervisor
 * writes before it fills a seat, so that a death is seen however short it is; stages by the sums of their workers' books.
 */
#include "console/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/observe/reading.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define OPEN_WAIT_NS (2 * NS_PER_S)

struct stage_sums {
	uint64_t letters, rejected;
};

struct watch {
	const char *run_dir;
	pthread_mutex_t mutex;
	enum watch_state state;
	struct observer *observer;
	uint32_t *generations;   /* by slot, as seen last */
	bool *retired;           /* by slot */
	struct stage_sums *sums; /* by stage */
	struct watch_event events[WATCH_EVENTS];
	uint64_t n_events;
};

static const char *const state_names[] = {
#define WATCH_STATE(id, name, summary) name,
#include "console/watch_state.def"
#undef WATCH_STATE
};

static const struct {
	const char *name, *summary;
} event_lines[] = {
#define WATCH_EVENT(id, name, summary) { name, summary },
#include "console/watch_event.def"
#undef WATCH_EVENT
};

const char *watch_state_name(enum watch_state state)
{
	return state_names[state];
}

const char *watch_event_name(enum watch_event_kind kind)
{
	return event_lines[kind].name;
}

const char *watch_event_summary(enum watch_event_kind kind)
{
	return event_lines[kind].summary;
}

static void note(struct watch *watch, enum watch_event_kind kind, const char *stage, int worker, uint64_t amount)
{
	struct watch_event *event = &watch->events[watch->n_events++ % WATCH_EVENTS];

	*event = (struct watch_event){ .number = watch->n_events,
				       .realtime_ns = clock_realtime_ns(),
				       .kind = kind,
				       .worker = worker,
				       .amount = amount };
	snprintf(event->stage, sizeof(event->stage), "%s", stage);
}

/* ---- comparing ---- */

static void look_at_seat(struct watch *watch, uint32_t slot, bool first)
{
	const struct catalog *catalog = observer_catalog(watch->observer);
	uint32_t generation = read_generation(watch->observer, slot);
	bool retired = read_retired(watch->observer, slot);
	int worker = (int)catalog->slots[slot].worker_index;

	if (!first && generation != watch->generations[slot])
		note(watch, WATCH_EVENT_REPLACED, catalog_stage_name(catalog, slot), worker, generation);
	if (!first && retired && !watch->retired[slot])
		note(watch, WATCH_EVENT_RETIRED, catalog_stage_name(catalog, slot), worker, generation);
	watch->generations[slot] = generation;
	watch->retired[slot] = retired;
}

/* false: some worker was faster than we: the next look has it. */
static bool sum_stage(const struct watch *watch, const struct catalog_stage *stage, struct stage_sums *ret_sums)
{
	struct worker_reading reading;

	*ret_sums = (struct stage_sums){ 0 };
	for (uint32_t i = 0; i < stage->workers; i++) {
		read_worker(watch->observer, stage->first_slot + i, UINT64_MAX, &reading);
		if (!reading.has_ledger)
			return false;
		ret_sums->letters += reading.ledger[LEDGER_DEAD_LETTERED];
		ret_sums->rejected += reading.ledger[LEDGER_REJECTED_IN] + reading.ledger[LEDGER_REJECTED_OUT];
	}
	return true;
}

static void look_at_stage(struct watch *watch, uint32_t number, bool first)
{
	const struct catalog *catalog = observer_catalog(watch->observer);
	const char *name = catalog_string(catalog, catalog->stages[number].name);
	struct stage_sums now, *before = &watch->sums[number];

	if (!sum_stage(watch, &catalog->stages[number], &now))
		return;
	if (!first && now.letters > before->letters)
		note(watch, WATCH_EVENT_LETTERS, name, -1, now.letters - before->letters);
	if (!first && now.rejected > before->rejected)
		note(watch, WATCH_EVENT_REJECTED, name, -1, now.rejected - before->rejected);
	*before = now;
}

static void look_at_all(struct watch *watch, bool first)
{
	const struct catalog_head *head = observer_catalog(watch->observer)->head;

	for (uint32_t i = 0; i < head->n_slots; i++)
		look_at_seat(watch, i, first);
	for (uint32_t i = 0; i < head->n_stages; i++)
		look_at_stage(watch, i, first);
}

/* ---- opening ---- */

static void forget(struct watch *watch)
{
	watch->observer = observer_close(watch->observer);
	free(watch->generations);
	free(watch->retired);
	free(watch->sums);
	watch->generations = NULL;
	watch->retired = NULL;
	watch->sums = NULL;
}

/* Takes the observer. */
static void take(struct watch *watch, struct observer *observer)
{
	const struct catalog_head *head = observer_catalog(observer)->head;

	forget(watch);
	watch->observer = observer;
	watch->generations = calloc(head->n_slots, sizeof(*watch->generations));
	watch->retired = calloc(head->n_slots, sizeof(*watch->retired));
	watch->sums = calloc(head->n_stages + 1ul, sizeof(*watch->sums));
	must(watch->generations && watch->retired && watch->sums);
	watch->state = WATCH_OPEN;
	note(watch, WATCH_EVENT_BEGUN, "", -1, 0);
	look_at_all(watch, true);
}

/* The mutex is not held while the door is waited for. */
static void open_again(struct watch *watch)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct observer *observer = NULL;
	int r = observer_open(watch->run_dir, OPEN_WAIT_NS, &observer, &why);

	pthread_mutex_lock(&watch->mutex);
	if (r == 0)
		take(watch, observer);
	else if (watch->state != WATCH_ENDED) /* that stays: its folder goes a moment later than its door */
		watch->state = r == OBSERVER_E_NOT_RUNNING ? WATCH_ABSENT : WATCH_SHUT;
	pthread_mutex_unlock(&watch->mutex);
}

enum watch_state watch_look(struct watch *watch)
{
	enum observer_news news;
	enum watch_state before;

	pthread_mutex_lock(&watch->mutex);
	before = watch->state;
	if (before == WATCH_OPEN) {
		news = observer_look(watch->observer);
		if (news == OBSERVER_REPLANNED)
			note(watch, WATCH_EVENT_RELOADED, "", -1, observer_generation(watch->observer));
		look_at_all(watch, false);
		if (news == OBSERVER_ENDED || news == OBSERVER_LOST) {
			note(watch, news == OBSERVER_ENDED ? WATCH_EVENT_ENDED : WATCH_EVENT_LOST, "", -1, 0);
			watch->state = news == OBSERVER_ENDED ? WATCH_ENDED : WATCH_ABSENT;
		}
	}
	pthread_mutex_unlock(&watch->mutex);
	if (before != WATCH_OPEN)
		open_again(watch);
	return watch_state_of(watch);
}

/* ---- the noun ---- */

int watch_new(const char *run_dir, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return error_origin(-ENOMEM);
	watch->run_dir = run_dir;
	must(pthread_mutex_init(&watch->mutex, NULL) == 0);
	*ret_watch = watch;
	return 0;
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	forget(watch);
	pthread_mutex_destroy(&watch->mutex);
	free(watch);
	return NULL;
}

enum watch_state watch_state_of(struct watch *watch)
{
	enum watch_state state;

	pthread_mutex_lock(&watch->mutex);
	state = watch->state;
	pthread_mutex_unlock(&watch->mutex);
	return state;
}

const struct observer *watch_hold(struct watch *watch)
{
	pthread_mutex_lock(&watch->mutex);
	if (watch->observer)
		return watch->observer;
	pthread_mutex_unlock(&watch->mutex);
	return NULL;
}

void watch_release(struct watch *watch)
{
	pthread_mutex_unlock(&watch->mutex);
}

unsigned watch_events(struct watch *watch, struct watch_event ret_events[WATCH_EVENTS])
{
	unsigned n;

	pthread_mutex_lock(&watch->mutex);
	n = watch->n_events < WATCH_EVENTS ? (unsigned)watch->n_events : WATCH_EVENTS;
	for (unsigned i = 0; i < n; i++)
		ret_events[i] = watch->events[(watch->n_events - 1 - i) % WATCH_EVENTS];
	pthread_mutex_unlock(&watch->mutex);
	return n;
}
