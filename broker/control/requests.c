/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs are rows of one table. Those that stop the pipeline only give the order and answer at once: the client that wants to see
 * the end asks for "status" until the pipeline is gone. All are idempotent; asking again can only bring the end nearer.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/control/requests.h"
#include "broker/supervise/supervisor.h"
#include "broker/supervise/view.h"
#include "broker/supervise/view_json.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/scope/cause.h"

#define STOP_DEFAULT_NS (5 * NS_PER_S)
#define TIMEOUT_MAX_NS (UINT64_C(365) * 86400 * NS_PER_S)

struct request {
	struct supervisor *supervisor; /* NULL: not up yet */
	const struct request_counters *counters;
	struct message_bytes argument;
	uint64_t timeout_ns;
	uint64_t now_ns;
};

typedef enum request_status request_function(const struct request *request, struct text *body);

/* {"error": "..."}, with the words that would have done. */
static void add_error(struct text *body, const char *error)
{
	text_add(body, "{\"error\":");
	text_add_json(body, error, strlen(error));
}

static char *string_of(struct message_bytes bytes)
{
	char *string = strndup(bytes.data ? bytes.data : "", bytes.size_bytes);

	must(string);
	return string;
}

/* Absolute; a timeout of 0 means the default, a default of 0 means none. */
static uint64_t deadline_of(const struct request *request, uint64_t default_ns)
{
	uint64_t timeout_ns = request->timeout_ns ? request->timeout_ns : default_ns;

	if (!timeout_ns)
		return 0;
	return request->now_ns + (timeout_ns < TIMEOUT_MAX_NS ? timeout_ns : TIMEOUT_MAX_NS);
}

/* What an order to stop is answered with: that it was taken, and how long it may last. */
static enum request_status answer_accepted(const struct request *request, struct text *body)
{
	struct view view;

	view_take(request->supervisor, &view);
	text_add(body, "{\"accepted\":true,\"phase\":");
	text_add_json(body, view.phase ? view.phase : "", view.phase ? strlen(view.phase) : 0);
	text_add(body, ",\"stop_seconds_left\":");
	if (view.stop_deadline_ns)
		text_printf(body, "%.3f}",
			    view.stop_deadline_ns > request->now_ns ?
				    (double)(view.stop_deadline_ns - request->now_ns) / (double)NS_PER_S :
				    0.0);
	else
		text_add(body, "null}");
	view_deinit(&view);
	return REQUEST_DONE;
}

static enum request_status answer_ping(const struct request *request, struct text *body)
{
	(void)request;
	text_printf(body, "{\"pid\":%d,\"wire_version\":%u}", (int)getpid(), WIRE_VERSION);
	return REQUEST_DONE;
}

static enum request_status answer_status(const struct request *request, struct text *body)
{
	struct view view;

	view_take(request->supervisor, &view);
	view_format_json(&view, body);
	view_deinit(&view);
	/* One more key in the same object. */
	must(body->length && body->data[body->length - 1] == '}');
	body->length--;
	text_printf(body, ",\"control\":{\"refused\":%" PRIu64 ",\"dropped\":%" PRIu64 "}}", request->counters->refused,
		    request->counters->dropped);
	return REQUEST_DONE;
}

static enum request_status answer_why(const struct request *request, struct text *body)
{
	supervisor_why(request->supervisor, body);
	return REQUEST_DONE;
}

static enum request_status answer_dump(const struct request *request, struct text *body)
{
	_cleanup_(free) char *stage = string_of(request->argument);

	supervisor_dump(request->supervisor, stage, body);
	return REQUEST_DONE;
}

static enum request_status answer_history(const struct request *request, struct text *body)
{
	_cleanup_(free) char *from = string_of(request->argument);

	supervisor_history(request->supervisor, strtoull(from, NULL, 10), body);
	return REQUEST_DONE;
}

static enum request_status answer_replay(const struct request *request, struct text *body)
{
	_cleanup_(free) char *stage = string_of(request->argument);

	return supervisor_replay(request->supervisor, stage, body) ? REQUEST_DONE : REQUEST_FAILED;
}

static enum request_status answer_stack(const struct request *request, struct text *body)
{
	_cleanup_(free) char *stage = string_of(request->argument);

	supervisor_ask_backtraces(request->supervisor, stage, body);
	return REQUEST_DONE;
}

static enum request_status answer_metrics(const struct request *request, struct text *body)
{
	supervisor_metrics(request->supervisor, body);
	return REQUEST_DONE;
}

static enum request_status answer_drain(const struct request *request, struct text *body)
{
	supervisor_drain(request->supervisor, deadline_of(request, 0), "weir drain");
	return answer_accepted(request, body);
}

static enum request_status answer_resume(const struct request *request, struct text *body)
{
	const char *why_not = supervisor_resume(request->supervisor, "weir resume");

	if (!why_not)
		return answer_accepted(request, body);
	add_error(body, why_not);
	text_add(body, "}");
	return REQUEST_FAILED;
}

