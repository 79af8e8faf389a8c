/* SPDX-License-Identifier: Apache-2.0 */
/* weir tap: items as they pass, copied out of the lanes by a process that can only read them. */
#include "broker/cli/tap.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/tap_edges.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define DOOR_WAIT_NS (5 * NS_PER_S)
#define FOLLOW_WAIT_NS (15 * NS_PER_S) /* for another supervisor, which a service manager starts */
#define AGAIN_MS 20
#define RATE_DEFAULT 10u
#define RATE_MAX 100000
#define LINE_BYTES_MAX 1024u /* of a payload, for people */

struct tap {
	const struct command *command;
	struct tap_order order;
	const char *filter;
	uint64_t for_ns; /* 0: not said */
	bool limited, quiet;
};

static volatile int told_to_end;

static void end(int number)
{
	(void)number;
	told_to_end = 1;
}

static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = end };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- arguments; each returns -1 to go on, else the exit code ---- */

static int parse_rate(struct tap *tap, const char *value)
{
	int64_t items, seconds;

	if (quantity_rate_parts(value, &items, &seconds) != 0 || items < 1 || items > RATE_MAX * seconds)
		return command_usage_error(tap->command, "--rate takes 1/h to %d/s, not '%s'", RATE_MAX, value);
	tap->order.items = (uint64_t)items;
	tap->order.seconds = (uint64_t)seconds;
	return -1;
}

static int parse_count(struct tap *tap, const char *value)
{
	int64_t count;

	if (quantity_integer(value, &count) != 0 || count < 1)
		return command_usage_error(tap->command, "--count takes a number of items, not '%s'", value);
	tap->order.count = (uint64_t)count;
	return -1;
}

static int parse_for(struct tap *tap, const char *value)
{
	int64_t ns;

	if (quantity_duration(value, &ns) != 0 || ns <= 0)
		return command_usage_error(tap->command, "--for '%s' is not a duration such as 10s", value);
	tap->for_ns = (uint64_t)ns;
	return -1;
}

static int parse_bytes(struct tap *tap, const char *value)
{
	int64_t bytes;

	if (quantity_size(value, &bytes) != 0 || bytes < 0)
		return command_usage_error(tap->command, "--max-bytes takes a size such as 1KiB, or 0, not '%s'",
					   value);
	tap->order.style.bytes_max = (uint64_t)bytes;
	tap->limited = true;
	return -1;
}

static int parse_redact(struct tap *tap, const char *value)
{
	struct record_fault fault;

	if (redact_add(&tap->order.redact, value, &fault) != 0)
		return command_usage_error(tap->command, "--redact %s", fault.why);
	return -1;
}

static int parse_output(struct tap *tap, enum tap_output output)
{
	if (tap->order.style.output != TAP_LINES && tap->order.style.output != output)
		return command_usage_error(tap->command, "--json, --raw and --hex: one of them");
	tap->order.style.output = output;
	return -1;
}

static int parse_option(struct tap *tap, int id, const char *value)
{
	switch (id) {
	case OPTION_RATE:
		return parse_rate(tap, value);
	case OPTION_COUNT:
		return parse_count(tap, value);
	case OPTION_FOR:
		return parse_for(tap, value);
	case OPTION_MAX_BYTES:
		return parse_bytes(tap, value);
	case OPTION_REDACT:
		return parse_redact(tap, value);
	case OPTION_JSON:
		return parse_output(tap, TAP_JSON);
	case OPTION_RAW:
		return parse_output(tap, TAP_RAW);
	case OPTION_HEX:
		return parse_output(tap, TAP_HEX);
	case OPTION_FILTER:
		tap->filter = value;
		return -1;
	case OPTION_QUIET:
		tap->quiet = true;
		return -1;
	default:
		unreachable_because("the table of verbs has no such option for tap");
	}
}

static int parse_arguments(struct tap *tap, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id, r;

	tap->command = parser.command;
	while ((id = command_next(&parser)) > 0) {
		r = parse_option(tap, id, parser.value);
		if (r >= 0)
			return r;
	}
	if (id < 0)
		return command_exit(id);
	tap->order.name = argv[parser.first];
	tap->order.edge = parser.first + 1 < argc ? argv[parser.first + 1] : NULL;
	if (!pipeline_name_valid(tap->order.name))
		return command_usage_error(tap->command, "'%s' is not a pipeline's name", tap->order.name);
	if (!tap->limited && (tap->order.style.output == TAP_LINES || tap->order.style.output == TAP_HEX))
		tap->order.style.bytes_max = LINE_BYTES_MAX;
	tap->order.style.visible = isatty(STDOUT_FILENO);
	return -1;
}

/* ---- before ---- */

