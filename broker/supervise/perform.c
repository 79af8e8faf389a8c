/* SPDX-License-Identifier: Apache-2.0 */
/* What the lifecycle has decided is done here: one line for each action, in the order in which they were decided. */
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/random.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/error.h"

static uint32_t chance(void)
{
	uint32_t random = UINT32_MAX / 2;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = UINT32_MAX / 2; /* too early after boot: no jitter then */
	return random;
}

static void spawn(struct seat *seat)
{
	struct event event = { .kind = EVENT_SPAWNED, .seat = seat->slot };
	int r = seat_spawn(seat);

	if (r < 0) {
		event.kind = EVENT_SPAWN_FAILED;
		event.error = -r;
		event.memory = seat_memory_facts(seat);
		event.chance = chance();
	} else {
		seat_record(seat, RECORDER_SPAWN, seat->generation, (uint64_t)seat->pid, 0);
	}
	supervisor_answer(seat->supervisor, &event);
}

static void kill_now(const struct seat *seat)
{
	if (seat->pidfd < 0)
		return; /* its fork has just failed: the answer is on the way */
	pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0);
	if (seat->own_group)
		kill(-seat->pid, SIGKILL); /* not reaped yet, so the number is its own */
}

static void examine(const struct seat *seat)
{
	supervisor_answer(seat->supervisor, &(struct event){ .kind = EVENT_EXAMINED,
							     .seat = seat->slot,
							     .memory = seat_memory_facts(seat),
							     .chance = chance() });
}

/* Half of it must not be what the next supervisor finds: it is told first, and does it once more. */
static void retire(struct seat *seat)
{
	seat->retiring = true;
	estate_note_decisions(seat->supervisor);
	seat->retiring = seat_retire(seat) == 0;
	if (seat->retiring)
		seat_record(seat, RECORDER_RETIRE, 0, 0, 0);
	supervisor_answer(seat->supervisor,
			  &(struct event){ .kind = EVENT_RETIRED, .seat = seat->slot, .done = seat->retiring });
}

static void count(struct supervisor *supervisor)
{
	supervisor_report_suppressed(supervisor);
	supervisor_count(supervisor, &supervisor->counted);
	letters_settle(supervisor, &supervisor->counted);
	supervisor_answer(supervisor, &(struct event){ .kind = EVENT_COUNTED, .counted = &supervisor->counted });
}

static void phase(struct supervisor *supervisor, enum pipeline_state state)
{
	supervisor_log(supervisor, WEIR_LOG_DEBUG, "%s", pipeline_state_name(state));
	supervisor_record(supervisor, RECORDER_PHASE, RECORDER_NOWHERE, (uint32_t)state, 0, 0);
	supervisor->callbacks.phase(supervisor->callbacks.data, pipeline_state_name(state));
}

/* For those who ask why nothing moves: who wants it to end, and since when. */
static void note_told(struct seat *seat, enum cause cause, const char *who)
{
	seat->told = (struct seat_told){ .since_ns = clock_now_ns(), .cause = cause };
	snprintf(seat->told.who, sizeof(seat->told.who), "%s", who);
	stalls_wake(seat->supervisor);
}

static void note_signal(struct seat *seat)
{
	seat->told.rung_ns = clock_now_ns();
	if (!seat->told.since_ns)
		seat->told.since_ns = seat->told.rung_ns;
	stalls_wake(seat->supervisor);
}

static void note_all_told(struct supervisor *supervisor, const char *who)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (!supervisor->seats[i].told.since_ns)
			note_told(&supervisor->seats[i], supervisor->lifecycle.cause, who);
}

static void cancel(struct seat *seat, const struct action *action)
{
	seat_record(seat, RECORDER_ORDER, BOARD_CANCEL, (uint64_t)action->value, 0);
	seat_order_cancel(seat, (enum cause)action->value, action->who, action->at_ns);
	note_told(seat, (enum cause)action->value, action->who);
}

static void leave_behind(struct seat *seat)
{
	seat_log(seat, WEIR_LOG_ERROR,
		 "does not die of SIGKILL: stuck in the kernel (disk, network file system?); left behind");
	seat_unwatch(seat);
}

