/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever happens to pipeline and supervisor, there is an answer in time: from the segments, which are always there, and from what the
 * supervisor said last. What is not known is said to be not known.
 */
#include "console/routes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/view_read.h"
#include "broker/observe/observer.h"
#include "common/base/clock.h"
#include "console/asker.h"
#include "console/exposition.h"
#include "console/health.h"
#include "console/json.h"
#include "console/letters.h"
#include "console/page.h"
#include "console/picture.h"
#include "console/watch.h"

#define WAIT_NS (1500 * NS_PER_MS)
#define HEALTH_NS (3 * NS_PER_S) /* what is older says nothing of its health */
#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

typedef void route_function(const struct console *console, const char *argument, struct reply *reply);

struct route {
	const char *path;
	route_function *answer;
	const char *summary;
};

static void reply_with(struct reply *reply, unsigned status, const char *type)
{
	reply->status = status;
	reply->type = type;
}

void reply_deinit(struct reply *reply)
{
	text_deinit(&reply->body);
}

void reply_fail(struct reply *reply, unsigned status, const char *sentence)
{
	reply_with(reply, status, TYPE_JSON);
	text_add(&reply->body, "{\"error\":");
	text_add_json(&reply->body, sentence, strlen(sentence));
	text_add(&reply->body, "}\n");
}

/* ---- the page ---- */

static void reply_constant(struct reply *reply, const char *type, const char *begin, const char *end)
{
	reply_with(reply, 200, type);
	reply->constant = begin;
	reply->constant_bytes = (size_t)(end - begin);
}

static void answer_page(const struct console *console, const char *argument, struct reply *reply)
{
	(void)console, (void)argument;
	reply_constant(reply, "text/html; charset=utf-8", page_html, page_html_end);
}

static void answer_style(const struct console *console, const char *argument, struct reply *reply)
{
	(void)console, (void)argument;
	reply_constant(reply, "text/css; charset=utf-8", page_css, page_css_end);
}

static void answer_program(const struct console *console, const char *argument, struct reply *reply)
{
	(void)console, (void)argument;
	reply_constant(reply, "text/javascript; charset=utf-8", page_js, page_js_end);
}

/* ---- what the supervisor says ---- */

/* The view, if there is one that is not stale; `unknown` gets why not, static. */
static const struct view *ask_view(const struct console *console, uint64_t age_max_ns, struct view_copy *copy,
				   const char **ret_unknown)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	uint64_t age_ns;
	int r = asker_get(console->asker, QUESTION_STATUS, WAIT_NS, &body, &age_ns);

	if (r == 0 && age_ns > age_max_ns)
		r = ASKER_E_NO_ANSWER;
	*ret_unknown = asker_explain(r);
	if (r)
		return NULL;
	if (view_read(text_get(&body), copy) == 0)
		return &copy->view;
	*ret_unknown = "the supervisor's answer makes no sense";
	return NULL;
}

static void pass_on(const struct console *console, enum question question, struct reply *reply)
{
	uint64_t age_ns;
	int r = asker_get(console->asker, question, WAIT_NS, &reply->body, &age_ns);

	if (r) {
		text_clear(&reply->body);
		reply_fail(reply, 503, asker_explain(r));
		return;
	}
	reply_with(reply, 200, TYPE_JSON);
	text_add_char(&reply->body, '\n');
}

static void answer_status(const struct console *console, const char *argument, struct reply *reply)
{
	(void)argument;
	pass_on(console, QUESTION_STATUS, reply);
}

static void answer_why(const struct console *console, const char *argument, struct reply *reply)
{
	(void)argument;
	pass_on(console, QUESTION_WHY, reply);
}

static void answer_metrics_json(const struct console *console, const char *argument, struct reply *reply)
{
	(void)argument;
	pass_on(console, QUESTION_METRICS, reply);
}

/* ---- health ---- */

static void answer_live(const struct console *console, const char *argument, struct reply *reply)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	uint64_t age_ns;
	int r = asker_get(console->asker, QUESTION_PING, WAIT_NS, &body, &age_ns);

	(void)argument;
	if (r == 0 && age_ns > HEALTH_NS)
		r = ASKER_E_NO_ANSWER;
	reply_with(reply, health_live(asker_explain(r), age_ns, &reply->body) ? 200 : 503, TYPE_JSON);
}

static void answer_startup(const struct console *console, const char *argument, struct reply *reply)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	const char *unknown;
	const struct view *view = ask_view(console, HEALTH_NS, &copy, &unknown);

	(void)argument;
	reply_with(reply, health_startup(view, unknown, &reply->body) ? 200 : 503, TYPE_JSON);
}

static void answer_ready(const struct console *console, const char *argument, struct reply *reply)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const char *unknown;
	const struct view *view = ask_view(console, HEALTH_NS, &copy, &unknown);
	uint64_t age_ns;
	bool known = view && asker_get(console->asker, QUESTION_WHY, WAIT_NS, &why, &age_ns) == 0;

	(void)argument;
	reply_with(reply, health_ready(view, unknown, known ? text_get(&why) : NULL, &reply->body) ? 200 : 503,
		   TYPE_JSON);
}

/* ---- what the console sees itself ---- */

static const struct observer *hold_or_fail(const struct console *console, struct reply *reply)
{
	const struct observer *observer = watch_hold(console->watch);

	if (!observer)
		reply_fail(
			reply, 503,
			watch_state_of(console->watch) == WATCH_SHUT ?
				"the pipeline can not be looked into: another version of weir, or too many observers" :
				"the pipeline is not running");
	return observer;
}

