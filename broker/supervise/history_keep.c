/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which decision is which event of the history. Each is kept in memory, for whoever asks, and given to the callback as a line, for whoever
 * keeps it beyond the run. Nothing here waits.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "broker/supervise/stall_episode.h"
#include "broker/supervise/stall_report.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void keep(struct supervisor *supervisor, struct history_event *event, const char *cause, const char *format,
		 va_list arguments)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	if (!supervisor->history.events)
		return;
	clock_gettime(CLOCK_REALTIME, &event->time);
	snprintf(event->cause, sizeof(event->cause), "%s", cause);
	vsnprintf(event->text, sizeof(event->text), format, arguments);
	history_format_event(&supervisor->history, history_add(&supervisor->history, event), &line);
	text_add_char(&line, '\n');
	if (supervisor->callbacks.history)
		supervisor->callbacks.history(supervisor->callbacks.data, text_get(&line));
}

void history_note(struct supervisor *supervisor, enum history_kind kind, const char *cause, const char *format, ...)
{
	struct history_event event = { .kind = kind, .worker = -1 };
	va_list arguments;

	va_start(arguments, format);
	keep(supervisor, &event, cause, format, arguments);
	va_end(arguments);
}

void history_note_stage(struct supervisor *supervisor, uint32_t stage, enum history_kind kind, const char *cause,
			const char *format, ...)
{
	struct history_event event = { .kind = kind, .worker = -1 };
	va_list arguments;

	snprintf(event.stage, sizeof(event.stage), "%s", supervisor->plan->stages[stage].name);
	va_start(arguments, format);
	keep(supervisor, &event, cause, format, arguments);
	va_end(arguments);
}

void history_note_seat(const struct seat *seat, enum history_kind kind, const char *cause, const char *format, ...)
{
	struct history_event event = { .kind = kind,
				       .worker = (int)seat->worker_index,
				       .slot = seat->slot,
				       .generation = seat->generation,
				       .pid = seat->last_pid };
	va_list arguments;

	snprintf(event.stage, sizeof(event.stage), "%s", seat->stage->name);
	va_start(arguments, format);
	keep(seat->supervisor, &event, cause, format, arguments);
	va_end(arguments);
}

int history_begin(struct supervisor *supervisor)
{
	int r = history_open(&supervisor->history, supervisor->run, wall_ns());

	if (r == 0)
		history_note(supervisor, HISTORY_BEGAN, supervisor->goes_on ? "succession" : "start",
			     supervisor->goes_on ? "supervisor %u of this run, pid %d, goes on" :
						   "supervisor %u of this run, pid %d",
			     supervisor->n_supervisors, (int)supervisor->pid);
	return r;
}

/* ---- what is decided ---- */

static void note_death(const struct seat *seat, enum next next, uint64_t delay_ns)
{
	static const char *const words[] = {
		[NEXT_RESTART] = "restart",
		[NEXT_NOT_RESTARTED] = "not restarted",
		[NEXT_TEMPORARY] = "not restarted: temporary",
		[NEXT_NOBODY] = "nobody follows",
		[NEXT_REVERTED] = "the spec before the reload comes back",
		[NEXT_EXPECTED] = "as it should",
	};
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	seat_add_manner(seat, &text);
	if (seat->death.report.in_hand)
		text_printf(&text, " with item %" PRIu64 " in hand", (uint64_t)seat->death.report.suspect_sequence);
	overrun_describe(seat, &text);
	if (seat->goodbye.reason)
		text_printf(&text, "; it said: %s", seat->goodbye.reason);
	text_printf(&text, "; %s", words[next]);
	if (next == NEXT_RESTART)
		text_printf(&text, " in %.3f s", (double)delay_ns / (double)NS_PER_S);
	history_note_seat(seat, next == NEXT_EXPECTED ? HISTORY_ENDED : HISTORY_DIED, metrics_restart_reason(seat),
			  "%s", text_get(&text));
}

static void note_return(const struct seat *seat)
{
	bool abandoned = seat->supervisor->lifecycle.stages[seat->stage_number].abandoned;

	history_note_seat(seat, HISTORY_ENDED,
			  abandoned              ? "cancelled" :
			  seat->life->makes_room ? "reload" :
						   "sibling",
			  "%s",
			  abandoned              ? "a stand-in takes its seat" :
			  seat->life->makes_room ? "it has made room for a worker with other options" :
						   "it comes back with its sibling");
}

static void note_overrun(const struct seat *seat)
{
	if (seat->overrun.stopped_ns)
		history_note_seat(seat, HISTORY_OVERRUN, "item_deadline", "stopped by a signal: it is ended for it");
	else
		history_note_seat(seat, HISTORY_OVERRUN, "item_deadline",
				  "item %" PRIu64 ": its worker is ended for it",
				  (uint64_t)seat->overrun.item.sequence);
}

static void note_scaled(const struct seat *seat, int n)
{
	history_note_stage(seat->supervisor, seat->stage_number, HISTORY_SCALED, "", "%d worker%s", n,
			   n == 1 ? "" : "s");
}

