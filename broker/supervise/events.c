/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between what happens and what is decided: every event goes through lifecycle_step() here, and nowhere else, and every action
 * that comes out of it is performed before the next one. Answers of what was performed come first; what handlers want
 * meanwhile (a callback may order a drain) waits for its turn.
 *
 *      handler ---> supervisor_post() ---> waiting ---.
 *                                                     +---> lifecycle_step() ---> perform.c ---.
 *               .- supervisor_answer() --> answers ---'                                        |
 *               '------------------------------------------------------------------------------'
 */
#include <stdlib.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/must.h"

static void queue_add(struct event_queue *queue, const struct event *event)
{
	if (queue->n == queue->size) {
		queue->size = queue->size ? 2 * queue->size : 16;
		queue->events = reallocarray(queue->events, queue->size, sizeof(*queue->events));
		must(queue->events);
	}
	queue->events[queue->n++] = *event;
}

static bool queue_take(struct event_queue *queue, struct event *ret_event)
{
	if (queue->next == queue->n) {
		queue->next = queue->n = 0;
		return false;
	}
	*ret_event = queue->events[queue->next++];
	return true;
}

/* A hint for those who spin: orders nothing. */
static void post_live(struct supervisor *supervisor)
{
	store_relaxed(&supervisor->board->n_live, supervisor->lifecycle.n_live);
}

static bool step(struct supervisor *supervisor, const struct event *event)
{
	struct actions actions = lifecycle_step(&supervisor->lifecycle, event, clock_now_ns());

	post_live(supervisor);
	estate_note_decisions(supervisor);
	for (uint32_t i = 0; i < actions.n; i++)
		supervisor_perform(supervisor, &actions.actions[i]);
	return !actions.refused;
}

void supervisor_answer(struct supervisor *supervisor, const struct event *event)
{
	queue_add(&supervisor->answers, event);
}

bool supervisor_post(struct supervisor *supervisor, const struct event *event)
{
	struct event next = *event;
	bool taken;

	if (supervisor->busy) {
		queue_add(&supervisor->waiting, event);
		return true;
	}
	supervisor->busy = true;
	taken = step(supervisor, &next);
	while (queue_take(&supervisor->answers, &next) || queue_take(&supervisor->waiting, &next))
		step(supervisor, &next);
	supervisor->busy = false;
	return taken;
}

static int on_time(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->timer);
	supervisor_post(supervisor, &(struct event){ .kind = EVENT_TIME });
	return 0;
}

void supervisor_arm(struct supervisor *supervisor, uint64_t at_ns)
{
	if (at_ns)
		timer_set(supervisor, &supervisor->timer, at_ns, on_time, supervisor);
	else
		timer_stop(&supervisor->timer);
}

void supervisor_forget_events(struct supervisor *supervisor)
{
	free(supervisor->answers.events);
	free(supervisor->waiting.events);
	supervisor->answers = supervisor->waiting = (struct event_queue){ 0 };
}