static void answer_plan(const struct console *console, const char *argument, struct reply *reply)
{
	const struct observer *observer = hold_or_fail(console, reply);

	(void)argument;
	if (!observer)
		return;
	picture_plan(observer, &reply->body);
	watch_release(console->watch);
	reply_with(reply, 200, TYPE_JSON);
}

static void answer_now(const struct console *console, const char *argument, struct reply *reply)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	const char *unknown, *state;
	const struct view *view = ask_view(console, ASKER_STALE_NS, &copy, &unknown);
	const struct observer *observer = hold_or_fail(console, reply);

	(void)argument;
	if (!observer)
		return;
	picture_now(observer, view, &reply->body);
	watch_release(console->watch);
	reply->body.length--; /* two more members in the same object */
	state = watch_state_name(watch_state_of(console->watch));
	json_add_string(&reply->body, "seen", state);
	json_add_string(&reply->body, "unknown", unknown);
	text_add(&reply->body, "}\n");
	reply_with(reply, 200, TYPE_JSON);
}

/* Decimal digits alone; UINT32_MAX: something else. */
static uint32_t number_of(const char *digits)
{
	char *end;
	unsigned long number;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 9)
		return UINT32_MAX;
	number = strtoul(digits, &end, 10);
	return (uint32_t)number;
}

static void answer_worker(const struct console *console, const char *argument, struct reply *reply)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	const char *unknown;
	const struct view *view = ask_view(console, ASKER_STALE_NS, &copy, &unknown);
	const struct observer *observer = hold_or_fail(console, reply);
	uint32_t slot = number_of(argument);
	bool known;

	if (!observer)
		return;
	known = slot < observer_catalog(observer)->head->n_slots;
	if (known)
		picture_worker(observer, slot, view, &reply->body);
	watch_release(console->watch);
	if (known)
		reply_with(reply, 200, TYPE_JSON);
	else
		reply_fail(reply, 404, "there is no such slot: /api/plan says which there are");
}

static void add_event(const struct watch_event *event, struct text *text)
{
	text_add_char(text, '{');
	json_add_number(text, "number", event->number);
	json_key(text, "time");
	text_printf(text, "%" PRIu64 ".%03" PRIu64, event->realtime_ns / NS_PER_S,
		    event->realtime_ns % NS_PER_S / NS_PER_MS);
	json_add_string(text, "kind", watch_event_name(event->kind));
	json_add_string(text, "summary", watch_event_summary(event->kind));
	json_add_string(text, "stage", event->stage);
	if (event->worker >= 0)
		json_add_number(text, "worker", (uint64_t)event->worker);
	json_add_number(text, "amount", event->amount);
	text_add_char(text, '}');
}

static void answer_events(const struct console *console, const char *argument, struct reply *reply)
{
	struct watch_event events[WATCH_EVENTS];
	unsigned n = watch_events(console->watch, events);

	(void)argument;
	text_add(&reply->body, "{\"events\":[");
	for (unsigned i = 0; i < n; i++) {
		json_next(&reply->body, i);
		add_event(&events[i], &reply->body);
	}
	text_add(&reply->body, "]}\n");
	reply_with(reply, 200, TYPE_JSON);
}

static void answer_letters(const struct console *console, const char *argument, struct reply *reply)
{
	(void)argument;
	letters_format(console->dead_letter_store, &reply->body);
	text_add_char(&reply->body, '\n');
	reply_with(reply, 200, TYPE_JSON);
}

/* A supervisor that says nothing costs a scrape its own metrics and no more; weir_console_supervisor_up says so. */
static void answer_metrics(const struct console *console, const char *argument, struct reply *reply)
{
	uint64_t age_ns;
	int r = asker_get_exposition(console->asker, WAIT_NS, &reply->body, &age_ns);
	_cleanup_(text_deinit) struct text own = TEXT_NULL;
	const struct observer *observer = watch_hold(console->watch);

	(void)argument;
	if (observer) {
		exposition_of_segments(observer, r ? "" : text_get(&reply->body), &own);
		watch_release(console->watch);
	}
	text_add(&reply->body, text_get(&own));
	text_printf(&reply->body,
		    "# HELP weir_console_supervisor_up whether the supervisor has answered within the last 10 s\n"
		    "# TYPE weir_console_supervisor_up gauge\nweir_console_supervisor_up %d\n",
		    r == 0);
	reply_with(reply, 200, TYPE_METRICS);
}

/* ---- the table ---- */

static void answer_list(const struct console *console, const char *argument, struct reply *reply);

static const struct route routes[] = {
#define ROUTE(path, function, summary) { path, answer_##function, summary },
#include "console/route.def"
#undef ROUTE
};
#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

static void answer_list(const struct console *console, const char *argument, struct reply *reply)
{
	(void)console, (void)argument;
	text_add(&reply->body, "{\"paths\":{");
	for (uint32_t i = 0; i < N_ROUTES; i++)
		json_add_string(&reply->body, routes[i].path, routes[i].summary);
	text_add(&reply->body, "}}\n");
	reply_with(reply, 200, TYPE_JSON);
}

/* NULL: it is not this one; else what follows. */
static const char *match(const struct route *route, const char *path)
{
	size_t n = strlen(route->path);
	bool takes_more = n > 1 && route->path[n - 1] == '/';

	if (strncmp(path, route->path, n) != 0)
		return NULL;
	return takes_more || !path[n] ? path + n : NULL;
}

void route_answer(const struct console *console, const char *path, struct reply *ret_reply)
{
	for (size_t i = 0; i < N_ROUTES; i++) {
		const char *argument = match(&routes[i], path);

		if (argument) {
			routes[i].answer(console, argument, ret_reply);
			return;
		}
	}
	reply_fail(ret_reply, 404, "there is nothing here: /api lists what there is");
}