static enum request_status answer_reload(const struct request *request, struct text *body)
{
	_cleanup_(free) char *argument = string_of(request->argument);

	return supervisor_ask_reload(request->supervisor, argument, body) ? REQUEST_DONE : REQUEST_FAILED;
}

static enum request_status answer_reload_state(const struct request *request, struct text *body)
{
	_cleanup_(free) char *ticket = string_of(request->argument);

	return supervisor_reload_state(request->supervisor, strtoull(ticket, NULL, 10), body) ? REQUEST_DONE :
												REQUEST_FAILED;
}

static enum request_status answer_stop(const struct request *request, struct text *body)
{
	supervisor_drain(request->supervisor, deadline_of(request, STOP_DEFAULT_NS), "weir stop");
	return answer_accepted(request, body);
}

static int cause_of(struct message_bytes name)
{
	if (!name.size_bytes)
		return CAUSE_USER;
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		if (strlen(cause_lines[i].name) == name.size_bytes &&
		    memcmp(cause_lines[i].name, name.data, name.size_bytes) == 0)
			return i;
	return -1;
}

static enum request_status refuse_cause(struct text *body)
{
	add_error(body, "no such cause");
	text_add(body, ",\"causes\":[");
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		text_printf(body, "%s\"%s\"", i > CAUSE_NONE + 1 ? "," : "", cause_lines[i].name);
	text_add(body, "]}");
	return REQUEST_BAD;
}

static enum request_status answer_cancel(const struct request *request, struct text *body)
{
	int cause = cause_of(request->argument);

	if (cause < 0)
		return refuse_cause(body);
	supervisor_cancel(request->supervisor, (enum cause)cause, "weir cancel");
	/* The ladder is under way now: this only lets the earlier deadline count. */
	if (request->timeout_ns)
		supervisor_drain(request->supervisor, deadline_of(request, 0), "weir cancel");
	return answer_accepted(request, body);
}

/* "WHAT" or "WHAT CAUSE": the word, and what is behind it. */
static struct message_bytes split_word(struct message_bytes argument, struct message_bytes *ret_rest)
{
	const char *blank = argument.size_bytes ? memchr(argument.data, ' ', argument.size_bytes) : NULL;
	struct message_bytes word = argument;

	*ret_rest = (struct message_bytes){ "", 0 };
	if (blank) {
		word.size_bytes = (size_t)(blank - argument.data);
		*ret_rest = (struct message_bytes){ blank + 1, argument.size_bytes - word.size_bytes - 1 };
	}
	return word;
}

/* What a cancel of a part is answered with, once it is given: who has not acknowledged it. */
static enum request_status answer_refused(int r, const struct text *why, struct text *body)
{
	add_error(body, text_get(why));
	text_add_char(body, '}');
	return r == SUPERVISOR_E_TOO_EARLY ? REQUEST_TOO_EARLY : REQUEST_FAILED;
}

static enum request_status answer_cancel_stage(const struct request *request, struct text *body)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct message_bytes cause_name, name = split_word(request->argument, &cause_name);
	_cleanup_(free) char *stage = string_of(name);
	int cause = cause_of(cause_name), r;

	if (cause < 0)
		return refuse_cause(body);
	r = supervisor_cancel_stage(request->supervisor, stage, (enum cause)cause, "weir cancel", &why);
	if (r != 0 && r != SUPERVISOR_E_ALREADY)
		return answer_refused(r, &why, body);
	text_printf(body, "{\"accepted\":true,\"already\":%s,\"waiting\":", r ? "true" : "false");
	supervisor_stage_unseen(request->supervisor, stage, body);
	text_add_char(body, '}');
	return REQUEST_DONE;
}

/* Decimal, 1 to 2^64 - 1; 0: it is none. */
static uint64_t number_of(struct message_bytes digits)
{
	uint64_t number = 0;

	for (size_t i = 0; i < digits.size_bytes; i++) {
		unsigned digit = (unsigned char)digits.data[i] - (unsigned)'0';

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	return number;
}

static enum request_status answer_cancel_scope(const struct request *request, struct text *body)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct message_bytes cause_name, name = split_word(request->argument, &cause_name);
	uint64_t scope = number_of(name);
	int cause = cause_of(cause_name), r;
	uint32_t epoch;

	if (cause < 0)
		return refuse_cause(body);
	if (!scope) {
		add_error(body, "a scope is a number from 1 to 18446744073709551615");
		text_add_char(body, '}');
		return REQUEST_BAD;
	}
	r = supervisor_cancel_scope(request->supervisor, scope, (enum cause)cause,
				    request->timeout_ns < TIMEOUT_MAX_NS ? request->timeout_ns : TIMEOUT_MAX_NS,
				    "weir cancel", &epoch, &why);
	if (r != 0 && r != SUPERVISOR_E_ALREADY)
		return answer_refused(r, &why, body);
	text_printf(body, "{\"accepted\":true,\"already\":%s,\"epoch\":%" PRIu32 ",\"waiting\":", r ? "true" : "false",
		    epoch);
	supervisor_scope_unseen(request->supervisor, epoch, body);
	text_add_char(body, '}');
	return REQUEST_DONE;
}