static void welcome(struct seat *seat)
{
	seat_record(seat, RECORDER_READY, seat->generation, 0, 0);
	seat_greet(seat);
	/* Else it is to end, ready or not: alone, or with everybody. */
	if (seat->life->state == SEAT_READY && seat->supervisor->lifecycle.ladder.rung < RUNG_CANCEL)
		seat->told = (struct seat_told){ 0 };
}

static void perform_on_seat(struct seat *seat, const struct action *action)
{
	switch (action->kind) {
	case ACTION_SPAWN:
		spawn(seat);
		return;
	case ACTION_CANCEL:
		cancel(seat, action);
		return;
	case ACTION_TERMINATE:
		seat_record(seat, RECORDER_SIGNAL, SIGTERM, 0, 0);
		seat_terminate(seat);
		note_signal(seat);
		return;
	case ACTION_KILL:
		seat_record(seat, RECORDER_SIGNAL, SIGKILL, 0, 0);
		kill_now(seat);
		note_signal(seat);
		return;
	case ACTION_REPAIR:
		seat_repair(seat);
		return;
	case ACTION_EXAMINE:
		examine(seat);
		return;
	case ACTION_RETIRE:
		retire(seat);
		return;
	case ACTION_LOSE:
		seat_close_lost(seat);
		return;
	case ACTION_DEAL:
	case ACTION_ANNOUNCE:
	case ACTION_LOOK:
	case ACTION_CLOSE:
		scale_perform(seat, action);
		return;
	case ACTION_RING:
		seat_ring_neighbours(seat);
		return;
	case ACTION_LEAVE_BEHIND:
		leave_behind(seat);
		return;
	case ACTION_REHEARSE:
		newcomer_rehearse(seat);
		return;
	case ACTION_CANARY:
	case ACTION_EXCHANGE:
	case ACTION_FORGIVE:
	case ACTION_RELOAD_OVER:
		reload_perform(seat->supervisor, action);
		return;
	case ACTION_GREET:
		welcome(seat);
		return;
	default:
		seat_say(seat, action);
		return;
	}
}

static void perform_on_all(struct supervisor *supervisor, const struct action *action)
{
	switch (action->kind) {
	case ACTION_RUN:
		supervisor_record(supervisor, RECORDER_ORDER, RECORDER_NOWHERE, BOARD_RUN, 0, 0);
		order_run(supervisor, action->at_ns);
		return;
	case ACTION_ORDER:
		supervisor_record(supervisor, RECORDER_ORDER, RECORDER_NOWHERE,
				  action->value >= (int)RUNG_CANCEL ? BOARD_CANCEL : BOARD_DRAIN,
				  (uint64_t)supervisor->lifecycle.cause, 0);
		order_stop(supervisor, (enum rung)action->value, action->who);
		if (action->value == (int)RUNG_CANCEL)
			note_all_told(supervisor, action->who);
		return;
	case ACTION_REST:
		supervisor_record(supervisor, RECORDER_ORDER, RECORDER_NOWHERE, BOARD_RUN, 0, 0);
		order_go_on(supervisor);
		return;
	case ACTION_ASK:
		order_query(supervisor);
		return;
	case ACTION_GRACE:
		order_grace(supervisor, action->at_ns);
		return;
	case ACTION_DISMISS:
	case ACTION_EXCHANGE:
	case ACTION_JUDGE:
	case ACTION_RELOAD_SWITCHED:
	case ACTION_RELOAD_OVER:
		reload_perform(supervisor, action);
		return;
	case ACTION_SWEEP:
		supervisor_sweep(supervisor);
		return;
	case ACTION_COUNT:
		count(supervisor);
		return;
	case ACTION_ARM:
		supervisor_arm(supervisor, action->at_ns);
		return;
	case ACTION_PHASE:
		phase(supervisor, (enum pipeline_state)action->value);
		return;
	case ACTION_END:
		supervisor_stop_timers(supervisor);
		sd_event_exit(supervisor->event, action->value);
		return;
	default:
		supervisor_say(supervisor, action);
		return;
	}
}

void supervisor_perform(struct supervisor *supervisor, const struct action *action)
{
	metrics_perform(supervisor, action);
	if (action->seat == NO_SEAT)
		perform_on_all(supervisor, action);
	else
		perform_on_seat(&supervisor->seats[action->seat], action);
	history_perform(supervisor, action);
}
