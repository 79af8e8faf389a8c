/* SPDX-License-Identifier: Apache-2.0 */
/* weir graph, its forms for programs, and the words that the forms share. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/graph.h"
#include "broker/cli/spec_request.h"
#include "broker/cli/terminal.h"
#include "common/stage/registry.h"

#define WHAT_SIZE_MAX 60u

static const struct heritage_option *find_option(const struct plan_stage *stage, const char *name)
{
	for (uint32_t i = 0; i < stage->n_options; i++)
		if (strcmp(stage->options[i].name, name) == 0)
			return &stage->options[i];
	return NULL;
}

/* The words of a list, of a shell command only the command. */
static void add_words(const struct heritage_option *option, struct text *text)
{
	uint32_t first =
		option->n_list == 3 && strcmp(option->list[0], "sh") == 0 && strcmp(option->list[1], "-c") == 0 ? 2 : 0;

	for (uint32_t i = first; i < option->n_list; i++)
		text_printf(text, " %s", option->list[i]);
	if (!option->n_list && option->string)
		text_printf(text, " %s", option->string);
}

void graph_what(const struct plan_stage *stage, struct text *text)
{
	const struct heritage_option *telling = find_option(stage, "command");
	_cleanup_(text_deinit) struct text what = TEXT_NULL;
	size_t n;

	if (stage->plugin)
		text_printf(&what, "plugin %s", stage->kind);
	else if (stage->role == WEIR_OPERATOR)
		text_add(&what, stage->kind);
	else
		text_printf(&what, "%s %s", stage_role_name(stage->role), stage->kind);
	if (!telling && !stage->plugin)
		telling = find_option(stage, "path");
	if (telling)
		add_words(telling, &what);
	n = what.length < WHAT_SIZE_MAX ? what.length : WHAT_SIZE_MAX;
	while (n < what.length && ((unsigned char)what.data[n] & 0xc0) == 0x80)
		n--; /* not within a character */
	for (size_t i = 0; i < n; i++)
		text_add_char(text, (unsigned char)what.data[i] < 0x20 || what.data[i] == 0x7f ? ' ' : what.data[i]);
	text_add(text, n < what.length ? "..." : "");
}

static const char *balance_name(const struct plan_stage *stage)
{
	return stage->balance == HERITAGE_ROUND_ROBIN ? "round-robin" :
	       stage->balance == HERITAGE_BALANCE_KEY ? "by key" :
							"least-loaded";
}

static const char *full_name(const struct plan_stage *stage)
{
	static const char *const names[] = { "block", "reject", "drop-new", "drop-old" };

	return names[stage->full];
}

/* Which of its outputs. */
static void add_names(const struct plan *plan, const struct plan_edge *edge, struct text *text)
{
	const char *name, *before = "";

	if (plan->stages[edge->from].has_errors)
		text_printf(text, "%s%s", edge->names & WEIR_OUTPUT_ITEMS ? "items " : "",
			    plan->stages[edge->from].errors_name);
	for (uint32_t i = 0; i < 64 && (name = plan_output_name(&plan->stages[edge->from], i)); i++)
		if (edge->names >> i & 1) {
			text_printf(text, "%s%s", before, name);
			before = " ";
		}
}

/* What is not as it usually is. */
static void add_admission(const struct plan *plan, const struct plan_stage *stage, struct text *text)
{
	if (stage->rendezvous)
		text_printf(text, "%scapacity 0", text->length ? ", " : "");
	if (stage->full != HERITAGE_FULL_BLOCK)
		text_printf(text, "%sfull: %s", text->length ? ", " : "", full_name(stage));
	if (stage->in_flight > 1)
		text_printf(text, "%s%u in flight", text->length ? ", " : "", stage->in_flight);
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		const struct plan_edge *edge = &plan->edges[stage->inputs[i]];

		if (edge->feedback)
			text_printf(text, "%sback from %s, credit %u", text->length ? ", " : "",
				    plan->stages[edge->from].name, edge->credit);
		if (edge->names && !(plan->stages[edge->from].has_errors && edge->names == WEIR_OUTPUT_ITEMS)) {
			text_printf(text, "%sof %s: ", text->length ? ", " : "", plan->stages[edge->from].name);
			add_names(plan, edge, text);
		}
	}
}