/* "STAGE N"; and without N: how far that is. */
static enum request_status answer_scale(const struct request *request, struct text *body)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct message_bytes digits, name = split_word(request->argument, &digits);
	_cleanup_(free) char *stage = string_of(name);
	uint64_t n = number_of(digits);
	int r = 0;

	if (digits.size_bytes && (!n || n > UINT32_MAX)) {
		add_error(body, "a number of workers is 1 or more");
		text_add_char(body, '}');
		return REQUEST_BAD;
	}
	if (digits.size_bytes)
		r = supervisor_scale(request->supervisor, stage, (uint32_t)n, "weir scale", &why);
	if (r != 0)
		return answer_refused(r, &why, body);
	supervisor_scale_progress(request->supervisor, stage, body);
	return REQUEST_DONE;
}

static const struct verb {
	struct request_line line;
	request_function *answer;
	bool early;       /* can be answered before there is a supervisor */
	bool about_stage; /* its argument begins with the name of one */
} verbs[] = {
	{ { "ping", "", "is anybody there, and who" }, answer_ping, true, false },
	{ { "status", "", "the whole view: stages, workers, ledger" }, answer_status, false, false },
	{ { "why", "", "what keeps it from moving, and who waits for whom" }, answer_why, false, false },
	{ { "dump", "stage", "what each of its workers does, or waits for, on which lane and item" },
	  answer_dump,
	  false,
	  true },
	{ { "history", "number", "what has happened, from that event on; the last 1024" },
	  answer_history,
	  false,
	  false },
	{ { "stack", "stage", "its workers are asked where they stand; status has the answers" },
	  answer_stack,
	  false,
	  true },
	{ { "replay", "stage", "dead letters are marked to be given to that stage again: its workers look" },
	  answer_replay,
	  false,
	  true },
	{ { "metrics", "", "all metrics with their labels" }, answer_metrics, false, false },
	{ { "drain", "", "sources take nothing more in, the rest is finished" }, answer_drain, false, false },
	{ { "resume", "", "a drain is taken back, if no source has ended" }, answer_resume, false, false },
	{ { "reload", "what probation,opening path",
	    "another spec is wanted: run it, or diff; how long new workers are watched, and may take to open, ns" },
	  answer_reload,
	  false,
	  false },
	{ { "reload-state", "ticket", "what has become of that reload" }, answer_reload_state, false, false },
	{ { "stop", "", "drain, for 5 s at most unless timeout_ns says otherwise" }, answer_stop, false, false },
	{ { "cancel", "cause", "end at once; empty: user" }, answer_cancel, false, false },
	{ { "cancel-stage", "stage cause", "end one stage at once, the rest goes on without it" },
	  answer_cancel_stage,
	  false,
	  true },
	{ { "scale", "stage number", "that stage gets so many workers; without a number: how many it has" },
	  answer_scale,
	  false,
	  true },
	{ { "cancel-scope", "number cause", "items of that scope are not started any more, for timeout_ns or 10 min" },
	  answer_cancel_scope,
	  false,
	  false },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

const size_t n_request_lines = N_VERBS;

const struct request_line *request_line_at(size_t index)
{
	return &verbs[index].line;
}

static bool names_stage(const struct request *request, struct text *body)
{
	struct message_bytes rest;
	_cleanup_(free) char *stage = string_of(split_word(request->argument, &rest));

	return supervisor_has_stage(request->supervisor, stage, body);
}

static const struct verb *verb_find(struct message_bytes name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strlen(verbs[i].line.verb) == name.size_bytes &&
		    memcmp(verbs[i].line.verb, name.data, name.size_bytes) == 0)
			return &verbs[i];
	return NULL;
}

enum request_status request_answer(struct supervisor *supervisor, const struct request_counters *counters,
				   const struct message_request *request, uint64_t now_ns, struct text *ret_body)
{
	const struct verb *verb = verb_find(request->verb);
	struct request context = {
		.supervisor = supervisor,
		.counters = counters,
		.argument = request->argument,
		.timeout_ns = request->timeout_ns,
		.now_ns = now_ns,
	};

	if (!verb) {
		add_error(ret_body, "no such verb");
		text_add(ret_body, ",\"verbs\":[");
		for (size_t i = 0; i < N_VERBS; i++)
			text_printf(ret_body, "%s\"%s\"", i ? "," : "", verbs[i].line.verb);
		text_add(ret_body, "]}");
		return REQUEST_BAD;
	}
	if (!supervisor && !verb->early) {
		add_error(ret_body, "the pipeline is still starting; ask again");
		text_add_char(ret_body, '}');
		return REQUEST_TOO_EARLY;
	}
	if (verb->about_stage && !names_stage(&context, ret_body))
		return REQUEST_NO_STAGE;
	return verb->answer(&context, ret_body);
}
