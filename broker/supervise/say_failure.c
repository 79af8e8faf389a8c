/* SPDX-License-Identifier: Apache-2.0 */
/* Why a seat, a stage or the start has failed: the words, and what is remembered for whoever asks at the end. */
#include <stdlib.h>
#include <string.h>
#include <weir/status.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/quantity.h"
#include "common/flow/commit.h"

/* Where the spec is to blame; line 0: nowhere. Only the first failure counts. */
static void note_failure(struct supervisor *supervisor, const struct plan_stage *stage, struct spec_position position,
			 const char *message)
{
	if (supervisor->failure_message || !message)
		return;
	supervisor->failure_message = strdup(message);
	supervisor->failure = (struct supervisor_failure){ .position = position,
							   .stage = stage ? stage->name : NULL,
							   .message = supervisor->failure_message };
}

/* Of a worker that could not open its stage: its goodbye says why and which option. */
static void note_goodbye(const struct seat *seat)
{
	const struct plan_stage *stage = seat->stage;
	const struct goodbye *goodbye = &seat->goodbye;
	struct spec_position position = stage->kind_position.line ? stage->kind_position : stage->position;

	for (uint32_t i = 0; goodbye->option && i < stage->n_options; i++)
		if (strcmp(stage->options[i].name, goodbye->option) == 0 && stage->options[i].line)
			position = (struct spec_position){ stage->options[i].line, stage->options[i].column };
	note_failure(seat->supervisor, stage, position, goodbye->reason ? goodbye->reason : "the stage can't open");
}

static void add_too_many(const struct seat *seat, struct text *text)
{
	const struct plan_stage *stage = seat->stage;
	char period[QUANTITY_TEXT_SIZE];

	text_printf(text, "more than %u deaths without progress in %s (restart: intensity, period)",
		    stage->restart_intensity, quantity_format_duration(stage->restart_period_ns, period));
}

static void add_reason(const struct seat *seat, enum reason reason, struct text *text)
{
	switch (reason) {
	case REASON_GOODBYE:
		text_add(text, seat->goodbye.reason ? seat->goodbye.reason : "its worker gave no reason");
		return;
	case REASON_TOO_MANY_DEATHS:
		add_too_many(seat, text);
		return;
	case REASON_TEMPORARY_DIED:
		text_add(text, "a temporary worker died");
		return;
	case REASON_TEMPORARY_STOPPED:
		text_add(text, "a temporary worker was stopped because of a sibling");
		return;
	case REASON_CANCELLED:
		text_add(text, "it was cancelled");
		return;
	case REASON_UNKILLABLE:
		text_add(text, "a worker can't be restarted, for it does not die of SIGKILL");
		return;
	case REASON_CORRUPT:
		text_add(text, "its shared memory makes no sense; the slot is quarantined");
		return;
	case REASON_UNMAPPABLE:
		text_add(text, "its memory can't be mapped for repair; the slot is quarantined");
		return;
	default:
		text_add(text, reason_name(reason));
		return;
	}
}

/* ---- the start ---- */

/* Nothing has been accepted yet, so what the machine can't give is said at once, and not tried again and again. */
static void add_not_spawned(const struct seat *seat, struct text *text)
{
	int error = seat->spawn_error;

	text_printf(text, "worker %u cannot be started: %s%s", seat->worker_index, strerrordesc_np(error),
		    error == EMFILE ? "; raise the limit (ulimit -n) or lower 'workers'" :
		    error == EAGAIN ? "; raise the limit of processes (ulimit -u) or lower 'workers'" :
				      "");
}

static void add_late(const struct supervisor *supervisor, struct text *text)
{
	text_printf(text, "not everybody was ready after %.1f s:",
		    (double)supervisor->lifecycle.start_timeout_ns / (double)NS_PER_S);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].life->state != SEAT_READY)
			text_printf(text, " %s#%u (%s)", supervisor->seats[i].stage->name,
				    supervisor->seats[i].worker_index,
				    seat_state_name(supervisor->seats[i].life->state));
}

