/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir scale: a stage gets another number of workers. The order is one request; then the same verb without a number tells how far it is,
 * until the stage has come to rest: with as many as were wanted, or with those that could be had, and the log says why.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/cli/command.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define PAUSE_NS (20 * NS_PER_MS)
#define TIMEOUT_DEFAULT_NS (30 * NS_PER_S)
#define WORKERS_DIGITS_MAX 9u

struct scaling {
	const struct command *command;
	const char *pipeline, *stage;
	uint32_t n;
	uint64_t timeout_ns;
	bool wait, json;
};

struct progress {
	uint32_t wanted, working;
	bool settled;
};

static uint32_t number_at(struct fy_node *map, const char *key)
{
	return (uint32_t)strtoul(json_string(map, key), NULL, 10);
}

/* Returns 0 and how far it is, or an exit code. */
static int ask(const struct scaling *scaling, const char *argument, struct progress *ret_progress)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct fy_document *document;
	struct fy_node *root;
	int r = pipeline_ask(scaling->pipeline, "scale", argument, 0, &body);

	if (r != 0)
		return r;
	document = json_parse(text_get(&body));
	root = document ? fy_document_root(document) : NULL;
	*ret_progress = (struct progress){ .wanted = number_at(root, "wanted"),
					   .working = number_at(root, "working"),
					   .settled = strcmp(json_string(root, "settled"), "true") == 0 };
	fy_document_destroy(document);
	return 0;
}

static int report(const struct scaling *scaling, const struct progress *progress, uint64_t passed_ns)
{
	bool there = progress->settled && progress->working == scaling->n;
	char duration[QUANTITY_TEXT_SIZE];

	quantity_format_duration(passed_ns, duration);
	if (scaling->json)
		printf("{\"pipeline\":\"%s\",\"stage\":\"%s\",\"order\":\"scale\",\"workers\":%" PRIu32
		       ",\"working\":%" PRIu32 ",\"settled\":%s,\"seconds\":%.3f}\n",
		       scaling->pipeline, scaling->stage, scaling->n, progress->working,
		       progress->settled ? "true" : "false", (double)passed_ns / (double)NS_PER_S);
	else if (!scaling->wait)
		printf("%s: has the order to give %s %" PRIu32 " workers\n", scaling->pipeline, scaling->stage,
		       scaling->n);
	else if (there)
		printf("%s: %s has %" PRIu32 " worker%s, after %s\n", scaling->pipeline, scaling->stage, scaling->n,
		       scaling->n == 1 ? "" : "s", duration);
	else
		fprintf(stderr,
			"weir: stage %s of pipeline '%s' has %" PRIu32 " workers after %s, and %s; its log says why "
			"('weir ps %s' shows who works)\n",
			scaling->stage, scaling->pipeline, progress->working, duration,
			progress->settled ? "stays with them" : "is still on the way", scaling->pipeline);
	return !scaling->wait || there ? EXIT_DONE : EXIT_STILL_THERE;
}

/* Who dies meanwhile comes back: that many work when it is settled, or soon after. */
static int scale(const struct scaling *scaling)
{
	const struct timespec pause = { .tv_nsec = (long)PAUSE_NS };
	_cleanup_(text_deinit) struct text order = TEXT_NULL;
	uint64_t begun_ns = clock_now_ns();
	struct progress progress;
	int r;

	text_printf(&order, "%s %" PRIu32, scaling->stage, scaling->n);
	r = ask(scaling, text_get(&order), &progress);
	while (r == 0 && scaling->wait && !(progress.settled && progress.working == scaling->n) &&
	       !(progress.settled && progress.wanted != scaling->n) &&
	       clock_now_ns() - begun_ns < scaling->timeout_ns) {
		nanosleep(&pause, NULL);
		r = ask(scaling, scaling->stage, &progress);
	}
	return r ? r : report(scaling, &progress, clock_now_ns() - begun_ns);
}

/* STAGE=N, in place. */
static int parse_wish(struct scaling *scaling, char *wish)
{
	char *equals = strchr(wish, '=');
	size_t n_digits = equals ? strspn(equals + 1, "0123456789") : 0;

	if (!equals || !n_digits || equals[1 + n_digits] || n_digits > WORKERS_DIGITS_MAX)
		return command_usage_error(scaling->command, "'%s' is not STAGE=N, such as price=4", wish);
	*equals = '\0';
	if (!pipeline_name_valid(wish))
		return command_usage_error(scaling->command, "'%s' is not a stage's name", wish);
	scaling->stage = wish;
	scaling->n = (uint32_t)strtoul(equals + 1, NULL, 10);
	return scaling->n ? -1 :
			    command_usage_error(scaling->command, "a stage has 1 worker at least; 'weir cancel "
								  "NAME/STAGE' ends one");
}

static int parse_timeout(struct scaling *scaling, const char *value)
{
	int64_t duration_ns;

	if (quantity_duration(value, &duration_ns) != 0 || duration_ns < 0)
		return command_usage_error(scaling->command, "timeout '%s' is no duration, such as 30s", value);
	scaling->timeout_ns = (uint64_t)duration_ns;
	return -1;
}

int scale_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	struct scaling scaling = { .command = parser.command, .timeout_ns = TIMEOUT_DEFAULT_NS, .wait = true };
	int id, r = -1;

	while (r < 0 && (id = command_next(&parser)) > 0) {
		if (id == OPTION_TIMEOUT)
			r = parse_timeout(&scaling, parser.value);
		else if (id == OPTION_NO_WAIT)
			scaling.wait = false;
		else if (id == OPTION_JSON)
			scaling.json = true;
		else
			unreachable_because("the table of verbs has no such option for scale");
	}
	if (r >= 0)
		return r;
	if (id < 0)
		return command_exit(id);
	scaling.pipeline = argv[parser.first];
	if (!pipeline_name_valid(scaling.pipeline))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", scaling.pipeline);
	r = parse_wish(&scaling, argv[parser.first + 1]);
	return r >= 0 ? r : scale(&scaling);
}