void graph_manner(const struct plan *plan, const struct plan_stage *stage, struct text *text)
{
	bool ordered = stage->order == PLAN_ORDER_FIFO && stage->workers > 1, merges = false;

	for (uint32_t i = 0; i < stage->n_inputs; i++)
		merges = merges || plan->edges[stage->inputs[i]].merge;
	if (stage->workers > 1)
		text_printf(text, "%u workers, %s, %s", stage->workers,
			    ordered                        ? "fifo" :
			    stage->order == PLAN_ORDER_KEY ? "in order by key" :
							     "any order",
			    ordered && merges ? "in turn" : balance_name(stage));
	else if (merges)
		text_add(text, "puts back in order");
	add_admission(plan, stage, text);
}

static const char *edge_order_name(const struct plan_edge *edge)
{
	return edge->order == HERITAGE_ORDER_DEAL ? "deal" : edge->order == HERITAGE_ORDER_KEEP ? "keep" : "none";
}

static uint32_t edge_lanes(const struct plan *plan, const struct plan_edge *edge)
{
	return plan->stages[edge->from].workers * plan->stages[edge->to].workers;
}

static void add_dot_string(struct text *text, const char *string)
{
	for (; *string; string++)
		text_printf(text, "%s%c", *string == '"' || *string == '\\' ? "\\" : "", *string);
}

void graph_dot(const struct plan *plan, struct text *text)
{
	text_printf(text,
		    "digraph \"%s\" {\n\trankdir=LR;\n\tnode [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
		    plan->pipeline);
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		_cleanup_(text_deinit) struct text what = TEXT_NULL, manner = TEXT_NULL;

		graph_what(&plan->stages[i], &what);
		graph_manner(plan, &plan->stages[i], &manner);
		text_printf(text, "\t\"%s\" [label=\"%s\\n", plan->stages[i].name, plan->stages[i].name);
		add_dot_string(text, text_get(&what));
		text_printf(text, "%s%s\"];\n", manner.length ? "\\n" : "", text_get(&manner));
	}
	for (uint32_t i = 0; i < plan->n_edges; i++) {
		const struct plan_edge *edge = &plan->edges[i];
		uint32_t n = edge_lanes(plan, edge);

		text_printf(text, "\t\"%s\" -> \"%s\"", plan->stages[edge->from].name, plan->stages[edge->to].name);
		if (edge->feedback)
			text_printf(text, " [label=\"credit %u\", style=dashed, constraint=false]", edge->credit);
		else if (n > 1)
			text_printf(text, " [label=\"%u lanes%s\"]", n, edge->order ? ", in order" : "");
		text_add(text, ";\n");
	}
	text_add(text, "}\n");
}

static void add_mermaid_string(struct text *text, const char *string)
{
	for (; *string; string++) {
		if (strchr("\"<>#&;`|", *string))
			text_printf(text, "#%d;", *string);
		else
			text_add_char(text, *string);
	}
}

void graph_mermaid(const struct plan *plan, struct text *text)
{
	text_add(text, "flowchart LR\n");
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		_cleanup_(text_deinit) struct text what = TEXT_NULL, manner = TEXT_NULL;

		graph_what(&plan->stages[i], &what);
		graph_manner(plan, &plan->stages[i], &manner);
		text_printf(text, "\ts%u[\"%s<br/>", i, plan->stages[i].name);
		add_mermaid_string(text, text_get(&what));
		text_printf(text, "%s%s\"]\n", manner.length ? "<br/>" : "", text_get(&manner));
	}
	for (uint32_t i = 0; i < plan->n_edges; i++) {
		const struct plan_edge *edge = &plan->edges[i];
		uint32_t n = edge_lanes(plan, edge);

		text_printf(text, edge->feedback ? "\ts%u -.->" : "\ts%u -->", edge->from);
		if (edge->feedback)
			text_printf(text, "|credit %u|", edge->credit);
		else if (n > 1)
			text_printf(text, "|%u lanes%s|", n, edge->order ? ", in order" : "");
		text_printf(text, " s%u\n", edge->to);
	}
}

static void add_string(struct text *text, const char *name, const char *value)
{
	text_printf(text, "\"%s\":", name);
	if (value)
		text_add_json(text, value, strlen(value));
	else
		text_add(text, "null");
}

static void option_json(const struct heritage_option *option, struct text *text)
{
	text_add_json(text, option->name, strlen(option->name));
	text_add_char(text, ':');
	if (option->type == HERITAGE_NUMBER) {
		text_printf(text, "%lld", (long long)option->number);
	} else if (option->type == HERITAGE_STRING) {
		text_add_json(text, option->string, strlen(option->string));
	} else {
		text_add_char(text, '[');
		for (uint32_t i = 0; i < option->n_list; i++) {
			text_add(text, i ? "," : "");
			text_add_json(text, option->list[i], strlen(option->list[i]));
		}
		text_add_char(text, ']');
	}
}

