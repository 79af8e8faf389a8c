/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One wish after the other, and the newest counts:
 *
 *      wish ---> CHECKING ---------------> PREPARING -----> SWITCHING -----> PROBATION -----> over
 *                spec_loader.c: a thread   supervise: newcomers, exchange, who is ready, who fails
 *                difference.c              |
 *                  |                       |
 *                  '---- a newer wish -----'--> given up, "superseded", and the newer one begins; later, it waits for the end
 *
 * The plan object stays the same for all who hold it; its stages are exchanged with those of the new one, and back if that fails.
 */
#include "broker/cli/reloading.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/kept_spec.h"
#include "broker/cli/notice.h"
#include "broker/cli/sockets.h"
#include "broker/spec/difference.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define RESULTS_KEPT 64u
#define RECIPE                                                                                                            \
	"This can not be changed while it runs. Let it finish what it has, and start it again: weir drain %s, then weir " \
	"run %s\n"

enum state { IDLE, CHECKING, PREPARING, CANARY, SWITCHING, PROBATION, REVERTING };
static const char *const state_names[] = { "waiting",   "checking",  "preparing",   "canary",
					   "switching", "probation", "rolling-back" };

struct wish {
	uint64_t ticket; /* 0: none */
	char *path;      /* owned */
	struct reload_terms terms;
	bool diff;
};

struct result {
	uint64_t ticket;
	const char *outcome; /* static */
	uint64_t by;         /* "superseded": the newer one */
	char *text;          /* owned */
};

struct reloading {
	struct reloading_settings settings;
	char *path; /* of the spec that runs; owned */
	enum state state;
	struct wish now, next;
	uint64_t last_ticket, generation;
	uint64_t begun_ns;
	struct spec_loader *loader;
	struct difference difference;
	struct spec_loaded loaded; /* the other plan, and the findings of its spec */
	struct result results[RESULTS_KEPT];
	bool told; /* systemd: RELOADING */
};

static void say(const struct reloading *reloading, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void say(const struct reloading *reloading, enum weir_log_level level, const char *format, ...)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	va_list arguments;

	va_start(arguments, format);
	text_vprintf(&text, format, arguments);
	va_end(arguments);
	while (text.length && text.data[text.length - 1] == '\n')
		text.data[--text.length] = '\0';
	reloading->settings.log(reloading->settings.data, level, text_get(&text));
}

/* ---- results ---- */

static void note_result(struct reloading *reloading, uint64_t ticket, const char *outcome, uint64_t by,
			struct text *text)
{
	struct result *result = &reloading->results[ticket % RESULTS_KEPT];

	free(result->text);
	*result = (struct result){ .ticket = ticket, .outcome = outcome, .by = by, .text = text_steal(text) };
}

static void supersede(struct reloading *reloading, struct wish *wish)
{
	struct text text = TEXT_NULL;

	must(wish->ticket < reloading->last_ticket);
	text_printf(&text, "a newer reload was wanted: number %" PRIu64 "\n", reloading->last_ticket);
	say(reloading, WEIR_LOG_INFO, "reload of %s: superseded: %s", wish->path, text_get(&text));
	note_result(reloading, wish->ticket, "superseded", reloading->last_ticket, &text);
	free(wish->path);
	*wish = (struct wish){ 0 };
}

/* ---- systemd ---- */

static void tell_begin(struct reloading *reloading)
{
	if (reloading->told)
		return;
	reloading->told = true;
	notice_send(reloading->settings.notice, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading %s",
		    clock_now_ns() / NS_PER_US, reloading->now.path);
}

static void tell_end(struct reloading *reloading, const char *outcome)
{
	if (!reloading->told)
		return;
	reloading->told = false;
	notice_send(reloading->settings.notice,
		    "READY=1\nSTATUS=running, generation %" PRIu64 " of the spec; last reload: %s",
		    reloading->generation, outcome);
}

/* ---- the end of one ---- */

static void begin_next(struct reloading *reloading);

