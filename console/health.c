/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live: the supervisor's loop turns, for it answers. Started: all workers were ready once. Ready: it runs, each stage has somebody who
 * works or has done its work, and nothing stands still. What was not heard of within the time is not so, with that as the reason.
 */
#include "console/health.h"

#include <string.h>

#include "broker/cli/json_read.h"
#include "console/json.h"

static void add_reason(struct text *text, unsigned *n, const char *reason)
{
	json_next(text, (*n)++);
	text_add_json(text, reason, strlen(reason));
}

bool health_live(const char *unknown, uint64_t age_ns, struct text *text)
{
	bool live = !*unknown;
	unsigned n = 0;

	text_printf(text, "{\"live\":%s,\"reasons\":[", live ? "true" : "false");
	if (!live)
		add_reason(text, &n, unknown);
	text_add_char(text, ']');
	if (live)
		json_add_seconds(text, "age_seconds", age_ns);
	text_add(text, "}\n");
	return live;
}

bool health_startup(const struct view *view, const char *unknown, struct text *text)
{
	bool started = view && view->started_ns;
	unsigned n = 0;

	text_printf(text, "{\"started\":%s,\"reasons\":[", started ? "true" : "false");
	if (!started)
		add_reason(text, &n, view ? "not all workers have been ready yet" : unknown);
	text_add(text, "]}\n");
	return started;
}

static bool works(const struct view_stage *stage)
{
	for (uint32_t i = 0; i < stage->n_workers; i++)
		if (stage->workers[i].pid > 0 || strcmp(stage->workers[i].state, "ended") == 0)
			return true;
	return stage->dropped || !stage->n_workers;
}

static void add_stages(const struct view *view, struct text *text, unsigned *n)
{
	for (uint32_t i = 0; i < view->n_stages; i++) {
		_cleanup_(text_deinit) struct text reason = TEXT_NULL;

		if (works(&view->stages[i]))
			continue;
		text_printf(&reason, "no worker of stage %s lives", view->stages[i].name);
		add_reason(text, n, text_get(&reason));
	}
}

/* Its findings have a sentence each. */
static void add_stalls(const char *why, struct text *text, unsigned *n)
{
	struct fy_document *document = json_parse(why);
	struct fy_node *findings = document ? json_get(fy_document_root(document), "findings") : NULL;
	int n_findings = findings && fy_node_is_sequence(findings) ? fy_node_sequence_item_count(findings) : 0;

	for (int i = 0; i < n_findings; i++) {
		const char *said = json_string(fy_node_sequence_get_by_index(findings, i), "sentence");

		add_reason(text, n, *said ? said : "something stands still: weir why says what");
	}
	fy_document_destroy(document);
}

bool health_ready(const struct view *view, const char *unknown, const char *why, struct text *text)
{
	_cleanup_(text_deinit) struct text reasons = TEXT_NULL, phase = TEXT_NULL;
	unsigned n = 0;

	if (!view) {
		add_reason(&reasons, &n, unknown);
	} else {
		if (strcmp(view->phase, "running") != 0) {
			text_printf(&phase, "the pipeline is %s", view->phase);
			add_reason(&reasons, &n, text_get(&phase));
		}
		add_stages(view, &reasons, &n);
		if (why)
			add_stalls(why, &reasons, &n);
	}
	text_printf(text, "{\"ready\":%s,\"reasons\":[%s]}\n", n ? "false" : "true", text_get(&reasons));
	return n == 0;
}
