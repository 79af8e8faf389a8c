/* SPDX-License-Identifier: Apache-2.0 */
/* weir trace. record: copies flight recorders to the disk for a while. Looks the more seldom, the less there is to be copied. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/cli/command.h"
#include "broker/cli/otlp.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/trace_export.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "broker/trace/tracer.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define DOOR_WAIT_NS (5 * NS_PER_S)
#define PAUSE_NS_MIN NS_PER_MS
#define PAUSE_NS_MAX (4 * NS_PER_MS)

struct order {
	const char *name, *dir;
	int64_t for_ns; /* -1: until it ends */
	bool quiet;
};

static volatile sig_atomic_t told_to_end;

static void end(int number)
{
	(void)number;
	told_to_end = 1;
}

static void pause_for(uint64_t ns)
{
	const struct timespec pause = { .tv_nsec = (long)ns };

	nanosleep(&pause, NULL); /* a signal ends it */
}

/* Returns what tracer_copy() says in the end, 0: the time is over. */
static int copy_all(struct tracer *tracer, const struct order *order, struct text *why)
{
	uint64_t end_ns = order->for_ns < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)order->for_ns;
	uint64_t pause_ns = PAUSE_NS_MIN, n;
	bool over;
	int r;

	do {
		over = told_to_end || clock_now_ns() >= end_ns; /* what is noted until now is in the last copy */
		r = tracer_copy(tracer, &n, why);
		pause_ns = n ? PAUSE_NS_MIN : pause_ns * 2 < PAUSE_NS_MAX ? pause_ns * 2 : PAUSE_NS_MAX;
		if (r == 0 && !over)
			pause_for(pause_ns);
	} while (r == 0 && !over);
	return r;
}

static void say_done(const struct order *order, const struct tracer_sum *sum, bool ended)
{
	if (!sum->n_workers)
		fprintf(stderr, "weir: pipeline '%s' says recorder: off; only its supervisor has noted anything\n",
			order->name);
	if (order->quiet)
		return;
	printf("%s: %" PRIu64 " events of %u workers in %s, %" PRIu64 " lost%s; to read it: babeltrace2 %s\n",
	       order->name, sum->n_events, sum->n_workers, order->dir, sum->n_lost,
	       ended ? "; the pipeline has ended" : "", order->dir);
}

static int record(const struct order *order)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(free) char *run_dir = run_dir_path(order->name);
	struct tracer *tracer = NULL;
	struct tracer_sum sum;
	int r, closed;

	must(run_dir);
	r = tracer_open(run_dir, order->dir, DOOR_WAIT_NS, &tracer, &why);
	if (r != 0) {
		fprintf(stderr, "weir: %s\n", text_get(&why));
		return r == TRACER_E_NOT_RUNNING ? EXIT_NOT_RUNNING : EXIT_TRY_AGAIN;
	}
	r = copy_all(tracer, order, &why);
	closed = tracer_close(tracer, &sum, &why);
	if (r == TRACER_E_FAILED || closed != 0) {
		fprintf(stderr, "weir: %s\n", text_get(&why));
		return EXIT_TRY_AGAIN;
	}
	say_done(order, &sum, r == TRACER_E_ENDED);
	if (r == TRACER_E_LOST)
		fprintf(stderr, "weir: the supervisor of pipeline '%s' is gone; what was noted until then is in %s\n",
			order->name, order->dir);
	return r == TRACER_E_LOST ? EXIT_TRY_AGAIN : EXIT_DONE;
}

static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = end };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int begin_record(struct command_parser *parser, struct order *order)
{
	order->name = parser->argv[parser->first + 1];
	if (!pipeline_name_valid(order->name))
		return command_usage_error(parser->command, "'%s' is not a pipeline's name", order->name);
	if (!order->dir)
		return command_usage_error(parser->command, "where to: -o DIR, a folder that is not there yet");
	catch_signals();
	return record(order);
}

/* The first option that goes with the other of the two; NULL: none. */
static const char *misplaced(const struct order *order, const struct trace_export *export, bool is_export)
{
	if (is_export)
		return order->dir ? "--output" : order->for_ns >= 0 ? "--for" : NULL;
	return export->perfetto ? "--perfetto" : export->folded ? "--folded" : export->otlp ? "--otlp" : NULL;
}

static int dispatch(struct command_parser *parser, struct order *order, struct trace_export *export)
{
	const char *what = parser->argv[parser->first];
	bool is_export = strcmp(what, "export") == 0;
	const char *other = misplaced(order, export, is_export);

	if (!is_export && strcmp(what, "record") != 0)
		return command_usage_error(parser->command, "'%s': there are record and export", what);
	if (other)
		return command_usage_error(parser->command, "%s is nothing for %s", other, what);
	if (!is_export)
		return begin_record(parser, order);
	export->dir = parser->argv[parser->first + 1];
	export->quiet = order->quiet;
	if (!export->perfetto && !export->folded && !export->otlp)
		return command_usage_error(parser->command,
					   "what to make of it: --perfetto PATH, --folded PATH, --otlp URL");
	return trace_export(export);
}

static int note_duration(const struct command_parser *parser, const char *option, int64_t *ret_ns)
{
	if (quantity_duration(parser->value, ret_ns) == 0)
		return 0;
	return command_usage_error(parser->command, "%s '%s' is not a duration such as 10s", option, parser->value);
}

static int note_share(const struct command_parser *parser, double *ret_share)
{
	char *end;

	*ret_share = strtod(parser->value, &end);
	if (end != parser->value && !*end && *ret_share >= 0 && *ret_share <= 1)
		return 0;
	return command_usage_error(parser->command, "--sample '%s' is not a share from 0 to 1", parser->value);
}

static int note_option(const struct command_parser *parser, int id, struct order *order, struct trace_export *export)
{
	int64_t for_ns = 0;
	int r = 0;

	if (id == OPTION_OUTPUT)
		order->dir = parser->value;
	else if (id == OPTION_QUIET)
		order->quiet = true;
	else if (id == OPTION_PERFETTO)
		export->perfetto = parser->value;
	else if (id == OPTION_FOLDED)
		export->folded = parser->value;
	else if (id == OPTION_OTLP)
		export->otlp = parser->value;
	else if (id == OPTION_SAMPLE)
		r = note_share(parser, &export->share);
	else if (id == OPTION_FOR)
		r = note_duration(parser, "--for", &order->for_ns);
	else
		r = note_duration(parser, "--timeout", &for_ns);
	if (id == OPTION_TIMEOUT)
		export->for_ns = (uint64_t)for_ns;
	return r;
}

int trace_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	struct order order = { .for_ns = -1 };
	struct trace_export export = { .share = 1, .for_ns = OTLP_FOR_NS };
	int id, r = 0;

	while (r == 0 && (id = command_next(&parser)) > 0)
		r = note_option(&parser, id, &order, &export);
	if (r != 0)
		return r;
	return id < 0 ? command_exit(id) : dispatch(&parser, &order, &export);
}