static void forget_loaded(struct reloading *reloading)
{
	plan_free(reloading->loaded.plan);
	diagnostics_deinit(&reloading->loaded.diagnostics);
	reloading->loaded = (struct spec_loaded){ .diagnostics = DIAGNOSTICS_NULL };
	difference_deinit(&reloading->difference);
}

/* What an option is changed from, and to, may be a secret: that is for who has asked, not for the log. */
static void say_outcome(const struct reloading *reloading, const char *outcome, const struct text *text)
{
	bool good = strcmp(outcome, "done") == 0 || strcmp(outcome, "unchanged") == 0;
	bool refused = strcmp(outcome, "refused") == 0;

	say(reloading, good ? WEIR_LOG_NOTICE : WEIR_LOG_WARNING, "reload of %s: %s: %s", reloading->now.path, outcome,
	    refused ? "not while the pipeline runs; 'weir reload --diff' says what" : text_get(text));
}

/* outcome: static. The next wish begins. */
static void finish(struct reloading *reloading, const char *outcome, struct text *text)
{
	if (!reloading->now.diff)
		say_outcome(reloading, outcome, text);
	tell_end(reloading, outcome);
	note_result(reloading, reloading->now.ticket, outcome, 0, text);
	free(reloading->now.path);
	reloading->now = (struct wish){ 0 };
	reloading->state = IDLE;
	forget_loaded(reloading);
	begin_next(reloading);
}

static void finish_words(struct reloading *reloading, const char *outcome, const char *words)
{
	struct text text = TEXT_NULL;

	text_printf(&text, "%s\n", words);
	finish(reloading, outcome, &text);
}

/* ---- checking ---- */

static void add_numbers(const struct reloading *reloading, struct text *text)
{
	const struct difference *difference = &reloading->difference;

	for (size_t i = 0, n = 0; i < difference->n; i++)
		if (difference->list[i].verdict == DIFFERENCE_RESTART)
			text_printf(text, "%s%s", n++ ? ", " : "", difference->list[i].name);
	text_add(text, difference->n_restart ? " restarted" : "nobody had to be restarted");
}

static void refuse(struct reloading *reloading)
{
	struct text text = TEXT_NULL;

	difference_format(&reloading->difference, &text);
	text_printf(&text, RECIPE, reloading->settings.plan->pipeline, reloading->now.path);
	finish(reloading, "refused", &text);
}

static void show_difference(struct reloading *reloading)
{
	struct text text = TEXT_NULL;

	difference_format(&reloading->difference, &text);
	finish(reloading, reloading->difference.refused ? "difference-refused" : "difference", &text);
}

/* The workers that are to come would be given the socket of those that go, whatever the spec says then. */
static bool moves_socket(const struct reloading *reloading, struct text *text)
{
	for (uint32_t i = 0; i < reloading->settings.plan->n_stages; i++) {
		const struct plan_stage *old = &reloading->settings.plan->stages[i];
		const char *before = sockets_address(old),
			   *behind = sockets_address(&reloading->loaded.plan->stages[i]);

		if (!before || !behind || strcmp(before, behind) == 0 ||
		    !supervisor_has_socket(reloading->settings.supervisor, i))
			continue;
		text_printf(
			text,
			"%s: refused: it listens at a socket that weir was started with, so it can't listen at %s instead while it runs. "
			"Change the socket unit, too, and start both again\n",
			old->name, behind);
		return true;
	}
	return false;
}

static void put_into_force(struct reloading *reloading)
{
	struct text why = TEXT_NULL;

	if (moves_socket(reloading, &why)) {
		finish(reloading, "refused", &why);
		return;
	}
	reloading->state = PREPARING;
	tell_begin(reloading);
	say(reloading, WEIR_LOG_NOTICE, "reload of %s: %u stage%s to be restarted", reloading->now.path,
	    reloading->difference.n_restart, reloading->difference.n_restart == 1 ? "" : "s");
	if (supervisor_reload(reloading->settings.supervisor, reloading->loaded.plan, reloading->difference.restarts,
			      reloading->now.terms, &why) == 0)
		return; /* news has come, or will */
	text_add_char(&why, '\n');
	finish(reloading, "stopped", &why);
}

