/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three things are looked at, each as often as it is worth:
 *
 *      segments, through the door     every 2 ms, seldomer where a look takes long    what everybody does, what lies where
 *      /proc, programs of stages      every 25 ms                                     running, stopped, waiting for input
 *      the supervisor                 every 250 ms, history at the end                who sits where, what has happened
 *
 * Only the last of them is noticed by the pipeline, and costs its supervisor what `weir top` does.
 */
#include "broker/cli/why_look.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/control/client.h"
#include "broker/control/run_dir.h"
#include "broker/observe/pace_look.h"
#include "broker/observe/reading.h"
#include "broker/supervise/history.h"
#include "broker/supervise/process_state.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"

#define DOOR_WAIT_NS (2 * NS_PER_S)
#define LOOK_NS (2 * NS_PER_MS)
#define LOOK_NS_MAX (50 * NS_PER_MS)
#define LOOK_COST_SHARE 10u /* at most one part in so many is spent on looks */
#define PROGRAM_NS (25 * NS_PER_MS)
#define ASK_NS (250 * NS_PER_MS)
#define WITH_ITEM " with item "

/* ---- what has become of it ---- */

static void heed_news(struct why_look *look)
{
	enum observer_news news = look->over ? OBSERVER_SAME : observer_look(look->observer);

	if (news == OBSERVER_SAME)
		return;
	look->over = true;
	look->replanned = news == OBSERVER_REPLANNED;
	text_add(&look->trouble, news == OBSERVER_REPLANNED ? "another spec was put into force meanwhile: ask again" :
				 news == OBSERVER_ENDED     ? "it has ended meanwhile" :
							      "its supervisor is gone");
}

/* Who does not answer may be gone, and have said so at the door. */
static void heed_silence(struct why_look *look, bool gone)
{
	heed_news(look);
	if (look->over)
		return;
	look->over = true;
	text_add(&look->trouble, gone ? "it has ended meanwhile" : "it does not answer (any more)");
}

/* ---- the supervisor ---- */

static bool counts(const struct view_worker *worker)
{
	static const char *const idle[] = { "resting", "retired", "ended", "stopped" };

	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		if (strcmp(worker->state, idle[i]) == 0)
			return false;
	return true;
}

static void hear_worker(struct pace_view *view, const struct view_worker *told)
{
	struct pace_worker *worker = &view->workers[told->slot];

	worker->counts = counts(told);
	worker->pid = told->pid;
	worker->restarts = told->restarts;
}

/* Of another layout than the catalog's nothing is taken. Returns whether it runs. */
static bool hear(const struct why_look *look, struct pace_view *view, const struct view *told)
{
	uint32_t n_slots = observer_catalog(look->observer)->head->n_slots;

	for (uint32_t i = 0; i < told->n_stages; i++)
		for (uint32_t w = 0; w < told->stages[i].n_workers; w++)
			if (told->stages[i].workers[w].slot < n_slots)
				hear_worker(view, &told->stages[i].workers[w]);
	return strcmp(told->phase, "running") == 0;
}

static void ask(struct why_look *look, struct pace_view *view)
{
	struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int status = 0, r = pipeline_try(look->name, "status", NULL, 0, &status, &body);

	if (r != 0 || status != 0 || view_read(text_get(&body), &copy) != 0) {
		heed_silence(look, r == CONTROL_E_NOT_RUNNING);
		return;
	}
	view->running = hear(look, view, &copy.view);
	view_copy_deinit(&copy);
}

/* ---- what has happened ---- */

static void hear_event(struct pace_view *view, const struct catalog *catalog, struct fy_node *node, int64_t now_ms)
{
	const char *name = json_string(node, "event"), *text = json_string(node, "text");
	bool died = strcmp(name, history_kind_name(HISTORY_DIED)) == 0;
	uint32_t stage = catalog_find_stage(catalog, json_string(node, "stage"));
	const char *item = strstr(text, WITH_ITEM);
	struct pace_event *event;

	if (stage == UINT32_MAX || (!died && strcmp(name, history_kind_name(HISTORY_SCALED)) != 0))
		return;
	if (view->n_events == PACE_EVENTS_MAX) {
		memmove(view->events, view->events + 1, (PACE_EVENTS_MAX - 1) * sizeof(*view->events));
		view->n_events--;
	}
	event = &view->events[view->n_events++];
	*event = (struct pace_event){ .kind = died ? PACE_EVENT_DIED : PACE_EVENT_SCALED,
				      .stage = stage,
				      .ago_ms = now_ms - (int64_t)(strtod(json_string(node, "time"), NULL) * 1000),
				      .item = died && item ? strtoull(item + strlen(WITH_ITEM), NULL, 10) + 1 : 0,
				      .n_workers = died ? 0 : (uint32_t)strtoul(text, NULL, 10) };
	for (size_t i = 0; text[i] && i + 1 < sizeof(event->text); i++)
		event->text[i] = text[i];
}

static void ask_history(struct why_look *look)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct fy_document *document;
	struct fy_node *events, *node;
	void *at = NULL;
	int status = 0;

	if (pipeline_try(look->name, "history", NULL, 0, &status, &body) != 0 || status != 0)
		return; /* all the rest is known */
	document = json_parse(text_get(&body));
	events = json_get(document ? fy_document_root(document) : NULL, "events");
	while (events && fy_node_is_sequence(events) && (node = fy_node_sequence_iterate(events, &at)))
		hear_event(&look->after, observer_catalog(look->observer), node,
			   (int64_t)(clock_realtime_ns() / NS_PER_MS));
	fy_document_destroy(document);
}

/* ---- the kernel ---- */

