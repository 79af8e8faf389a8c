/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The noun: one supervisor, its seats, and what the verbs beside this file share. Everything runs in one thread, in handlers of
 * one sd-event loop; nothing waits, but for a dead worker's orphans (50 ms at most).
 *
 *      spawn --> watch --> reap --> mend --> revive --> spawn ...          one seat's life: seat_state.def
 *                  |         |                 |
 *                  |         +-- orphans       +-- a stage gives up --+
 *                  +-- all ready: RUN                                 v
 *      drain, cancel, signals, deadline ----------------------> drain (the ladder)     the pipeline's: pipeline_state.def
 *                                                                     |
 *                                       nobody left: census, ledger, exit code
 *
 * An idle pipeline costs nothing: no timer is set unless something is being waited for.
 */
#include "broker/supervise/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

/* ---- states ---- */

void supervisor_move(struct supervisor *supervisor, enum pipeline_event event, uint32_t holding)
{
	enum pipeline_state next;

	if (!pipeline_next(supervisor->state, event, holding, &next) || next == supervisor->state)
		return;
	supervisor_log(supervisor, WEIR_LOG_DEBUG, "%s -> %s", pipeline_state_name(supervisor->state),
		       pipeline_state_name(next));
	supervisor->state = next;
	supervisor->callbacks.phase(supervisor->callbacks.data, pipeline_state_name(next));
}

bool seat_move(struct seat *seat, enum seat_event event)
{
	bool was_alive = seat_state_alive(seat->state);
	atomic_u32 *n_live = &seat->supervisor->board->n_live;

	if (!seat_next(seat->state, event, &seat->state))
		return false;
	if (was_alive != seat_state_alive(seat->state))
		store_relaxed(n_live, load_relaxed(n_live) + (was_alive ? -1u : 1u)); /* a hint: orders nothing */
	return true;
}

void seat_must_move(struct seat *seat, enum seat_event event)
{
	bool moved = seat_move(seat, event);

	must(moved);
}

/* ---- birth ---- */

static void seat_init(struct supervisor *supervisor, uint32_t slot)
{
	const struct plan_slot *place = &supervisor->plan->slots[slot];

	supervisor->seats[slot] = (struct seat){ .supervisor = supervisor,
						 .stage = &supervisor->plan->stages[place->stage],
						 .slot = slot,
						 .stage_number = place->stage,
						 .worker_index = place->worker_index,
						 .segment_fd = -1,
						 .segment_read_fd = -1,
						 .doorbell_fd = -1,
						 .cancel_fd = -1,
						 .spool_fds = { -1, -1 },
						 .pidfd = -1,
						 .exec_fd = -1,
						 .stderr_fd = -1 };
}

static int history_init(struct restart_history *history, const struct plan_stage *stage)
{
	history->deaths_ns = calloc(stage->restart_intensity + 1ul, sizeof(*history->deaths_ns));
	return history->deaths_ns ? 0 : error_origin(-ENOMEM);
}

static int stage_watch_init(struct supervisor *supervisor, uint32_t number)
{
	const struct plan_stage *stage = &supervisor->plan->stages[number];
	struct stage_watch *watch = &supervisor->stages[number];

	*watch = (struct stage_watch){ .number = number,
				       .supervisor = supervisor,
				       .limit = { .max = STAGE_LINES_PER_S, .window_ns = NS_PER_S },
				       .policy = { .intensity = stage->restart_intensity,
						   .period_ns = stage->restart_period_ns,
						   .backoff_min_ns = stage->backoff_min_ns,
						   .backoff_max_ns = stage->backoff_max_ns } };
	return history_init(&watch->history, stage);
}

