/* SPDX-License-Identifier: Apache-2.0 */
/* weir check: everything that `weir run` does with a spec before it starts anything. */
#include <stdio.h>
#include <string.h>

#include "broker/cli/check.h"
#include "broker/cli/spec_request.h"
#include "broker/supervise/supervisor.h"
#include "common/base/quantity.h"

static void add_findings(const struct spec_request *request, struct text *text)
{
	text_add(text, ",\"diagnostics\":");
	diagnostics_format_json(&request->diagnostics, text);
	text_add(text, "}\n");
}

static void format_json(const struct spec_request *request, struct text *text)
{
	const struct plan *plan = request->plan;

	text_printf(text, "{\"ok\":%s,\"path\":", plan ? "true" : "false");
	text_add_json(text, request->path, strlen(request->path));
	if (plan) {
		text_add(text, ",\"pipeline\":");
		text_add_json(text, plan->pipeline, strlen(plan->pipeline));
		text_printf(
			text,
			",\"stages\":%u,\"workers\":%u,\"workers_start\":%u,\"lanes\":%u,\"memory_bound_bytes\":%llu,"
			"\"memory_start_bytes\":%llu,\"finite\":%s",
			plan->n_stages, plan->n_slots, plan_workers_at_first(plan), plan->n_lanes,
			(unsigned long long)plan->memory_bound_bytes, (unsigned long long)plan->memory_start_bytes,
			plan->finite ? "true" : "false");
	}
	add_findings(request, text);
}

static void format_text(const struct spec_request *request, struct text *text)
{
	const struct plan *plan = request->plan;
	char size[QUANTITY_TEXT_SIZE];
	uint32_t n_at_first = plan_workers_at_first(plan);

	text_printf(text, "%s: ok, %u stage%s, %u worker%s, memory at most %s", request->path, plan->n_stages,
		    plan->n_stages == 1 ? "" : "s", plan->n_slots, plan->n_slots == 1 ? "" : "s",
		    quantity_format_size(plan->memory_bound_bytes, size));
	if (n_at_first < plan->n_slots)
		text_printf(text, "; at first %u, and %s", n_at_first,
			    quantity_format_size(plan->memory_start_bytes, size));
	text_add_char(text, '\n');
}

static void say_errors(const struct spec_request *request)
{
	size_t n = request->diagnostics.n_errors;

	fprintf(stderr, "%s: %zu error%s\n", request->path, n, n == 1 ? "" : "s");
}

int check_command(int argc, char **argv)
{
	_cleanup_(spec_request_deinit) struct spec_request request = SPEC_REQUEST_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	int r = spec_request_parse(&request, argc, argv), printed = 0;

	if (r >= 0)
		return r;
	r = spec_request_load(&request);
	if (r == EXIT_TRY_AGAIN)
		return r;
	if (request.json)
		format_json(&request, &text);
	else if (r == 0)
		format_text(&request, &text);
	else
		say_errors(&request);
	printed = spec_request_print(&text);
	return r ? r : printed;
}