static int open_observer(const struct tap *tap, const char *run_dir, struct observer **ret_observer)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r = observer_open(run_dir, DOOR_WAIT_NS, ret_observer, &why);

	if (r == 0)
		return EXIT_DONE;
	fprintf(stderr, "weir: pipeline '%s': %s\n", tap->order.name, text_get(&why));
	return r == OBSERVER_E_NOT_RUNNING ? EXIT_NOT_RUNNING : EXIT_TRY_AGAIN;
}

static int check_edge(const struct tap *tap, const struct observer *observer)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (tap_edges_meant(observer_catalog(observer), tap->order.edge))
		return EXIT_DONE;
	if (!tap->order.edge)
		return command_usage_error(tap->command, "pipeline '%s' has no edge", tap->order.name);
	tap_edges_explain(observer_catalog(observer), tap->order.edge, &why);
	return command_usage_error(tap->command, "%s", text_get(&why));
}

static int start_filter(struct tap *tap)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r = tap->filter ? tap_sieve_new(tap->filter, &tap->order.sieve, &why) : 0;

	if (r == TAP_SIEVE_E_BAD)
		return command_usage_error(tap->command, "--filter: %s", text_get(&why));
	if (r == 0)
		return EXIT_DONE;
	fprintf(stderr, "weir: --filter: %s\n", text_get(&why));
	return EXIT_TRY_AGAIN;
}

/* ---- behind ---- */

static void say_sum(const struct tap *tap, const struct tap_sum *sum)
{
	if (tap->quiet)
		return;
	fprintf(stderr, "weir: %" PRIu64 " items shown of %" PRIu64 " that were emitted meanwhile", sum->shown,
		sum->emitted);
	if (tap->filter)
		fprintf(stderr, ", %" PRIu64 " did not pass the filter", sum->filtered);
	if (sum->failed)
		fprintf(stderr, ", on %" PRIu64 " it failed", sum->failed);
	if (sum->missed)
		fprintf(stderr, "; %" PRIu64 " times the next one was overwritten before it was copied", sum->missed);
	fprintf(stderr, "%s\n", sum->ended ? "; the pipeline has ended" : "");
}

static bool is_told(const struct tap *tap)
{
	return told_to_end || clock_now_ns() >= tap->order.end_ns;
}

/*
 * Its supervisor may have died and been followed by another, which has the same lanes: at once, or as soon as somebody has started it.
 * Returns whether there is one; false, too, when it is told to end meanwhile.
 */
static bool is_followed(const struct tap *tap, const char *run_dir, struct observer **observer)
{
	uint64_t until_ns = clock_now_ns() + FOLLOW_WAIT_NS;
	int r;

	*observer = observer_close(*observer);
	do {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;

		r = observer_open(run_dir, DOOR_WAIT_NS, observer, &why);
		if (r == 0)
			return true;
		poll(NULL, 0, AGAIN_MS);
	} while (r == OBSERVER_E_NOT_RUNNING && !is_told(tap) && clock_now_ns() < until_ns);
	return false;
}

/* That nobody reads on is no error: `| head` does that. */
static int end_of_output(const struct tap_sum *sum)
{
	if (!sum->unread || sum->unread == EPIPE)
		return EXIT_DONE;
	fprintf(stderr, "weir: standard output can not be written: %s\n", strerror(sum->unread));
	return EXIT_TRY_AGAIN;
}

static int watch(const struct tap *tap, const char *run_dir, struct observer **observer, struct tap_sum *sum)
{
	for (;;) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		int r = tap_run(&tap->order, *observer, &told_to_end, sum, &why);

		if (r == 0)
			return end_of_output(sum);
		if (r == TAP_E_LOST && is_followed(tap, run_dir, observer))
			continue;
		if (r == TAP_E_LOST && is_told(tap))
			return EXIT_DONE;
		if (r == TAP_E_LOST)
			fprintf(stderr, "weir: the supervisor of pipeline '%s' is gone\n", tap->order.name);
		else
			fprintf(stderr, "weir: %s\n", text_get(&why));
		return EXIT_TRY_AGAIN;
	}
}

int tap_command(int argc, char **argv)
{
	static struct tap tap = { .order = { .items = RATE_DEFAULT, .seconds = 1 } }; /* its paths are many bytes */
	_cleanup_(free) char *run_dir = NULL;
	struct observer *observer = NULL;
	struct tap_sum sum = { 0 };
	int r = parse_arguments(&tap, argc, argv);

	if (r >= 0)
		return r;
	run_dir = run_dir_path(tap.order.name);
	must(run_dir);
	catch_signals();
	r = open_observer(&tap, run_dir, &observer);
	if (r == EXIT_DONE)
		r = check_edge(&tap, observer);
	if (r == EXIT_DONE)
		r = start_filter(&tap);
	if (r == EXIT_DONE) {
		tap.order.end_ns = tap.for_ns ? clock_now_ns() + tap.for_ns : UINT64_MAX;
		r = watch(&tap, run_dir, &observer, &sum);
		say_sum(&tap, &sum);
	}
	tap_sieve_free(tap.order.sieve);
	observer_close(observer);
	return r;
}