static int supervisor_init(struct supervisor *supervisor)
{
	int r;

	supervisor->seats = calloc(supervisor->plan->n_slots, sizeof(*supervisor->seats));
	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++)
		seat_init(supervisor, i);
	supervisor->stages = calloc(supervisor->plan->n_stages, sizeof(*supervisor->stages));
	supervisor->behind = calloc(supervisor->plan->n_stages, sizeof(*supervisor->behind));
	if (!supervisor->seats || !supervisor->stages || !supervisor->behind || !supervisor->worker_path ||
	    !supervisor->endpoint)
		return error_origin(-ENOMEM);
	r = timer_prepare(supervisor->event);
	for (uint32_t i = 0; r == 0 && i < supervisor->plan->n_stages; i++)
		r = stage_watch_init(supervisor, i);
	for (uint32_t i = 0; r == 0 && i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].stage->degrade)
			r = history_init(&supervisor->seats[i].history, supervisor->seats[i].stage);
	return error_trace(r);
}

int supervisor_new(const struct plan *plan, sd_event *event, const struct supervisor_settings *settings,
		   const struct supervisor_callbacks *callbacks, struct supervisor **ret_supervisor, struct text *why)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
	int r;

	if (!supervisor)
		return error_origin(-ENOMEM);
	*supervisor = (struct supervisor){
		.magic = SUPERVISOR_MAGIC,
		.plan = plan,
		.event = sd_event_ref(event),
		.callbacks = *callbacks,
		.worker_path = strdup(settings->worker_path),
		.endpoint = strdup(settings->endpoint),
		.dead_letter_store = settings->dead_letter_store ? strdup(settings->dead_letter_store) : NULL,
		.run = clock_realtime_ns(),
		.start_timeout_ns = settings->start_timeout_ns ? settings->start_timeout_ns : START_TIMEOUT_DEFAULT_NS,
		.pid = getpid(),
		.board_fd = -1,
		.board_read_fd = -1,
		.lifeline_fds = { -1, -1 },
		.null_fd = -1,
	};
	getrlimit(RLIMIT_NOFILE, &supervisor->files_before);
	supervisor->files_of_workers = supervisor->files_before;
	if (settings->worker_files && settings->worker_files < supervisor->files_before.rlim_max)
		supervisor->files_of_workers.rlim_cur = settings->worker_files;
	prctl(PR_GET_CHILD_SUBREAPER, &supervisor->subreaper_before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = supervisor_init(supervisor);
	if (r == 0)
		r = memory_open(supervisor, why);
	if (r == 0)
		stalls_open(supervisor);
	if (r) {
		supervisor_free(supervisor);
		return r;
	}
	*ret_supervisor = supervisor;
	return 0;
}

/* ---- start ---- */

static int on_start_due(sd_event_source *source, uint64_t at_us, void *data)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct supervisor *supervisor = data;

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->start_timer);
	text_printf(&why,
		    "not everybody was ready after %.1f s:", (double)supervisor->start_timeout_ns / (double)NS_PER_S);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].state != SEAT_READY)
			text_printf(&why, " %s#%u (%s)", supervisor->seats[i].stage->name,
				    supervisor->seats[i].worker_index, seat_state_name(supervisor->seats[i].state));
	supervisor_fail_start(supervisor, NULL, false, text_get(&why));
	return 0;
}

/* Nothing has been accepted yet, so what the machine can't give is said at once, and not tried again and again. */
static void fail_spawn(const struct seat *seat, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	text_printf(&why, "worker %u cannot be started: %s%s", seat->worker_index, strerrordesc_np(-r),
		    r == -EMFILE ? "; raise the limit (ulimit -n) or lower 'workers'" :
		    r == -EAGAIN ? "; raise the limit of processes (ulimit -u) or lower 'workers'" :
				   "");
	supervisor_fail_start(seat->supervisor, seat->stage, false, text_get(&why));
}

int supervisor_start(struct supervisor *supervisor)
{
	must(supervisor->magic == SUPERVISOR_MAGIC);
	supervisor->callbacks.phase(supervisor->callbacks.data, pipeline_state_name(supervisor->state));
	timer_set(supervisor, &supervisor->start_timer, clock_now_ns() + supervisor->start_timeout_ns, on_start_due,
		  supervisor);
	for (uint32_t i = 0; i < supervisor->plan->n_slots && !supervisor->restarts_off; i++) {
		int r = seat_spawn(&supervisor->seats[i]);

		if (r < 0)
			fail_spawn(&supervisor->seats[i], r);
	}
	supervisor_check_end(supervisor);
	return 0;
}

