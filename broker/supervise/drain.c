/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ladder, the one way out for every order to stop: drain, ^C, cancel, the run's deadline, a failure. ladder.h has its times.
 *
 *      rung       board     message    signal                    restarts    a dead worker
 *      drain      DRAIN     drain                                on          is repaired and restarted: items must get through
 *      cancel     CANCEL    cancel                               off         is repaired
 *      SIGTERM                         SIGTERM, SIGCONT          off         is repaired
 *      SIGKILL                         SIGKILL to it, its group  off         is repaired
 *
 * Every rung is climbed once, in order, also when a person skips to a higher one; each says who is still there. The
 * signals go through pidfds. A worker that is stopped gets SIGCONT, or it could not hear SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/memory/doorbell.h"
#include "common/base/quantity.h"

/* ---- the rungs ---- */

static void log_rung(struct supervisor *supervisor, enum rung rung, const char *who)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	uint64_t now_ns = clock_now_ns();
	char left[QUANTITY_TEXT_SIZE];

	waiting_for(supervisor, now_ns, &text);
	/* After a start that failed the diagnostic says all that people want to know. */
	supervisor_log(
		supervisor, supervisor->outcome.start_failed ? WEIR_LOG_DEBUG : WEIR_LOG_NOTICE,
		"%s (%s%s%s), %s left; waiting for: %s", rung_name(rung), who, rung >= RUNG_CANCEL ? ", cause " : "",
		rung >= RUNG_CANCEL ? cause_name(supervisor->cause) : "",
		quantity_format_duration(
			supervisor->ladder.deadline_ns > now_ns ? supervisor->ladder.deadline_ns - now_ns : 0, left),
		text_get(&text));
}

static void tell(struct seat *seat, const char *who)
{
	const struct supervisor *supervisor = seat->supervisor;
	struct message message = { .type = MESSAGE_DRAIN };

	if (supervisor->ladder.rung >= RUNG_CANCEL) {
		message.type = MESSAGE_CANCEL;
		message.cancel.cause = supervisor->cause;
		message.cancel.who = (struct message_bytes){ who, strlen(who) };
	} else {
		message.drain.deadline_ns = supervisor->ladder.deadline_ns;
	}
	supervisor->callbacks.send(supervisor->callbacks.data, seat->slot, &message);
}

void ladder_tell(struct seat *seat)
{
	if (seat->supervisor->ladder.rung != RUNG_NONE)
		tell(seat, "");
}

/* When a worker's grace ends. */
static void post_term_deadline(struct supervisor *supervisor)
{
	uint64_t at_ns = ladder_time_of(&supervisor->ladder, RUNG_TERM);

	store_relaxed(&supervisor->board->term_deadline_ns, at_ns ? at_ns : 1);
}

/* A cancel stands in each slot's own word, too: its scopes have to look at that one alone. */
static void order_slot_cancel(struct supervisor *supervisor, uint32_t slot)
{
	struct board_slot *own = &supervisor->board->slots[slot];

	if (load_relaxed(&own->order) < BOARD_CANCEL) {
		store_relaxed(&own->cause, (uint32_t)supervisor->cause);
		store_release(&own->order, BOARD_CANCEL); /* [B1] mate: board_order_of */
	}
	doorbell_ring(supervisor->seats[slot].cancel_fd);
}

/* The board's word is the order; the message says why and by when; the doorbell wakes those asleep. */
static void order_everybody(struct supervisor *supervisor, enum board_order order, const char *who)
{
	store_relaxed(&supervisor->board->cause, (uint32_t)supervisor->cause);
	post_term_deadline(supervisor);
	for (uint32_t i = 0; order == BOARD_CANCEL && i < supervisor->plan->n_slots; i++)
		order_slot_cancel(supervisor, i);
	if (load_relaxed(&supervisor->board->order) < (uint32_t)order)
		store_release(&supervisor->board->order, (uint32_t)order); /* [B1] mate: board_order_of */
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (seat_state_alive(supervisor->seats[i].state))
			tell(&supervisor->seats[i], who);
	doorbells_ring_all(supervisor);
}

static void restarts_off(struct supervisor *supervisor)
{
	supervisor->restarts_off = true;
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];

		if (seat->state != SEAT_BACKOFF && seat->state != SEAT_EMPTY)
			continue;
		timer_stop(&seat->timer);
		seat_must_move(seat, SEAT_EVENT_GIVE_UP);
	}
}

static void signal_everybody(struct supervisor *supervisor, int signal_number)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		const struct seat *seat = &supervisor->seats[i];

		if (!seat_state_alive(seat->state))
			continue;
		pidfd_send_signal(seat->pidfd, signal_number, NULL, 0);
		if (signal_number == SIGTERM)
			pidfd_send_signal(seat->pidfd, SIGCONT, NULL, 0);
		else if (seat->own_group)
			kill(-seat->pid, signal_number); /* not reaped yet, so the number is its own */
	}
}

/* Who is still there says so itself, if it still reacts: it stands in the log beside what its status line claims. */
static void ask_everybody(struct supervisor *supervisor)
{
	const struct message query = { .type = MESSAGE_QUERY };

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (seat_state_alive(supervisor->seats[i].state))
			(void)supervisor->callbacks.send(supervisor->callbacks.data, supervisor->seats[i].slot, &query);
}

