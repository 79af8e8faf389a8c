/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another plan, checked and compared by whoever holds the plans, is put into force; what happens when is decided in
 * broker/lifecycle/reload.c. Here: who asks, what is done, and what those hear who have asked.
 */
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/must.h"

#define NOBODY_RELOADS "this pipeline can not be reloaded"

static const char *refusal(const struct supervisor *supervisor, const bool *changed)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;

	if (lifecycle->reload.state != RELOAD_NONE)
		return "the reload before is not over";
	if (!lifecycle->started_ns)
		return "the pipeline has not begun to run";
	if (lifecycle->state != PIPELINE_RUNNING || lifecycle->ladder.rung != RUNG_NONE)
		return "the pipeline is being ended";
	for (uint32_t i = 0; i < supervisor->plan->n_stages; i++)
		if (changed[i] && lifecycle->stages[i].abandoned)
			return "a stage that would change has failed or was cancelled, and stand-ins sit in its seats";
	for (uint32_t i = 0; i < supervisor->plan->n_stages; i++)
		if (changed[i] && lifecycle->stages[i].scaling)
			return "a stage that would change is being scaled; ask again when it has the workers it is to have";
	return NULL;
}

int supervisor_reload(struct supervisor *supervisor, const struct plan *other, const bool *changed,
		      struct reload_terms terms, struct text *why)
{
	const char *refused = refusal(supervisor, changed);

	if (refused) {
		text_add(why, refused);
		return SUPERVISOR_E_REFUSED;
	}
	supervisor->other_plan = other;
	text_clear(&supervisor->reload_why);
	must(supervisor_post(supervisor, &(struct event){ .kind = EVENT_RELOAD, .changed = changed, .terms = terms }));
	return 0;
}

void supervisor_reload_by(struct supervisor *supervisor, const struct reload_callbacks *callbacks)
{
	supervisor->reloads = *callbacks;
}

bool supervisor_reload_abandon(struct supervisor *supervisor)
{
	return supervisor_post(supervisor, &(struct event){ .kind = EVENT_RELOAD_ABANDONED });
}

bool supervisor_ask_reload(struct supervisor *supervisor, const char *argument, struct text *body)
{
	if (supervisor->reloads.ask)
		return supervisor->reloads.ask(supervisor->reloads.data, argument, body);
	text_add(body, "{\"error\":\"" NOBODY_RELOADS "\"}");
	return false;
}

bool supervisor_reload_state(struct supervisor *supervisor, uint64_t ticket, struct text *body)
{
	if (supervisor->reloads.state)
		return supervisor->reloads.state(supervisor->reloads.data, ticket, body);
	text_add(body, "{\"error\":\"" NOBODY_RELOADS "\"}");
	return false;
}

static void tell(struct supervisor *supervisor, enum reload_news news, enum reload_end how, const struct seat *seat)
{
	const struct reload_report report = { .news = news,
					      .how = how,
					      .stage = seat ? seat->stage->name : NULL,
					      .worker = seat ? (int)seat->worker_index : -1,
					      .why = text_get(&supervisor->reload_why) };

	supervisor->reloads.news(supervisor->reloads.data, &report);
}

/* Who died with the other plan did so for its sake: no item is to blame. */
static void forgive(struct seat *seat)
{
	struct board_slot *slot = &seat->supervisor->board->slots[seat->slot];

	slot->suspect_attempts = 0;
	slot->in_flight_limit = 0;
	seat_forget_attempts(seat);
}

/* Only seats where nobody sits have a suspect that may be forgotten. */
static void forget_suspects(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];

		if (supervisor->lifecycle.stages[seat->stage_number].reloads && !seat->pid)
			forgive(seat);
	}
}

static void exchange(struct supervisor *supervisor, const struct seat *culprit)
{
	supervisor->reloads.exchange(supervisor->reloads.data);
	lifecycle_replan(&supervisor->lifecycle);
	supervisor->look_ns = 0;
	deadlines_open(supervisor);
	deadlines_wake(supervisor);
	if (supervisor->callbacks.replanned)
		supervisor->callbacks.replanned(supervisor->callbacks.data);
	loads_wake(supervisor);
	if (!culprit)
		return;
	forget_suspects(supervisor);
	if (supervisor->canary_outside) {
		supervisor->canary_outside = false;
		return;
	}
	text_clear(&supervisor->reload_why);
	if (culprit->pid) {
		text_add(&supervisor->reload_why, "was not ready in time");
		return;
	}
	seat_add_manner(culprit, &supervisor->reload_why);
	if (culprit->goodbye.reason)
		text_printf(&supervisor->reload_why, ": %s", culprit->goodbye.reason);
}

/* Who takes over when we die has to come with the plan that is in force now. */
static void note_in_estate(struct supervisor *supervisor, enum reload_end how)
{
	int r = 0;

	if (supervisor->estate && (how == RELOAD_END_DONE || how == RELOAD_END_CUT_SHORT))
		r = estate_set_plan(supervisor->estate, supervisor->plan);
	if (r < 0)
		supervisor_log(supervisor, WEIR_LOG_WARNING,
			       "what is kept for the next supervisor still wants the spec before the reload: %s",
			       strerrordesc_np(-r));
}

void reload_perform(struct supervisor *supervisor, const struct action *action)
{
	struct seat *seat = action->seat == NO_SEAT ? NULL : &supervisor->seats[action->seat];

	switch (action->kind) {
	case ACTION_CANARY:
		canary_begin(seat);
		tell(supervisor, RELOAD_NEWS_CANARY, RELOAD_END_DONE, seat);
		return;
	case ACTION_JUDGE:
		canaries_judge(supervisor, action->value != 0);
		return;
	case ACTION_FORGIVE:
		forgive(seat);
		return;
	case ACTION_DISMISS:
		newcomers_dismiss(supervisor);
		return;
	case ACTION_EXCHANGE:
		exchange(supervisor, seat);
		if (seat)
			tell(supervisor, RELOAD_NEWS_REVERTING, RELOAD_END_ROLLED_BACK, seat);
		else if (!action->value)
			tell(supervisor, RELOAD_NEWS_SWITCHING, RELOAD_END_DONE, NULL);
		return;
	case ACTION_RELOAD_SWITCHED:
		tell(supervisor, RELOAD_NEWS_SWITCHED, RELOAD_END_DONE, NULL);
		return;
	default:
		supervisor->other_plan = NULL;
		note_in_estate(supervisor, (enum reload_end)action->value);
		tell(supervisor, RELOAD_NEWS_OVER, (enum reload_end)action->value, seat);
	}
}
