/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where workers stand, in their own words (worker/backtrace.c): asked for by SIGQUIT, answered by a line on stderr, which nobody waits for.
 *
 *      SIGTERM of any ladder           SIGQUIT goes before it: the line is out before the worker is
 *      an item overruns its deadline   if the worker runs; asleep it would be woken for it
 *      weir why --stack                whatever it does: somebody wants to know
 *      it dies of a fault              by itself
 *
 * The last one of a seat stays, over generations, for weir ps and the next obituary.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/must.h"

void seat_ask_backtrace(const struct seat *seat)
{
	if (seat->pidfd >= 0)
		pidfd_send_signal(seat->pidfd, SIGQUIT, NULL, 0);
}

/*
 * Stopped until both wait for it, it takes SIGQUIT first, whose handler holds SIGTERM back until the line is out. Else a stage that
 * sleeps could be woken by the one and go on, as if its time had come, before the other is there.
 */
void seat_terminate(const struct seat *seat)
{
	static const int signals[] = { SIGSTOP, SIGQUIT, SIGTERM, SIGCONT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]) && seat->pidfd >= 0; i++)
		pidfd_send_signal(seat->pidfd, signals[i], NULL, 0);
}

bool seat_hear_backtrace(struct seat *seat, const char *line)
{
	struct seat_backtrace *backtrace = &seat->backtrace;
	bool other =
		!backtrace->text || backtrace->generation != seat->generation || strcmp(backtrace->text, line) != 0;

	if (other) {
		free(backtrace->text);
		backtrace->text = strdup(line); /* NULL when memory is out: then it is not kept */
	}
	backtrace->when_ns = clock_now_ns();
	backtrace->generation = seat->generation;
	return other;
}

void seat_add_backtrace(const struct seat *seat, struct text *text)
{
	if (seat->backtrace.text && seat->backtrace.generation == seat->generation)
		text_printf(text, "; %s", seat->backtrace.text);
}

void seat_forget_backtrace(struct seat *seat)
{
	free(seat->backtrace.text);
	seat->backtrace = (struct seat_backtrace){ 0 };
}

void supervisor_ask_backtraces(struct supervisor *supervisor, const char *name, struct text *body)
{
	uint32_t number, n = 0;
	const struct plan_stage *stage = plan_find_stage(supervisor->plan, name, &number);

	must(stage);
	for (uint32_t i = 0; i < stage->workers; i++) {
		const struct seat *seat = &supervisor->seats[stage->first_slot + i];

		if (!seat_state_alive(seat->life->state))
			continue;
		seat_ask_backtrace(seat);
		n++;
	}
	text_printf(body, "{\"asked\":%u}", n);
}
