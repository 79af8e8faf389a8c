/* SPDX-License-Identifier: Apache-2.0 */
/* Findings in words: who waits for whom, how much, and what the culprit does meanwhile; always with numbers. */
#include <inttypes.h>
#include <string.h>

#include "broker/observe/pace_priv.h"
#include "common/base/quantity.h"

const struct pace_kind_line pace_kind_lines[] = {
#define PACE_KIND(id_, name_, by_design_, summary_, advice_) { name_, summary_, advice_, by_design_ },
#include "broker/observe/pace_kind.def"
#undef PACE_KIND
};

static const char *name_of(const struct catalog *catalog, uint32_t stage)
{
	return pace_stage_name(catalog, stage);
}

static int percent(double share)
{
	return share <= 0 ? 0 : share >= 1 ? 100 : (int)(100 * share + 0.5);
}

static void add_duration(struct text *text, double ns)
{
	char buffer[QUANTITY_TEXT_SIZE];

	if (ns < (double)NS_PER_US)
		text_printf(text, "%.0f ns", ns);
	else
		text_add(text, quantity_format_duration((uint64_t)ns, buffer));
}

static void add_rate(struct text *text, double per_second)
{
	char buffer[QUANTITY_TEXT_SIZE];

	if (per_second >= 100)
		text_printf(text, "%s items/s", quantity_format_count((uint64_t)(per_second + 0.5), buffer));
	else
		text_printf(text, "%.1f items/s", per_second);
}

/* "risk", "risk (8 workers)", "risk#2". */
static void add_who(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	uint32_t workers = catalog->stages[finding->stage].workers;

	text_add(text, name_of(catalog, finding->stage));
	if (finding->worker != PACE_NONE)
		text_printf(text, "#%" PRIu32, catalog->slots[finding->worker].worker_index);
	else if (workers > 1)
		text_printf(text, " (up to %" PRIu32 " workers)", workers);
}

/* "read waits for room at clean, clean waits for room at risk 93 % of the time; " */
static void add_chain(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	for (uint32_t i = 0; i + 1 < finding->n_chain; i++)
		text_printf(text, "%s%s waits for room at %s", i ? ", " : "", name_of(catalog, finding->chain[i]),
			    name_of(catalog, finding->chain[i + 1]));
	if (finding->n_chain > 1)
		text_printf(text, " %d%% of the time; ", percent(finding->waits));
}

static void add_doing(const struct pace_finding *finding, struct text *text)
{
	text_printf(text, "is busy %d%%", percent(finding->busy));
	if (percent(finding->outside))
		text_printf(text, ", waits for something outside %d%%", percent(finding->outside));
	if (percent(finding->idle))
		text_printf(text, ", for items %d%%", percent(finding->idle));
	if (percent(finding->starved))
		text_printf(text, ", for a processor %d%%", percent(finding->starved));
	text_add(text, " of the time; ");
	if (finding->item_ns > 0) {
		add_duration(text, finding->item_ns);
		text_add(text, " an item, ");
	}
	add_rate(text, finding->per_second);
}

static void add_flow(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	char buffer[QUANTITY_TEXT_SIZE];

	add_chain(catalog, finding, text);
	add_who(catalog, finding, text);
	text_add_char(text, ' ');
	add_doing(finding, text);
	if (finding->kind == PACE_IS_SMALL_LANE && finding->edge != PACE_NONE)
		text_printf(text, "; the lane holds %s",
			    quantity_format_size(catalog->edges[finding->edge].lane_bytes, buffer));
}

static void add_odd_one(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	add_flow(catalog, finding, text);
	if (finding->kind == PACE_IS_HOT_KEY)
		text_printf(text, ", which are %d%% of the items of %s", percent(finding->share),
			    name_of(catalog, finding->stage));
	if (finding->kind == PACE_IS_SLOW_WORKER && finding->others_ns > 0) {
		text_add(text, "; the other workers of that stage take ");
		add_duration(text, finding->others_ns);
	}
}

static void add_awaited(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	text_printf(text, "%s has items and waits %d%% of the time for those of ", name_of(catalog, finding->chain[0]),
		    percent(finding->waits));
	add_who(catalog, finding, text);
	text_add(text, ", which ");
	add_doing(finding, text);
}

static void add_deaths(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	text_printf(text, "%s: %" PRIu64 " workers have died within ", name_of(catalog, finding->stage), finding->n);
	add_duration(text, finding->for_s * (double)NS_PER_S);
	if (!finding->text || !*finding->text)
		return;
	text_add(text, "; the last one ");
	text_add_visible(text, finding->text, strlen(finding->text)); /* a name in it is the program's own */
}

static void add_program(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	add_who(catalog, finding, text);
	text_printf(text, ": its program %s (pid %d) ", finding->program, (int)finding->program_pid);
	if (finding->kind == PACE_IS_PROGRAM_STOPPED)
		text_add(text, "is stopped by a signal");
	else
		text_printf(text, "waits for more input and has not answered %" PRIu64 " items that it was given",
			    finding->n);
}