static void stage_json(const struct plan_stage *stage, struct text *text)
{
	text_add_char(text, '{');
	add_string(text, "name", stage->name);
	text_add_char(text, ',');
	add_string(text, "role", stage_role_name(stage->role));
	text_add_char(text, ',');
	add_string(text, "kind", stage->kind);
	if (stage->plugin) {
		text_add_char(text, ',');
		add_string(text, "plugin", stage->plugin);
	}
	text_printf(
		text,
		",\"workers\":%u,\"order\":\"%s\",\"balance\":\"%s\",\"full\":\"%s\",\"rendezvous\":%s,\"in_flight\":%u,\"on_failure\":\"%s\",\"batch\":%u,\"lane_bytes\":%llu,\"grace_ns\":%llu,\"attempts\":%u,",
		stage->workers,
		stage->order == PLAN_ORDER_FIFO ? "fifo" :
		stage->order == PLAN_ORDER_KEY  ? "key" :
						  "none",
		stage->balance == HERITAGE_BALANCE_KEY ? "key" : balance_name(stage), full_name(stage),
		stage->rendezvous ? "true" : "false", stage->in_flight,
		stage->degrade     ? "degrade" :
		stage->drop_branch ? "drop_branch" :
				     "fail",
		stage->batch, (unsigned long long)stage->lane_bytes, (unsigned long long)stage->grace_ns,
		stage->attempts);
	add_string(text, "dead_letter_path", stage->dead_letter_path);
	text_add(text, ",\"options\":{");
	for (uint32_t i = 0; i < stage->n_options; i++) {
		text_add(text, i ? "," : "");
		option_json(&stage->options[i], text);
	}
	text_add(text, "}}");
}

void graph_json(const struct plan *plan, struct text *text)
{
	text_add_char(text, '{');
	add_string(text, "pipeline", plan->pipeline);
	text_printf(
		text,
		",\"finite\":%s,\"deadline_ns\":%llu,\"drain_ns\":%llu,\"workers\":%u,\"lanes\":%u,\"memory_bound_bytes\":%llu,\"stages\":[",
		plan->finite ? "true" : "false", (unsigned long long)plan->deadline_ns,
		(unsigned long long)plan->drain_ns, plan->n_slots, plan->n_lanes,
		(unsigned long long)plan->memory_bound_bytes);
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		text_add(text, i ? "," : "");
		stage_json(&plan->stages[i], text);
	}
	text_add(text, "],\"edges\":[");
	for (uint32_t i = 0; i < plan->n_edges; i++) {
		const struct plan_edge *edge = &plan->edges[i];

		text_add(text, i ? ",{" : "{");
		add_string(text, "from", plan->stages[edge->from].name);
		text_add_char(text, ',');
		add_string(text, "to", plan->stages[edge->to].name);
		text_printf(text, ",\"order\":\"%s\",\"merge\":%s,\"credit\":%u,\"lanes\":%u,\"lane_bytes\":%llu}",
			    edge_order_name(edge), edge->merge ? "true" : "false", edge->credit, edge_lanes(plan, edge),
			    (unsigned long long)edge->lane_bytes);
	}
	text_add(text, "]}\n");
}

static void errors_json(const struct spec_request *request, struct text *text)
{
	text_add(text, "{\"ok\":false,\"diagnostics\":");
	diagnostics_format_json(&request->diagnostics, text);
	text_add(text, "}\n");
}

int graph_command(int argc, char **argv)
{
	_cleanup_(spec_request_deinit) struct spec_request request = SPEC_REQUEST_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct terminal terminal;
	int r = spec_request_parse(&request, argc, argv), printed;

	if (r >= 0)
		return r;
	if (!request.format)
		request.format = request.json ? "json" : "text";
	if (strcmp(request.format, "json") == 0)
		request.json = true;
	else if (strcmp(request.format, "text") != 0 && strcmp(request.format, "dot") != 0 &&
		 strcmp(request.format, "mermaid") != 0)
		return command_usage_error(command_find(argv[0]), "--format is text, dot, mermaid or json, not '%s'",
					   request.format);
	r = spec_request_load(&request);
	terminal_detect(STDOUT_FILENO, &terminal);
	if (!request.plan && request.json)
		errors_json(&request, &text);
	else if (request.plan && request.format[0] == 'j')
		graph_json(request.plan, &text);
	else if (request.plan && request.format[0] == 'd')
		graph_dot(request.plan, &text);
	else if (request.plan && request.format[0] == 'm')
		graph_mermaid(request.plan, &text);
	else if (request.plan)
		graph_text(request.plan, terminal.utf8, &text);
	printed = spec_request_print(&text);
	return r ? r : printed;
}