void supervisor_say_start_failed(struct supervisor *supervisor, struct seat *seat, enum reason reason)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const struct plan_stage *stage = seat ? seat->stage : NULL;

	switch (reason) {
	case REASON_LATE:
		add_late(supervisor, &why);
		break;
	case REASON_GOODBYE:
		note_goodbye(seat);
		return;
	case REASON_NOT_SPAWNED:
		add_not_spawned(seat, &why);
		break;
	case REASON_NO_PROGRAM:
		stage = NULL;
		text_printf(&why, "cannot run %s: %s; install it beside weir, or name it in WEIR_WORKER",
			    supervisor->worker_path, strerrordesc_np(seat->death.exec_errno));
		break;
	case REASON_DIED_EARLY:
		seat_obituary(seat, WEIR_LOG_ERROR, NOT_RESTARTED_TEMPORARY);
		text_printf(&why, "worker %u died before the pipeline ran; " NOT_RESTARTED_TEMPORARY,
			    seat->worker_index);
		break;
	default:
		add_reason(seat, reason, &why);
		break;
	}
	note_failure(supervisor, stage, (struct spec_position){ 0 }, text_get(&why));
}

/* ---- later ---- */

static uint32_t workers_left(const struct seat *seat)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < seat->stage->workers; i++)
		n += !seat_state_over(seat->supervisor->seats[seat->stage->first_slot + i].life->state);
	return n;
}

static void say_retired(const struct seat *seat, const char *why)
{
	uint64_t held = cursor_current(&seat->segment)->ledger[LEDGER_HELD];

	seat_log(seat, WEIR_LOG_ERROR,
		 "is retired: %s; '%s' goes on with %u of %u workers, which get what waited for it", why,
		 seat->stage->name, workers_left(seat), seat->stage->workers);
	if (held)
		seat_log(seat, WEIR_LOG_ERROR, "held %llu items that nobody else can finish", (unsigned long long)held);
}

static void say_dropped(const struct seat *seat, enum reason reason, const char *why, bool cut_off)
{
	const struct stage_watch *watch = &seat->supervisor->stages[seat->stage_number];

	note_failure(seat->supervisor, seat->stage, (struct spec_position){ 0 }, why);
	if (cut_off)
		stage_log(watch, WEIR_LOG_NOTICE,
			  "has done what it was given, and is dropped with the stage before it");
	else if (reason != REASON_CANCELLED) /* whoever cancelled it has said so */
		stage_log(watch, WEIR_LOG_ERROR, "has failed: %s; its branch is dropped: what comes to it is discarded",
			  why);
}

static void say_stage_failed(struct seat *seat, enum reason reason, const char *why)
{
	struct supervisor *supervisor = seat->supervisor;

	if (reason == REASON_CORRUPT || reason == REASON_UNMAPPABLE) {
		/* A neighbour may have stumbled over it first; the end has to name where it comes from. */
		free(supervisor->failure_message);
		supervisor->failure_message = NULL;
		seat_obituary(seat, WEIR_LOG_ERROR, why);
	}
	if (reason == REASON_GOODBYE && !seat->life->was_ready)
		note_goodbye(seat);
	note_failure(supervisor, seat->stage, (struct spec_position){ 0 }, why);
	stage_log(&supervisor->stages[seat->stage_number], WEIR_LOG_ERROR, "has failed: %s", why);
}

void seat_say_failure(struct seat *seat, const struct action *action)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	enum reason reason = action->kind == ACTION_SAY_SOURCE_FAILED ? REASON_GOODBYE : (enum reason)action->value;

	add_reason(seat, reason, &why);
	switch (action->kind) {
	case ACTION_SAY_RETIRED:
		say_retired(seat, text_get(&why));
		return;
	case ACTION_SAY_DROPPED:
		say_dropped(seat, reason, text_get(&why), action->at_ns != 0);
		return;
	case ACTION_SAY_STAGE_FAILED:
		say_stage_failed(seat, reason, text_get(&why));
		return;
	case ACTION_SAY_SOURCE_FAILED:
		note_failure(seat->supervisor, seat->stage, (struct spec_position){ 0 }, text_get(&why));
		stage_log(&seat->supervisor->stages[seat->stage_number], WEIR_LOG_ERROR,
			  "has failed: %s; what it gave before is finished", text_get(&why));
		return;
	default:
		return;
	}
}
