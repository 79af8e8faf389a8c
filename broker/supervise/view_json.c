/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "broker/supervise/view_json.h"
#include "common/base/clock.h"
#include "common/observe/backtrace_line.h"

static void add_key(struct text *text, const char *key)
{
	text_printf(text, "\"%s\":", key);
}

static void add_string(struct text *text, const char *key, const char *value)
{
	add_key(text, key);
	text_add_json(text, value ? value : "", value ? strlen(value) : 0);
}

static void add_number(struct text *text, const char *key, uint64_t value)
{
	add_key(text, key);
	text_printf(text, "%" PRIu64, value);
}

/* Seconds since a moment; null when it has not come. */
static void add_age(struct text *text, const char *key, uint64_t now_ns, uint64_t since_ns)
{
	add_key(text, key);
	if (since_ns && since_ns <= now_ns)
		text_printf(text, "%.3f", (double)(now_ns - since_ns) / (double)NS_PER_S);
	else
		text_add(text, "null");
}

void ledger_format_json(const uint64_t ledger[static LEDGER_COUNT], struct text *text)
{
	text_add_char(text, '{');
	for (unsigned i = 0; i < LEDGER_COUNT; i++) {
		if (i)
			text_add_char(text, ',');
		add_number(text, ledger_lines[i].name, ledger[i]);
	}
	text_add_char(text, '}');
}

static void add_progress(struct text *text, uint64_t position, uint64_t total)
{
	add_number(text, "progress", position);
	text_add_char(text, ',');
	add_number(text, "progress_total", total);
}

static void add_frames(struct text *text, const char *frames)
{
	for (const char *between; *frames; frames = between + strlen(BACKTRACE_BETWEEN)) {
		between = strstr(frames, BACKTRACE_BETWEEN);
		text_add_json(text, frames, between ? (size_t)(between - frames) : strlen(frames));
		if (!between)
			return;
		text_add_char(text, ',');
	}
}

static void add_backtrace(const struct view *view, const struct view_worker *worker, struct text *text)
{
	const char *frames = worker->backtrace ? strstr(worker->backtrace, BACKTRACE_COLON) : NULL;
	const char *about = frames ? memchr(worker->backtrace, '(', (size_t)(frames - worker->backtrace)) : NULL;

	if (!frames) {
		text_add(text, ",\"backtrace\":null");
		return;
	}
	text_add(text, ",\"backtrace\":{");
	add_number(text, "generation", worker->backtrace_generation);
	text_add_char(text, ',');
	add_age(text, "seconds", view->now_ns, worker->backtrace_ns);
	text_add(text, ",\"about\":");
	text_add_json(text, about ? about + 1 : "",
		      about ? (size_t)(frames - about) - 2 : 0); /* without the brackets */
	text_add(text, ",\"frames\":[");
	add_frames(text, frames + strlen(BACKTRACE_COLON));
	text_add(text, "]}");
}

/* Of a worker: null where none was asked for; else the kernel's word on what is in force. */
static void add_sandbox(const struct view_stage *stage, const struct view_worker *worker, struct text *text)
{
	if (!stage->sandboxed)
		text_add(text, ",\"sandbox\":null");
	else
		text_printf(text, ",\"sandbox\":{\"landlock_abi\":%d,\"filters\":%d}", stage->landlock_abi,
			    worker->filters);
}

