/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order is given by a request, and the same request once more tells who has not acknowledged it: a stage's workers by having gone,
 * for a scope every worker of the pipeline by saying so. Asking goes on, ever more rarely, until nobody is left or time is up.
 */
#include "broker/cli/cancel.h"

#include <stdio.h>
#include <time.h>

#include "broker/cli/pipelines.h"
#include "broker/control/client.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

#define PAUSE_NS_MIN (2 * NS_PER_MS)
#define PAUSE_NS_MAX (50 * NS_PER_MS)

static void sleep_for(uint64_t ns)
{
	const struct timespec pause = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	nanosleep(&pause, NULL);
}

/*
 * Returns 0 and who is left, or an exit code. A pipeline that was told may have ended before it is asked again: a source that nobody
 * listens to any more does. Then nobody is left. One that is about to says nothing any more: it is asked again.
 */
static int ask(const struct cancel_part *part, const char *argument, bool was_told, struct text *waiting,
	       uint32_t *ret_n)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	const char *verb = part->stage ? "cancel-stage" : "cancel-scope";
	int status = 0, r = pipeline_try(part->pipeline, verb, argument, part->for_ns, &status, &body);

	if (was_told && r == CONTROL_E_NOT_RUNNING)
		*ret_n = 0;
	if (was_told && (r == CONTROL_E_NOT_RUNNING || r == CONTROL_E_NO_ANSWER))
		return 0;
	r = pipeline_explain(part->pipeline, verb, r, status, text_get(&body));
	if (r == 0) {
		text_clear(waiting);
		*ret_n = reply_waiting(text_get(&body), waiting);
	}
	return r;
}

static void report_json(const struct cancel_part *part, uint32_t n, uint64_t passed_ns)
{
	printf("{\"pipeline\":\"%s\",", part->pipeline);
	if (part->stage)
		printf("\"stage\":\"%s\",", part->stage);
	else
		printf("\"scope\":%s,", part->scope);
	printf("\"order\":\"cancel\",\"acknowledged\":%s,\"waiting\":%u,\"seconds\":%.3f}\n", n ? "false" : "true", n,
	       (double)passed_ns / (double)NS_PER_S);
}

static int report(const struct cancel_part *part, uint32_t n, const struct text *waiting, uint64_t passed_ns)
{
	char duration[QUANTITY_TEXT_SIZE];
	const char *what = part->stage ? "stage" : "scope", *name = part->stage ? part->stage : part->scope;

	quantity_format_duration(passed_ns, duration);
	if (part->json)
		report_json(part, n, passed_ns);
	else if (!part->wait)
		printf("%s: has the order to cancel %s %s\n", part->pipeline, what, name);
	else if (!n)
		printf("%s: %s %s cancelled, acknowledged by all in %s\n", part->pipeline, what, name, duration);
	else
		fprintf(stderr,
			"weir: %s %s of pipeline '%s' is cancelled, but after %s not acknowledged by: %s; they do nothing else "
			"meanwhile than what they had begun ('weir why %s')\n",
			what, name, part->pipeline, duration, text_get(waiting), part->pipeline);
	return !part->wait || !n ? EXIT_DONE : EXIT_STILL_THERE;
}

int cancel_part(const struct cancel_part *part)
{
	_cleanup_(text_deinit) struct text argument = TEXT_NULL, waiting = TEXT_NULL;
	uint64_t begun_ns = clock_now_ns(), pause_ns = PAUSE_NS_MIN;
	bool was_told = false;
	uint32_t n = 0;
	int r;

	text_printf(&argument, "%s %s", part->stage ? part->stage : part->scope, part->cause);
	for (;;) {
		uint64_t now_ns;

		r = ask(part, text_get(&argument), was_told, &waiting, &n);
		now_ns = clock_now_ns();
		if (r != 0)
			return r;
		if (!part->wait || !n || now_ns - begun_ns >= part->timeout_ns)
			return report(part, n, &waiting, now_ns - begun_ns);
		was_told = true;
		sleep_for(pause_ns);
		pause_ns = pause_ns * 2 < PAUSE_NS_MAX ? pause_ns * 2 : PAUSE_NS_MAX;
	}
}
