/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir resume: takes a drain back, and waits until every source has said that it goes on, or one has ended after all. That takes no longer
 * than the supervisor gives the sources.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/lifecycle/lifecycle.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"
#include "common/base/must.h"

#define LOOK_NS (20 * NS_PER_MS)
#define PATIENCE_NS NS_PER_S

enum seen { SEEN_RUNNING, SEEN_DRAINING, SEEN_GONE };

static enum seen look(const char *name)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;

	if (pipeline_view(name, &copy, &body) != 0)
		return SEEN_GONE;
	return strcmp(copy.view.phase, "running") == 0  ? SEEN_RUNNING :
	       strcmp(copy.view.phase, "draining") == 0 ? SEEN_DRAINING :
							  SEEN_GONE;
}

static enum seen wait_for_answer(const char *name)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t until_ns = clock_now_ns() + RESUME_WAIT_NS + PATIENCE_NS;
	enum seen seen;

	while ((seen = look(name)) == SEEN_DRAINING && clock_now_ns() < until_ns)
		nanosleep(&pause, NULL);
	return seen;
}

static int report(const char *name, enum seen seen, bool json)
{
	if (json)
		printf("{\"pipeline\":\"%s\",\"order\":\"resume\",\"running\":%s}\n", name,
		       seen == SEEN_RUNNING ? "true" : "false");
	else if (seen == SEEN_RUNNING)
		printf("%s: runs again\n", name);
	else if (seen == SEEN_DRAINING)
		fprintf(stderr,
			"weir: pipeline '%s' goes on to drain: a source has ended its stream or did not answer, or a stage was cancelled meanwhile; its log says which. "
			"Let it end, and start it again\n",
			name);
	if (seen == SEEN_RUNNING)
		return EXIT_DONE;
	return seen == SEEN_DRAINING ? EXIT_STILL_THERE : EXIT_NOT_RUNNING;
}

int resume_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	_cleanup_(text_deinit) struct text reply = TEXT_NULL;
	bool json = false;
	int id, r;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON);
		json = true;
	}
	if (id < 0)
		return command_exit(id);
	if (!pipeline_name_valid(argv[parser.first]))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", argv[parser.first]);
	r = pipeline_ask(argv[parser.first], "resume", NULL, 0, &reply);
	return r ? r : report(argv[parser.first], wait_for_answer(argv[parser.first]), json);
}