static void climb_one(struct supervisor *supervisor, enum rung rung, const char *who)
{
	switch (rung) {
	case RUNG_NONE:
		return;
	case RUNG_DRAIN:
		/* On the way to a cancel nobody is told to drain: else a source that is quick would make it look like a natural end. */
		if (supervisor->ladder.rung == RUNG_DRAIN)
			order_everybody(supervisor, BOARD_DRAIN, who);
		return;
	case RUNG_CANCEL:
		ask_everybody(supervisor);
		order_everybody(supervisor, BOARD_CANCEL, who);
		restarts_off(supervisor);
		return;
	case RUNG_TERM:
		signal_everybody(supervisor, SIGTERM);
		return;
	case RUNG_KILL:
		signal_everybody(supervisor, SIGKILL);
		return;
	}
}

/* Nothing stops SIGKILL but the kernel itself: such a process is reported and left behind, never repaired. */
void seat_leave_behind(struct seat *seat)
{
	seat_log(seat, WEIR_LOG_ERROR,
		 "does not die of SIGKILL: stuck in the kernel (disk, network file system?); left behind");
	seat_unwatch(seat);
	seat_must_move(seat, SEAT_EVENT_GIVE_UP);
}

static void give_up_unkillable(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (seat_state_alive(supervisor->seats[i].state))
			seat_leave_behind(&supervisor->seats[i]);
}

static int on_ladder(sd_event_source *source, uint64_t at_us, void *data);

static void set_ladder_timer(struct supervisor *supervisor)
{
	const struct ladder *ladder = &supervisor->ladder;
	uint64_t at_ns = ladder->rung == RUNG_KILL ? ladder->deadline_ns + UNKILLABLE_NS :
						     ladder_time_of(ladder, ladder->rung + 1);

	post_term_deadline(supervisor);
	timer_set(supervisor, &supervisor->ladder_timer, at_ns, on_ladder, supervisor);
}

static int on_ladder(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;
	uint64_t now_ns = clock_now_ns();
	enum rung due = ladder_due(&supervisor->ladder, now_ns);

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->ladder_timer);
	if (supervisor->ladder.rung == RUNG_KILL) {
		give_up_unkillable(supervisor);
		supervisor_check_end(supervisor);
		return 0;
	}
	if (due == supervisor->ladder.rung) { /* the deadline has moved meanwhile */
		set_ladder_timer(supervisor);
		return 0;
	}
	if (supervisor->ladder.rung == RUNG_DRAIN) {
		supervisor->outcome.drain_deadline_passed = true;
		supervisor->cause = CAUSE_DRAIN_DEADLINE;
	}
	ladder_climb(supervisor, due, supervisor->cause, "time is up");
	return 0;
}

static uint64_t longest_grace_ns(const struct plan *plan)
{
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (plan->stages[i].grace_ns > longest_ns)
			longest_ns = plan->stages[i].grace_ns;
	return longest_ns;
}

static void step_on(struct supervisor *supervisor, uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();

	timer_stop(&supervisor->start_timer);
	ladder_begin(&supervisor->ladder, now_ns, deadline_ns ? deadline_ns : now_ns + supervisor->plan->drain_ns,
		     longest_grace_ns(supervisor->plan));
	supervisor_move(supervisor, PIPELINE_EVENT_STOP_ORDERED, 0);
	stalls_wake(supervisor);
}

void ladder_climb(struct supervisor *supervisor, enum rung rung, enum cause cause, const char *who)
{
	enum rung before = supervisor->ladder.rung;

	if (supervisor->finished || rung <= before)
		return;
	if (before == RUNG_NONE)
		step_on(supervisor, 0);
	if (rung >= RUNG_CANCEL && before < RUNG_CANCEL)
		supervisor->cause = cause;
	ladder_skip(&supervisor->ladder, clock_now_ns(), rung);
	log_rung(supervisor, rung, who);
	for (enum rung step = before + 1; step <= rung; step++)
		climb_one(supervisor, step, who);
	set_ladder_timer(supervisor);
	supervisor_check_end(supervisor);
}

/* ---- orders from outside ---- */

void supervisor_drain(struct supervisor *supervisor, uint64_t deadline_ns, const char *who)
{
	if (supervisor->finished)
		return;
	if (supervisor->ladder.rung == RUNG_NONE) {
		step_on(supervisor, deadline_ns);
		log_rung(supervisor, RUNG_DRAIN, who);
		climb_one(supervisor, RUNG_DRAIN, who);
	} else if (!deadline_ns || !ladder_shorten(&supervisor->ladder, clock_now_ns(), deadline_ns)) {
		return;
	}
	set_ladder_timer(supervisor);
}

void supervisor_cancel(struct supervisor *supervisor, enum cause cause, const char *who)
{
	ladder_climb(supervisor, RUNG_CANCEL, cause, who);
}

void supervisor_signal(struct supervisor *supervisor, int signal_number)
{
	const char *abbreviation = sigabbrev_np(signal_number);
	char who[32];

	snprintf(who, sizeof(who), "SIG%s", abbreviation ? abbreviation : "?");
	if (supervisor->finished)
		return;
	if (supervisor->ladder.rung == RUNG_NONE) {
		supervisor->outcome.signal_number = signal_number;
		supervisor_drain(supervisor, 0, who);
	} else if (!supervisor->signalled) {
		supervisor_log(supervisor, WEIR_LOG_NOTICE, "%s: stopping already; once more skips a rung", who);
	} else if (supervisor->ladder.rung < RUNG_KILL) {
		ladder_climb(supervisor, supervisor->ladder.rung + 1, CAUSE_USER, who);
	}
	supervisor->signalled = true;
}

int deadline_passed(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->deadline_timer);
	ladder_climb(supervisor, RUNG_CANCEL, CAUSE_RUN_DEADLINE, "the run's deadline");
	return 0;
}