void seat_tell_deadline(struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;
	struct message message = { .type = MESSAGE_DEADLINE };

	message.deadline.deadline_ns = load_relaxed(&supervisor->board->run_deadline_ns);
	if (message.deadline.deadline_ns)
		(void)supervisor->callbacks.send(supervisor->callbacks.data, seat->slot, &message);
}

void supervisor_check_ready(struct supervisor *supervisor)
{
	uint64_t now_ns = clock_now_ns();

	if (supervisor->state != PIPELINE_STARTING)
		return;
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].state != SEAT_READY)
			return;
	timer_stop(&supervisor->start_timer);
	supervisor->started_ns = now_ns;
	if (supervisor->plan->deadline_ns) {
		store_relaxed(&supervisor->board->run_deadline_ns, now_ns + supervisor->plan->deadline_ns);
		timer_set(supervisor, &supervisor->deadline_timer, now_ns + supervisor->plan->deadline_ns,
			  deadline_passed, supervisor);
		for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
			seat_tell_deadline(&supervisor->seats[i]);
	}
	store_release(&supervisor->board->order, BOARD_RUN); /* [B1] mate: board_order_of */
	doorbells_ring_all(supervisor);
	supervisor_move(supervisor, PIPELINE_EVENT_ALL_READY, 1u << PIPELINE_GUARD_EVERY_SEAT_READY);
	stalls_wake(supervisor);
}

/* ---- end ---- */

/*
 * Only for a loop that broke off: whoever still lives is ended without ceremony. Not who was left behind because not even SIGKILL
 * ended it (give_up_unkillable): to wait for that one is to wait for ever.
 */
static void end_by_force(struct supervisor *supervisor)
{
	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];
		siginfo_t info;

		if (seat->pid <= 0 || seat_state_over(seat->state))
			continue;
		pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0);
		if (seat->own_group)
			kill(-seat->pid, SIGKILL);
		waitid(P_PID, (id_t)seat->pid, &info, WEXITED);
		seat->pid = 0;
	}
	supervisor->finished = true;
}

static void seat_deinit(struct seat *seat)
{
	seat->words.length = 0; /* an unfinished line has nobody to tell any more */
	seat_unwatch(seat);
	last_words_clear(&seat->words);
	seat_forget_attempts(seat);
	free(seat->history.deaths_ns);
	free(seat->goodbye.reason);
	free(seat->goodbye.option);
}

struct supervisor *supervisor_free(struct supervisor *supervisor)
{
	if (!supervisor)
		return NULL;
	end_by_force(supervisor);
	supervisor_sweep(supervisor);
	supervisor_stop_timers(supervisor);
	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++)
		seat_deinit(&supervisor->seats[i]);
	for (uint32_t i = 0; supervisor->stages && i < supervisor->plan->n_stages; i++)
		free(supervisor->stages[i].history.deaths_ns);
	stalls_close(supervisor);
	memory_close(supervisor);
	prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)supervisor->subreaper_before);
	sd_event_unref(supervisor->event);
	free(supervisor->seats);
	free(supervisor->stages);
	free(supervisor->behind);
	free(supervisor->worker_path);
	free(supervisor->endpoint);
	free(supervisor->dead_letter_store);
	free(supervisor->failure_message);
	supervisor->magic = 0;
	free(supervisor);
	return NULL;
}

/* ---- what others may know ---- */

bool supervisor_finished(const struct supervisor *supervisor)
{
	return supervisor->finished;
}

int supervisor_exit_code(const struct supervisor *supervisor)
{
	return supervisor->exit_code;
}

const struct plan *supervisor_plan(const struct supervisor *supervisor)
{
	return supervisor->plan;
}

struct supervisor_failure supervisor_failure(const struct supervisor *supervisor)
{
	return supervisor->failure;
}