static void format_worker(const struct view *view, const struct view_stage *stage, const struct view_worker *worker,
			  struct text *text)
{
	text_add_char(text, '{');
	add_number(text, "slot", worker->slot);
	text_add_char(text, ',');
	add_number(text, "index", worker->index);
	text_add_char(text, ',');
	add_key(text, "pid");
	if (worker->pid > 0)
		text_printf(text, "%d,", (int)worker->pid);
	else
		text_add(text, "null,");
	add_number(text, "generation", worker->generation);
	text_add_char(text, ',');
	add_number(text, "restarts", worker->restarts);
	text_add_char(text, ',');
	add_number(text, "overruns", worker->overruns);
	text_add_char(text, ',');
	add_string(text, "state", worker->state);
	text_add_char(text, ',');
	add_age(text, "state_seconds", view->now_ns, worker->state_since_ns);
	text_add_char(text, ',');
	add_progress(text, worker->progress_position, worker->progress_total);
	text_add_char(text, ',');
	add_number(text, "queue_bytes", worker->queue_bytes);
	text_add_char(text, ',');
	add_number(text, "queue_capacity_bytes", worker->queue_capacity_bytes);
	text_add_char(text, ',');
	add_number(text, "ahead_bytes", worker->ahead_bytes);
	text_add_char(text, ',');
	add_number(text, "ahead_capacity_bytes", worker->ahead_capacity_bytes);
	text_add(text, ",\"ledger\":");
	ledger_format_json(worker->ledger, text);
	add_backtrace(view, worker, text);
	add_sandbox(stage, worker, text);
	text_add_char(text, '}');
}

static void format_stage(const struct view *view, const struct view_stage *stage, struct text *text)
{
	text_add_char(text, '{');
	add_string(text, "name", stage->name);
	text_add_char(text, ',');
	add_string(text, "role", stage->role);
	text_add_char(text, ',');
	add_string(text, "kind", stage->kind);
	text_add_char(text, ',');
	add_number(text, "live", stage->n_live);
	text_add_char(text, ',');
	add_number(text, "restarts", stage->restarts);
	text_add_char(text, ',');
	add_number(text, "overruns", stage->overruns);
	text_add_char(text, ',');
	add_number(text, "wanted", stage->n_wanted);
	text_add_char(text, ',');
	add_number(text, "resting", stage->n_resting);
	text_add(text, stage->scaling ? ",\"scaling\":true," : ",\"scaling\":false,");
	add_number(text, "retired", stage->n_retired);
	text_add(text, stage->dropped ? ",\"dropped\":true" : ",\"dropped\":false");
	text_add_char(text, ',');
	add_number(text, "queue_bytes", stage->queue_bytes);
	text_add_char(text, ',');
	add_number(text, "queue_capacity_bytes", stage->queue_capacity_bytes);
	text_add_char(text, ',');
	add_progress(text, stage->progress_position, stage->progress_total);
	text_add(text, ",\"ledger\":");
	ledger_format_json(stage->ledger, text);
	text_add(text, ",\"workers\":[");
	for (uint32_t i = 0; i < stage->n_workers; i++) {
		if (i)
			text_add_char(text, ',');
		format_worker(view, stage, &stage->workers[i], text);
	}
	text_add(text, "]}");
}

void view_format_json(const struct view *view, struct text *text)
{
	text_add_char(text, '{');
	add_string(text, "pipeline", view->pipeline);
	text_add_char(text, ',');
	add_string(text, "phase", view->phase);
	text_add_char(text, ',');
	add_string(text, "cause", view->cause);
	text_add_char(text, ',');
	add_number(text, "pid", (uint64_t)view->pid);
	text_add_char(text, ',');
	add_age(text, "uptime_seconds", view->now_ns, view->started_ns);
	text_add(text, ",\"stop_seconds_left\":");
	if (view->stop_deadline_ns)
		text_printf(text, "%.3f,",
			    view->stop_deadline_ns > view->now_ns ?
				    (double)(view->stop_deadline_ns - view->now_ns) / (double)NS_PER_S :
				    0.0);
	else
		text_add(text, "null,");
	add_number(text, "in_flight", view->in_flight);
	text_add(text, ",\"ledger\":");
	ledger_format_json(view->ledger, text);
	text_add(text, ",\"stages\":[");
	for (uint32_t i = 0; i < view->n_stages; i++) {
		if (i)
			text_add_char(text, ',');
		format_stage(view, &view->stages[i], text);
	}
	text_add(text, "]}");
}