static void on_checked(struct reloading *reloading)
{
	struct text text = TEXT_NULL;

	if (reloading->loaded.r < 0) {
		text_printf(&text, "%s can not be read: %s\n", reloading->now.path,
			    strerrordesc_np(-reloading->loaded.r));
		finish(reloading, "failed", &text);
		return;
	}
	if (reloading->loaded.r) {
		diagnostics_format(&reloading->loaded.diagnostics, false, &text);
		finish(reloading, "invalid", &text);
		return;
	}
	if (difference_of(reloading->settings.plan, reloading->loaded.plan, &reloading->difference) < 0)
		finish_words(reloading, "failed", "no memory to compare the specs");
	else if (reloading->now.diff)
		show_difference(reloading);
	else if (reloading->difference.refused)
		refuse(reloading);
	else if (!reloading->difference.changed)
		finish_words(reloading, "unchanged", "nothing has changed");
	else
		put_into_force(reloading);
}

static void on_loaded(void *data, struct spec_loaded *loaded)
{
	struct reloading *reloading = data;

	reloading->loader = NULL;
	reloading->loaded = *loaded;
	if (reloading->next.ticket) {
		supersede(reloading, &reloading->now);
		reloading->state = IDLE;
		forget_loaded(reloading);
		begin_next(reloading);
		return;
	}
	on_checked(reloading);
}

/* From whom it had its turn, or from whoever wants it: never from within a step of the supervisor's. */
static void begin_next(struct reloading *reloading)
{
	struct spec_wanted wanted = reloading->settings.wanted;
	int r;

	if (reloading->state != IDLE || !reloading->next.ticket)
		return;
	reloading->now = reloading->next;
	reloading->next = (struct wish){ 0 };
	reloading->state = CHECKING;
	reloading->begun_ns = clock_now_ns();
	if (strcmp(reloading->now.path, "-") == 0) {
		finish_words(reloading, "invalid",
			     "the spec that runs came from standard input; name the file that has the new one");
		return;
	}
	wanted.path = reloading->now.path;
	r = spec_loader_start(reloading->settings.event, &wanted, on_loaded, reloading, &reloading->loader);
	if (r < 0)
		finish_words(reloading, "failed", "no room for a thread that reads the spec (ulimit -v, ulimit -u)");
}

/* ---- news of the supervisor ---- */

static void on_exchange(void *data)
{
	struct reloading *reloading = data;
	struct diagnostics of_the_other = reloading->loaded.diagnostics;

	plan_exchange(reloading->settings.plan, reloading->loaded.plan);
	reloading->loaded.diagnostics = *reloading->settings.diagnostics;
	*reloading->settings.diagnostics = of_the_other;
}

static void add_culprit(const struct reload_report *report, struct text *text)
{
	if (report->stage)
		text_printf(text, ": %s#%d", report->stage, report->worker);
	if (report->stage && *report->why)
		text_printf(text, " %s", report->why);
}

static void note_in_force(struct reloading *reloading)
{
	free(reloading->path);
	reloading->path = strdup(reloading->now.path);
	must(reloading->path);
	reloading->generation++;
}

static void on_over(struct reloading *reloading, const struct reload_report *report)
{
	struct text text = TEXT_NULL;
	char duration[QUANTITY_TEXT_SIZE];
	bool in_force = report->how == RELOAD_END_DONE || report->how == RELOAD_END_CUT_SHORT;

	if (report->how == RELOAD_END_ABANDONED) {
		supersede(reloading, &reloading->now);
		reloading->state = IDLE;
		forget_loaded(reloading);
		return; /* who has asked for that begins the next one */
	}
	if (in_force)
		note_in_force(reloading);
	text_add(&text, reload_end_sentence(report->how));
	if (in_force) {
		text_printf(&text, " (generation %" PRIu64 "; ", reloading->generation);
		add_numbers(reloading, &text);
		text_printf(&text, "; %s)", quantity_format_duration(clock_now_ns() - reloading->begun_ns, duration));
	} else {
		add_culprit(report, &text);
	}
	text_add_char(&text, '\n');
	finish(reloading, reload_end_name(report->how), &text);
}