/* Items that it has given to its program, and not had back. One that waits for room may leave answers lie that are there. */
static bool waits_for_answers(const struct why_look *look, uint32_t slot)
{
	struct worker_reading reading;

	read_worker(look->observer, slot, clock_now_ns(), &reading);
	return reading.has_ledger && reading.ledger[LEDGER_HELD] && reading.state != WORKER_STATE_WAIT_SPACE;
}

static void look_at_program(const struct why_look *look, struct pace_worker *worker, uint32_t slot)
{
	uint64_t starved_ns;
	char state;

	worker->program_pid = process_child(worker->pid, worker->program);
	if (!worker->program_pid)
		return;
	state = process_state(worker->program_pid, &starved_ns);
	worker->n_program_looks++;
	worker->n_program_ran += state == 'R';
	worker->n_program_stopped += state == 'T';
	worker->n_program_reads +=
		state == 'S' && process_reads_input(worker->program_pid) && waits_for_answers(look, slot);
}

static void look_at_programs(struct why_look *look)
{
	const struct catalog *catalog = observer_catalog(look->observer);

	for (uint32_t i = 0; i < catalog->head->n_slots; i++)
		if (look->after.workers[i].counts && look->after.workers[i].pid &&
		    strcmp(catalog_string(catalog, catalog->stages[catalog->slots[i].stage].kind), "exec") == 0)
			look_at_program(look, &look->after.workers[i], i);
}

static void look_at_processors(const struct why_look *look, struct pace_view *view)
{
	for (uint32_t i = 0; i < observer_catalog(look->observer)->head->n_slots; i++)
		if (view->workers[i].counts && view->workers[i].pid)
			(void)process_state(view->workers[i].pid, &view->workers[i].starved_ns);
}

/* ---- the look ---- */

static void open_look(struct why_look *look)
{
	_cleanup_(free) char *run_dir = run_dir_path(look->name);
	const struct catalog *catalog;

	must(run_dir);
	if (observer_open(run_dir, DOOR_WAIT_NS, &look->observer, &look->trouble) != 0) {
		look->over = true;
		return;
	}
	catalog = observer_catalog(look->observer);
	pace_view_init(&look->before, catalog);
	pace_view_init(&look->after, catalog);
	ask(look, &look->before);
	look->running = look->before.running;
	if (look->over || !look->running)
		return;
	look_at_processors(look, &look->before);
	memcpy(look->after.workers, look->before.workers, catalog->head->n_slots * sizeof(*look->after.workers));
	look->after.running = true;
	pace_count(look->observer, &look->before, clock_now_ns());
}

/* What they have done up to now; the memory of who is gone can be read all the same. */
static void count(struct why_look *look)
{
	if (look->replanned)
		return;
	pace_count(look->observer, &look->after, clock_now_ns());
	look->seconds = (double)(look->after.now_ns - look->before.now_ns) / (double)NS_PER_S;
}

static bool is_open(const struct why_look *look)
{
	return look->observer && !look->over && look->running;
}

static void look_once(struct why_look *look, bool programs, bool asks)
{
	heed_news(look);
	if (is_open(look))
		pace_look(look->observer, &look->after, clock_now_ns());
	if (is_open(look) && programs)
		look_at_programs(look);
	if (is_open(look) && asks) {
		ask(look, &look->after);
		look->running = look->running && look->after.running;
	}
	if (!is_open(look))
		count(look);
}

static bool look_at_all(struct why_look *looks, size_t n, bool programs, bool asks)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		if (is_open(&looks[i])) {
			look_once(&looks[i], programs, asks);
			any = any || is_open(&looks[i]);
		}
	return any;
}

static void look_for(struct why_look *looks, size_t n, uint64_t window_ns)
{
	uint64_t now_ns = clock_now_ns(), end_ns = now_ns + window_ns, program_ns = now_ns, ask_ns = now_ns + ASK_NS;

	while (now_ns < end_ns) {
		uint64_t cost_ns, pause_ns;
		bool programs = now_ns >= program_ns, asks = now_ns >= ask_ns;

		if (!look_at_all(looks, n, programs, asks))
			return;
		program_ns = programs ? now_ns + PROGRAM_NS : program_ns;
		ask_ns = asks ? now_ns + ASK_NS : ask_ns;
		cost_ns = programs || asks ? 0 : clock_now_ns() - now_ns;
		pause_ns = LOOK_COST_SHARE * cost_ns > LOOK_NS ? LOOK_COST_SHARE * cost_ns : LOOK_NS;
		pause_ns = pause_ns > LOOK_NS_MAX ? LOOK_NS_MAX : pause_ns;
		nanosleep(&(struct timespec){ .tv_nsec = (long)pause_ns }, NULL);
		now_ns = clock_now_ns();
	}
}

static void judge(struct why_look *look)
{
	if (!is_open(look))
		return;
	ask(look, &look->after);
	if (!look->over) {
		look_at_processors(look, &look->after);
		ask_history(look);
	}
	heed_news(look);
	count(look);
	look->running = look->running && look->after.running;
	if (is_open(look))
		look->n_findings =
			pace_find(observer_catalog(look->observer), &look->before, &look->after, look->findings);
}

void why_look(struct why_look *looks, size_t n, uint64_t window_ns)
{
	for (size_t i = 0; i < n; i++)
		open_look(&looks[i]);
	look_for(looks, n, window_ns);
	for (size_t i = 0; i < n; i++)
		judge(&looks[i]);
}

void why_look_deinit(struct why_look *look)
{
	pace_view_deinit(&look->before);
	pace_view_deinit(&look->after);
	look->observer = observer_close(look->observer);
	text_deinit(&look->trouble);
}