static void add_loss(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	static const char *const verbs[PACE_KIND_COUNT] = { [PACE_IS_DROPS] = "are skipped, for its lane is full",
							    [PACE_IS_DEAD_LETTERS] = "are refused or given up",
							    [PACE_IS_EXPIRING] = "are too old" };
	char buffer[QUANTITY_TEXT_SIZE];

	text_printf(text, "%d%% of the items of %s (%s in ", percent(finding->share), name_of(catalog, finding->stage),
		    quantity_format_count(finding->n, buffer));
	add_duration(text, finding->for_s * (double)NS_PER_S);
	text_printf(text, ") %s; it ", verbs[finding->kind]);
	add_doing(finding, text);
}

static void add_partner(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	const char *partner =
		finding->edge == PACE_NONE ? "its partner" : name_of(catalog, catalog->edges[finding->edge].to);

	if (finding->kind == PACE_IS_BREAKER)
		text_printf(text, "%s calls %s for %d%% of what comes; the rest goes to its fallback",
			    name_of(catalog, finding->stage), partner, percent(finding->share));
	else
		text_printf(text, "%s calls %s %.1f times for each item that comes", name_of(catalog, finding->stage),
			    partner, finding->share);
}

static void add_turns(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	text_printf(text, "%s: its number of workers has gone up and down, with %" PRIu64 " turns within ",
		    name_of(catalog, finding->stage), finding->n);
	add_duration(text, finding->for_s * (double)NS_PER_S);
}

static void add_source(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	text_add(text, "all others wait for items; ");
	add_who(catalog, finding, text);
	text_add_char(text, ' ');
	add_doing(finding, text);
	if (finding->program)
		text_printf(text, "; its program %s (pid %d) is running", finding->program, (int)finding->program_pid);
}

void pace_describe(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	switch (finding->kind) {
	case PACE_IS_SLOW_WORKER:
	case PACE_IS_HOT_KEY:
		add_odd_one(catalog, finding, text);
		return;
	case PACE_IS_HEAD_OF_LINE:
	case PACE_IS_SILENT_INPUT:
		add_awaited(catalog, finding, text);
		return;
	case PACE_IS_POISON:
	case PACE_IS_CRASHING:
		add_deaths(catalog, finding, text);
		return;
	case PACE_IS_BUFFERING:
	case PACE_IS_PROGRAM_STOPPED:
		add_program(catalog, finding, text);
		return;
	case PACE_IS_DEAD_LETTERS:
	case PACE_IS_EXPIRING:
	case PACE_IS_DROPS:
		add_loss(catalog, finding, text);
		return;
	case PACE_IS_BREAKER:
	case PACE_IS_RETRIES:
		add_partner(catalog, finding, text);
		return;
	case PACE_IS_THRASHING:
		add_turns(catalog, finding, text);
		return;
	case PACE_IS_SOURCE:
		add_source(catalog, finding, text);
		return;
	default:
		add_flow(catalog, finding, text);
	}
}

void pace_advise(const struct catalog *catalog, const struct pace_finding *finding, const char *pipeline,
		 struct text *text)
{
	text_add(text, pace_kind_lines[finding->kind].advice);
	if (finding->kind == PACE_IS_SLOW_STAGE)
		text_printf(text, "; weir why %s --stack %s shows where it is", pipeline,
			    name_of(catalog, finding->stage));
}

static void add_chain_json(const struct catalog *catalog, const struct pace_finding *finding, struct text *text)
{
	text_add(text, ",\"chain\":[");
	for (uint32_t i = 0; i < finding->n_chain; i++) {
		const char *name = name_of(catalog, finding->chain[i]);

		if (i)
			text_add_char(text, ',');
		text_add_json(text, name, strlen(name));
	}
	text_add_char(text, ']');
}

static void add_text_json(struct text *text, const char *key, const struct text *value)
{
	text_printf(text, ",\"%s\":", key);
	text_add_json(text, text_get(value), value->length);
}

void pace_format_json(const struct catalog *catalog, const struct pace_finding *finding, const char *pipeline,
		      struct text *text)
{
	const struct pace_kind_line *line = &pace_kind_lines[finding->kind];
	const char *name = name_of(catalog, finding->stage);
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL, advice = TEXT_NULL;

	pace_describe(catalog, finding, &sentence);
	pace_advise(catalog, finding, pipeline, &advice);
	text_printf(text, "{\"kind\":\"%s\",\"by_design\":%s,\"stage\":", line->name,
		    line->by_design ? "true" : "false");
	text_add_json(text, name, strlen(name));
	if (finding->worker == PACE_NONE)
		text_add(text, ",\"index\":null");
	else
		text_printf(text, ",\"index\":%" PRIu32, catalog->slots[finding->worker].worker_index);
	text_printf(text, ",\"waits\":%.3f,\"busy\":%.3f,\"outside\":%.3f,\"idle\":%.3f,\"starved\":%.3f",
		    finding->waits, finding->busy, finding->outside, finding->idle, finding->starved);
	text_printf(text, ",\"items_per_second\":%.3f,\"item_seconds\":%.9f,\"share\":%.3f,\"n\":%" PRIu64,
		    finding->per_second, finding->item_ns / (double)NS_PER_S, finding->share, finding->n);
	add_chain_json(catalog, finding, text);
	add_text_json(text, "sentence", &sentence);
	add_text_json(text, "advice", &advice);
	text_add_char(text, '}');
}