/* From the switch on both may be what the next weir needs: which of them, the estate says. */
static void keep_both(struct reloading *reloading)
{
	int r = kept_spec_put(reloading->settings.kept, reloading->settings.plan, reloading->settings.diagnostics,
			      reloading->now.path);

	if (r < 0)
		say(reloading, WEIR_LOG_WARNING,
		    "the new spec can't be kept: %s; if weir dies after this reload, the next one needs %s as it is now",
		    strerrordesc_np(-r), reloading->now.path);
}

static void on_news(void *data, const struct reload_report *report)
{
	struct reloading *reloading = data;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	switch (report->news) {
	case RELOAD_NEWS_SWITCHING:
		reloading->state = SWITCHING;
		keep_both(reloading);
		return;
	case RELOAD_NEWS_CANARY:
		reloading->state = CANARY;
		say(reloading, WEIR_LOG_NOTICE, "reload of %s: %s#%d goes first, and is watched", reloading->now.path,
		    report->stage, report->worker);
		return;
	case RELOAD_NEWS_SWITCHED:
		reloading->state = PROBATION;
		return;
	case RELOAD_NEWS_REVERTING:
		reloading->state = REVERTING;
		add_culprit(report, &text);
		say(reloading, WEIR_LOG_WARNING, "reload of %s: the spec before comes back%s", reloading->now.path,
		    text_get(&text));
		return;
	case RELOAD_NEWS_OVER:
		kept_spec_settle(reloading->settings.kept, reloading->settings.supervisor);
		on_over(reloading, report);
		return;
	}
}

/* ---- what people want ---- */

static bool refuse_asking(struct text *body, const char *why)
{
	text_add(body, "{\"error\":");
	text_add_json(body, why, strlen(why));
	text_add_char(body, '}');
	return false;
}

/* "3000000000", or "3000000000,4000000000": how long new workers are watched, and how long one may take to open. */
static bool read_terms(const char *at, const char **ret_end, struct reload_terms *ret_terms)
{
	char *end;

	if (*at < '0' || *at > '9')
		return false;
	*ret_terms = (struct reload_terms){ .probation_ns = strtoull(at, &end, 10), .opening_ns = RELOAD_OPENING_NS };
	if (*end == ',' && end[1] >= '0' && end[1] <= '9')
		ret_terms->opening_ns = strtoull(end + 1, &end, 10);
	*ret_end = end;
	return (!*end || *end == ' ') && ret_terms->probation_ns <= RELOAD_TERM_MAX_NS && ret_terms->opening_ns &&
	       ret_terms->opening_ns <= RELOAD_TERM_MAX_NS;
}

/* "run 3000000000 /etc/weir/orders.yaml" */
static bool read_wish(const struct reloading *reloading, const char *argument, struct wish *ret_wish)
{
	const char *at = strchr(argument, ' '), *end;

	*ret_wish = (struct wish){ .diff = strncmp(argument, "diff ", 5) == 0 };
	if (!at || (!ret_wish->diff && strncmp(argument, "run ", 4) != 0) ||
	    !read_terms(at + 1, &end, &ret_wish->terms))
		return false;
	ret_wish->path = strdup(*end == ' ' && end[1] ? end + 1 : reloading->path);
	must(ret_wish->path);
	return true;
}

