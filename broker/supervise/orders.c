/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How orders reach workers: the board's word is the order; the message says why and by when; the doorbell wakes those asleep.
 * What is ordered, and when, is decided in broker/lifecycle/stop.c and resume.c.
 */
#include <stdio.h>
#include <string.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/memory/doorbell.h"

static void send(const struct seat *seat, const struct message *message)
{
	(void)seat->supervisor->callbacks.send(seat->supervisor->callbacks.data, seat->slot, message);
}

/* ---- one worker ---- */

static void tell(const struct seat *seat, enum rung rung, const char *who)
{
	const struct lifecycle *lifecycle = &seat->supervisor->lifecycle;
	struct message message = { .type = MESSAGE_DRAIN };

	if (rung >= RUNG_CANCEL) {
		message.type = MESSAGE_CANCEL;
		message.cancel.cause = lifecycle->cause;
		message.cancel.who = (struct message_bytes){ who, strlen(who) };
	} else {
		message.drain.deadline_ns = lifecycle->ladder.deadline_ns;
	}
	send(seat, &message);
}

static void tell_deadline(const struct seat *seat)
{
	struct message message = { .type = MESSAGE_DEADLINE };

	message.deadline.deadline_ns = load_relaxed(&seat->supervisor->board->run_deadline_ns);
	if (message.deadline.deadline_ns)
		send(seat, &message);
}

void seat_greet(const struct seat *seat)
{
	enum rung rung = seat->supervisor->lifecycle.ladder.rung;

	tell_deadline(seat);
	if (rung != RUNG_NONE)
		tell(seat, rung, "");
	stalls_wake(seat->supervisor);
	deadlines_wake(seat->supervisor);
	loads_wake(seat->supervisor);
}

/* ---- everybody ---- */

void order_run(struct supervisor *supervisor, uint64_t deadline_ns)
{
	store_relaxed(&supervisor->board->run_deadline_ns, deadline_ns);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		tell_deadline(&supervisor->seats[i]);
	store_release(&supervisor->board->order, BOARD_RUN); /* [B1] mate: board_order_of */
	doorbells_ring_all(supervisor);
}

void order_grace(struct supervisor *supervisor, uint64_t at_ns)
{
	store_relaxed(&supervisor->board->term_deadline_ns, at_ns);
}

/*
 * What everybody is to do stands in each slot's own word, too: who asks before each item, and scopes, have to look at that one alone. But
 * for a drain that is said to be off, and for what was said before a slot's next worker is there: for that all look at both.
 */
static void order_slot_drain(struct supervisor *supervisor, uint32_t slot)
{
	atomic_u32 *own = &supervisor->board->slots[slot].order;

	if (load_relaxed(own) < BOARD_DRAIN)
		store_release(own, BOARD_DRAIN); /* [B1] mate: take_order */
}

static void order_slot_go_on(struct supervisor *supervisor, uint32_t slot)
{
	atomic_u32 *own = &supervisor->board->slots[slot].order;

	if (load_relaxed(own) == BOARD_DRAIN)
		store_release(own, BOARD_HOLD); /* [B1] mate: take_order */
}

static void order_slot_cancel(struct supervisor *supervisor, uint32_t slot)
{
	struct board_slot *own = &supervisor->board->slots[slot];

	if (load_relaxed(&own->order) < BOARD_CANCEL) {
		store_relaxed(&own->cause, (uint32_t)supervisor->lifecycle.cause);
		store_release(&own->order, BOARD_CANCEL); /* [B1] mate: board_order_of */
	}
}

/*
 * Of a cancel the slots' words before the board's: who acknowledges has cancelled scopes. The board's before the first ring: who is woken
 * sees that it is not meant alone and steps aside (wait.c) while the others are woken; so of a drain it comes first of all.
 */
static void order_board(struct supervisor *supervisor, enum board_order order)
{
	store_relaxed(&supervisor->board->cause, (uint32_t)supervisor->lifecycle.cause);
	for (uint32_t i = 0; order == BOARD_CANCEL && i < supervisor->plan->n_slots; i++)
		order_slot_cancel(supervisor, i);
	if (load_relaxed(&supervisor->board->order) < (uint32_t)order)
		store_release(&supervisor->board->order, (uint32_t)order); /* [B1] mate: board_order_of */
	for (uint32_t i = 0; order == BOARD_DRAIN && i < supervisor->plan->n_slots; i++)
		order_slot_drain(supervisor, i);
	for (uint32_t i = 0; order == BOARD_CANCEL && i < supervisor->plan->n_slots; i++)
		doorbell_ring(supervisor->seats[i].cancel_fd);
}

void order_stop(struct supervisor *supervisor, enum rung rung, const char *who)
{
	enum board_order order = rung >= RUNG_CANCEL ? BOARD_CANCEL : BOARD_DRAIN;

	order_board(supervisor, order);
	/* first: who is awake has seen it before the messages keep the processors busy */
	doorbells_ring_all(supervisor);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (seat_state_alive(supervisor->seats[i].life->state))
			tell(&supervisor->seats[i], rung, who);
	stalls_wake(supervisor);
	deadlines_wake(supervisor);
	loads_wake(supervisor);
}

void order_go_on(struct supervisor *supervisor)
{
	supervisor_log(supervisor, WEIR_LOG_NOTICE, "sources are told to go on");
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		order_slot_go_on(supervisor, i);
	store_release(&supervisor->board->order, BOARD_RUN); /* [B1] mate: board_order_of */
	doorbells_ring_all(supervisor);
	stalls_wake(supervisor);
	deadlines_wake(supervisor);
	loads_wake(supervisor);
}

/* Who is still there says so itself, if it still reacts: it stands in the log beside what its status line claims. */
void order_query(struct supervisor *supervisor)
{
	const struct message query = { .type = MESSAGE_QUERY };

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (seat_state_alive(supervisor->seats[i].life->state))
			send(&supervisor->seats[i], &query);
}

/* ---- what people want ---- */

static struct event request(enum event_kind kind, const char *who)
{
	struct event event = { .kind = kind };

	snprintf(event.who, sizeof(event.who), "%s", who);
	return event;
}

void supervisor_drain(struct supervisor *supervisor, uint64_t deadline_ns, const char *who)
{
	struct event event = request(EVENT_DRAIN, who);

	event.deadline_ns = deadline_ns;
	supervisor_post(supervisor, &event);
}

void supervisor_cancel(struct supervisor *supervisor, enum cause cause, const char *who)
{
	struct event event = request(EVENT_CANCEL, who);

	event.cause = cause;
	supervisor_post(supervisor, &event);
}

void supervisor_signal(struct supervisor *supervisor, int signal_number)
{
	const char *abbreviation = sigabbrev_np(signal_number);
	struct event event = { .kind = EVENT_SIGNAL, .signal_number = signal_number };

	snprintf(event.who, sizeof(event.who), "SIG%s", abbreviation ? abbreviation : "?");
	supervisor_post(supervisor, &event);
}

const char *supervisor_resume(struct supervisor *supervisor, const char *who)
{
	enum resume_refusal refusal = lifecycle_resume_refusal(&supervisor->lifecycle);
	struct event event = request(EVENT_RESUME, who);

	if (refusal != RESUME_POSSIBLE)
		return resume_refusal_sentence(refusal);
	supervisor_post(supervisor, &event);
	return NULL;
}

bool supervisor_may_resume(const struct supervisor *supervisor)
{
	enum resume_refusal refusal = lifecycle_resume_refusal(&supervisor->lifecycle);

	return refusal == RESUME_POSSIBLE || refusal == RESUME_UNDER_WAY;
}
