/* SPDX-License-Identifier: Apache-2.0 */
/* weir metrics: the numbers of a running pipeline, for Prometheus, as JSON, or to a collector. What they mean stands in docs/metrics.md. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/cli/command.h"
#include "broker/cli/metrics_otlp.h"
#include "broker/cli/metrics_text.h"
#include "broker/cli/otlp.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

/* Sends them to a collector instead. */
static int push(const char *name, const char *json, const char *url, uint64_t for_ns)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL, why = TEXT_NULL;
	struct otlp *otlp = NULL;
	const char *refusal;
	int r;

	if (metrics_format_otlp(json, clock_realtime_ns(), &body) != 0) {
		fprintf(stderr, "weir: pipeline '%s' answered something else; is it of another version?\n", name);
		return EXIT_TRY_AGAIN;
	}
	r = otlp_open(url, "/v1/metrics", for_ns, &otlp, &why);
	if (r == 0)
		r = otlp_send(otlp, text_get(&body), body.length, &why);
	if (r != 0)
		fprintf(stderr, "weir: %s\n", text_get(&why));
	else if (otlp_refused(otlp, &refusal))
		fprintf(stderr, "weir: the collector has refused %" PRIu64 " of them: '%s'\n",
			otlp_refused(otlp, &refusal), refusal);
	otlp_close(otlp);
	return r == OTLP_E_USAGE ? EXIT_USAGE : r ? EXIT_TRY_AGAIN : EXIT_DONE;
}

static int print_answer(const char *name, const char *json, bool as_json)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (metrics_format_text(json, &text) != 0) {
		fprintf(stderr, "weir: pipeline '%s' answered something else; is it of another version?\n", name);
		return EXIT_TRY_AGAIN;
	}
	printf("%s%s", as_json ? json : text_get(&text), as_json ? "\n" : "");
	return EXIT_DONE;
}

int metrics_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	const char *name, *url = NULL;
	int64_t for_ns = OTLP_FOR_NS;
	bool json = false;
	int id, r;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_OTLP || id == OPTION_TIMEOUT);
		if (id == OPTION_JSON)
			json = true;
		else if (id == OPTION_OTLP)
			url = parser.value;
		else if (quantity_duration(parser.value, &for_ns) != 0)
			return command_usage_error(parser.command, "--timeout '%s' is not a duration such as 10s",
						   parser.value);
	}
	if (id < 0)
		return command_exit(id);
	name = argv[parser.first];
	if (!pipeline_name_valid(name))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", name);
	r = pipeline_ask(name, "metrics", NULL, 0, &body);
	if (r)
		return r;
	return url ? push(name, text_get(&body), url, (uint64_t)for_ns) : print_answer(name, text_get(&body), json);
}