static void perform_on_seat(struct seat *seat, const struct action *action)
{
	const char *who = action->who ? action->who : "";

	switch (action->kind) {
	case ACTION_SPAWN:
		if (seat->pid > 0)
			history_note_seat(seat, HISTORY_STARTED, seat->generation ? "restart" : "start", "pid %d",
					  (int)seat->pid);
		return;
	case ACTION_SAY_NOT_STARTED:
		history_note_seat(seat, HISTORY_NOT_STARTED, "fork", "%s", strerrordesc_np(action->value));
		return;
	case ACTION_SAY_NOT_READY:
		history_note_seat(seat, HISTORY_NOT_READY, "start_timeout", "%s", seat_state_name(seat->life->state));
		return;
	case ACTION_SAY_DEATH:
		note_death(seat, (enum next)action->value, action->at_ns);
		return;
	case ACTION_SAY_RETURNS:
		note_return(seat);
		return;
	case ACTION_SAY_OVERRUN:
		note_overrun(seat);
		return;
	case ACTION_SAY_HANGS:
		history_note_seat(seat, HISTORY_SIGNAL, "hung", "SIGTERM: it said goodbye, and does not exit");
		return;
	case ACTION_SAY_DEAF:
		history_note_seat(seat, HISTORY_SIGNAL, "deaf", "SIGTERM: it does not stop for its cancel");
		return;
	case ACTION_SAY_KILLED:
		history_note_seat(seat, HISTORY_SIGNAL, "deaf", "SIGKILL: it did not heed SIGTERM");
		return;
	case ACTION_CANCEL:
		history_note_seat(seat, HISTORY_CANCEL, cause_name((enum cause)action->value), "%s", who);
		return;
	case ACTION_SAY_RETIRED:
		history_note_seat(seat, HISTORY_RETIRED, reason_name((enum reason)action->value), "its stage goes on");
		return;
	case ACTION_SAY_DROPPED:
		history_note_stage(seat->supervisor, seat->stage_number, HISTORY_DROPPED,
				   reason_name((enum reason)action->value), "what comes to it is discarded");
		return;
	case ACTION_SAY_SCALED:
		note_scaled(seat, action->value);
		return;
	case ACTION_SAY_STAGE_FAILED:
	case ACTION_SAY_START_FAILED:
		history_note_stage(seat->supervisor, seat->stage_number, HISTORY_FAILED,
				   reason_name((enum reason)action->value), "%s",
				   seat->goodbye.reason ? seat->goodbye.reason : "");
		return;
	case ACTION_SAY_SOURCE_FAILED:
		history_note_stage(seat->supervisor, seat->stage_number, HISTORY_FAILED, "goodbye", "%s",
				   seat->goodbye.reason ? seat->goodbye.reason : "");
		return;
	default:
		return;
	}
}

static void perform_on_all(struct supervisor *supervisor, const struct action *action)
{
	const char *who = action->who ? action->who : "";

	switch (action->kind) {
	case ACTION_ORDER:
		if (action->value >= (int)RUNG_CANCEL)
			history_note(supervisor, HISTORY_CANCEL, cause_name(supervisor->lifecycle.cause), "%s", who);
		else
			history_note(supervisor, HISTORY_DRAIN, "", "%s", who);
		return;
	case ACTION_REST:
		history_note(supervisor, HISTORY_RESUME, "", "sources that have not ended go on");
		return;
	case ACTION_PHASE:
		history_note(supervisor, HISTORY_PHASE, pipeline_state_name((enum pipeline_state)action->value), "%s",
			     "");
		return;
	case ACTION_SAY_START_FAILED:
		history_note(supervisor, HISTORY_FAILED, reason_name((enum reason)action->value), "%s", "");
		return;
	case ACTION_RELOAD_SWITCHED:
		history_note(supervisor, HISTORY_RELOAD, "switched", "everybody works by the new spec");
		return;
	case ACTION_END:
		history_note(supervisor, HISTORY_EXIT, "", "exit code %d", action->value);
		return;
	default:
		return;
	}
}

void history_perform(struct supervisor *supervisor, const struct action *action)
{
	if (action->kind == ACTION_RELOAD_OVER)
		history_note(supervisor, HISTORY_RELOAD, reload_end_name((enum reload_end)action->value), "%s",
			     reload_end_sentence((enum reload_end)action->value));
	else if (action->seat == NO_SEAT)
		perform_on_all(supervisor, action);
	else
		perform_on_seat(&supervisor->seats[action->seat], action);
}

void history_stalled(struct supervisor *supervisor, const struct stall_episode *episode, const char *sentence)
{
	history_note_seat(&supervisor->seats[episode->culprit], episode->open ? HISTORY_STALL : HISTORY_STALL_OVER,
			  stall_kind_name(episode->kind), "%s", sentence);
}

void supervisor_history(struct supervisor *supervisor, uint64_t from, struct text *text)
{
	history_format_json(&supervisor->history, from, text);
}