/* Returns its ticket. Whoever calls this begins the next one. */
static uint64_t want(struct reloading *reloading, const struct wish *wish)
{
	reloading->last_ticket++; /* whoever is superseded is told this one */
	if (reloading->next.ticket)
		supersede(reloading, &reloading->next);
	reloading->next = *wish;
	reloading->next.ticket = reloading->last_ticket;
	if (reloading->state == PREPARING)
		(void)supervisor_reload_abandon(reloading->settings.supervisor);
	return reloading->last_ticket;
}

static bool on_ask(void *data, const char *argument, struct text *body)
{
	struct reloading *reloading = data;
	struct wish wish;

	if (!read_wish(reloading, argument, &wish))
		return refuse_asking(
			body,
			"a reload is `run` or `diff`, how long new workers are watched, and may take to open (ns, an hour at most), and a path");
	if (wish.diff && reloading->state != IDLE) {
		free(wish.path);
		return refuse_asking(body, "a reload is under way; ask again");
	}
	text_printf(body, "{\"ticket\":%" PRIu64 "}", want(reloading, &wish));
	begin_next(reloading);
	return true;
}

void reloading_want(struct reloading *reloading)
{
	struct wish wish = { .path = strdup(reloading->path),
			     .terms = { .opening_ns = RELOAD_OPENING_NS, .probation_ns = RELOAD_PROBATION_NS } };

	must(wish.path);
	(void)want(reloading, &wish);
	begin_next(reloading);
}

static void add_state(const struct reloading *reloading, uint64_t ticket, const struct result *result,
		      struct text *body)
{
	text_printf(body, "{\"ticket\":%" PRIu64 ",\"state\":\"%s\",\"outcome\":", ticket,
		    result                          ? "over" :
		    ticket == reloading->now.ticket ? state_names[reloading->state] :
						      "waiting");
	text_printf(body, result ? "\"%s\",\"by\":%" PRIu64 : "null,\"by\":0", result ? result->outcome : "",
		    result ? result->by : 0);
	text_printf(body, ",\"generation\":%" PRIu64 ",\"spec\":", reloading->generation);
	text_add_json(body, reloading->path, strlen(reloading->path));
	text_add(body, ",\"text\":");
	text_add_json(body, result ? result->text : "", result ? strlen(result->text) : 0);
	text_add_char(body, '}');
}

static bool on_state(void *data, uint64_t ticket, struct text *body)
{
	const struct reloading *reloading = data;
	const struct result *result = &reloading->results[ticket % RESULTS_KEPT];

	if (!ticket || ticket > reloading->last_ticket)
		return refuse_asking(body, "there was no such reload");
	if (ticket == reloading->now.ticket || ticket == reloading->next.ticket)
		add_state(reloading, ticket, NULL, body);
	else if (result->ticket == ticket)
		add_state(reloading, ticket, result, body);
	else
		return refuse_asking(body, "that reload is long over");
	return true;
}

/* ---- birth and end ---- */

int reloading_new(const struct reloading_settings *settings, struct reloading **ret_reloading)
{
	struct reloading *reloading = calloc(1, sizeof(*reloading));

	if (!reloading)
		return error_origin(-ENOMEM);
	*reloading = (struct reloading){ .settings = *settings,
					 .path = strdup(settings->wanted.path),
					 .generation = 1,
					 .loaded = { .diagnostics = DIAGNOSTICS_NULL } };
	if (!reloading->path) {
		free(reloading);
		return error_origin(-ENOMEM);
	}
	supervisor_reload_by(settings->supervisor, &(struct reload_callbacks){ .ask = on_ask,
									       .state = on_state,
									       .exchange = on_exchange,
									       .news = on_news,
									       .data = reloading });
	*ret_reloading = reloading;
	return 0;
}

struct reloading *reloading_free(struct reloading *reloading)
{
	if (!reloading)
		return NULL;
	spec_loader_free(reloading->loader);
	forget_loaded(reloading);
	for (uint32_t i = 0; i < RESULTS_KEPT; i++)
		free(reloading->results[i].text);
	free(reloading->now.path);
	free(reloading->next.path);
	free(reloading->path);
	free(reloading);
	return NULL;
}
