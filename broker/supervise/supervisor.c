/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The noun: one supervisor, its seats, and what the verbs beside this file share. Everything runs in one thread, in handlers of
 * one sd-event loop; nothing waits, but for a dead worker's orphans (50 ms at most).
 *
 *      pidfd, message, clock, person ---> events.c ---> lifecycle_step()      what happens: watch.c reap.c orders.c
 *                                            ^                 |             what it means: broker/lifecycle/, and nowhere else
 *                                            |                 v             what is done:  perform.c, and the verbs that it calls
 *                                            '--- answers --- perform.c
 *
 * An idle pipeline costs nothing: no timer is set unless something is being waited for.
 */
#include "broker/supervise/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/positions.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

/* ---- birth ---- */

static void seat_init(struct supervisor *supervisor, uint32_t slot)
{
	const struct plan_slot *place = &supervisor->plan->slots[slot];

	supervisor->seats[slot] = (struct seat){ .supervisor = supervisor,
						 .life = &supervisor->lifecycle.lives[slot],
						 .stage = &supervisor->plan->stages[place->stage],
						 .slot = slot,
						 .stage_number = place->stage,
						 .worker_index = place->worker_index,
						 .segment_fd = -1,
						 .segment_read_fd = -1,
						 .doorbell_fd = -1,
						 .cancel_fd = -1,
						 .scopes_fd = -1,
						 .spool_fds = { -1, -1 },
						 .state_fd = -1,
						 .socket_fd = -1,
						 .pidfd = -1,
						 .exec_fd = -1,
						 .stderr_fd = -1 };
}

static void stage_watch_init(struct supervisor *supervisor, uint32_t number)
{
	supervisor->stages[number] = (struct stage_watch){
		.number = number, .supervisor = supervisor, .limit = { .max = STAGE_LINES_PER_S, .window_ns = NS_PER_S }
	};
}

static int supervisor_init(struct supervisor *supervisor, uint64_t start_timeout_ns)
{
	int r = lifecycle_init(&supervisor->lifecycle, supervisor->plan, start_timeout_ns);

	supervisor->seats = calloc(supervisor->plan->n_slots, sizeof(*supervisor->seats));
	for (uint32_t i = 0; r == 0 && supervisor->seats && i < supervisor->plan->n_slots; i++)
		seat_init(supervisor, i);
	supervisor->stages = calloc(supervisor->plan->n_stages, sizeof(*supervisor->stages));
	for (uint32_t i = 0; supervisor->stages && i < supervisor->plan->n_stages; i++)
		stage_watch_init(supervisor, i);
	if (r == 0 && (!supervisor->seats || !supervisor->stages || !supervisor->worker_path || !supervisor->endpoint))
		r = error_origin(-ENOMEM);
	if (r == 0)
		r = timer_prepare(supervisor->event);
	return error_trace(r);
}

/* A run begins, or goes on. */
static int open_memory(struct supervisor *supervisor, bool keeps, struct text *why)
{
	int r = supervisor->goes_on ? predecessors_end(supervisor, why) : 0;

	if (r == 0)
		r = memory_open(supervisor, why);
	if (r == 0 && supervisor->goes_on)
		return adopt(supervisor, why);
	if (r == 0)
		r = positions_load(supervisor);
	return r == 0 && keeps ? error_trace(estate_leave(supervisor)) : r;
}

static int take_sockets(struct supervisor *supervisor, const int *sockets)
{
	for (uint32_t i = 0; sockets && i < supervisor->plan->n_slots; i++) {
		struct seat *seat = &supervisor->seats[i];

		if (seat->worker_index || sockets[seat->stage_number] < 0)
			continue;
		seat->socket_fd = fcntl(sockets[seat->stage_number], F_DUPFD_CLOEXEC, 0);
		if (seat->socket_fd < 0)
			return error_origin(-errno);
	}
	return 0;
}

int supervisor_new(const struct plan *plan, sd_event *event, const struct supervisor_settings *settings,
		   const struct supervisor_callbacks *callbacks, struct supervisor **ret_supervisor, struct text *why)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
	int r;

	if (!supervisor) {
		estate_free(settings->estate);
		return error_origin(-ENOMEM);
	}
	*supervisor = (struct supervisor){
		.magic = SUPERVISOR_MAGIC,
		.plan = plan,
		.event = sd_event_ref(event),
		.callbacks = *callbacks,
		.worker_path = strdup(settings->worker_path),
		.worker_fd = open(settings->worker_path, O_PATH | O_CLOEXEC),
		.endpoint = strdup(settings->endpoint),
		.dead_letter_store = settings->dead_letter_store ? strdup(settings->dead_letter_store) : NULL,
		.state_folder = settings->state_folder ? strdup(settings->state_folder) : NULL,
		.positions = settings->positions ? strdup(settings->positions) : NULL,
		.run = clock_realtime_ns(),
		.pid = getpid(),
		.board_fd = -1,
		.board_read_fd = -1,
		.lifeline_fds = { -1, -1 },
		.lifeline_kept_fd = -1,
		.estate = settings->estate,
		.goes_on = settings->estate != NULL,
		.n_supervisors = 1,
		.null_fd = -1,
		.limits = LIMITS_NULL,
	};
	getrlimit(RLIMIT_NOFILE, &supervisor->files_before);
	supervisor->files_of_workers = supervisor->files_before;
	if (settings->worker_files && settings->worker_files < supervisor->files_before.rlim_max)
		supervisor->files_of_workers.rlim_cur = settings->worker_files;
	prctl(PR_GET_CHILD_SUBREAPER, &supervisor->subreaper_before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = supervisor_init(supervisor, settings->start_timeout_ns);
	if (r == 0)
		r = take_sockets(supervisor, settings->sockets);
	if (r == 0)
		r = open_memory(supervisor, settings->keeps, why);
	if (r == 0)
		r = metrics_open(supervisor);
	if (r == 0)
		r = history_begin(supervisor);
	if (r == 0)
		stalls_open(supervisor);
	if (r == 0)
		loads_open(supervisor);
	deadlines_open(supervisor);
	if (r) {
		supervisor_free(supervisor);
		return r;
	}
	*ret_supervisor = supervisor;
	return 0;
}

bool supervisor_has_socket(const struct supervisor *supervisor, uint32_t stage)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].stage_number == stage && supervisor->seats[i].socket_fd >= 0)
			return true;
	return false;
}

/* ---- start ---- */

int supervisor_start(struct supervisor *supervisor)
{
	must(supervisor->magic == SUPERVISOR_MAGIC);
	supervisor_post(supervisor, &(struct event){ .kind = EVENT_START });
	return 0;
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

		if (seat->pid <= 0 || seat_state_over(seat->life->state))
			continue;
		pidfd_send_signal(seat->pidfd, SIGKILL, NULL, 0);
		if (seat->own_group)
			kill(-seat->pid, SIGKILL);
		waitid(P_PID, (id_t)seat->pid, &info, WEXITED);
		seat->pid = 0;
	}
}

static void seat_deinit(struct seat *seat)
{
	seat->words.length = 0; /* an unfinished line has nobody to tell any more */
	seat_unwatch(seat);
	last_words_clear(&seat->words);
	seat_forget_attempts(seat);
	seat_forget_backtrace(seat);
	free(seat->goodbye.reason);
	free(seat->goodbye.option);
}

struct supervisor *supervisor_free(struct supervisor *supervisor)
{
	if (!supervisor)
		return NULL;
	end_by_force(supervisor);
	newcomers_close(supervisor);
	supervisor_sweep(supervisor);
	supervisor_stop_timers(supervisor);
	if (!supervisor->estate || supervisor->estate_over)
		supervisor_forget_state(supervisor); /* else it is the next supervisor's */
	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++)
		seat_deinit(&supervisor->seats[i]);
	stalls_close(supervisor);
	loads_close(supervisor);
	metrics_close(supervisor);
	history_close(&supervisor->history);
	scope_cancels_close(supervisor);
	memory_close(supervisor);
	limits_close(supervisor);
	prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)supervisor->subreaper_before);
	sd_event_unref(supervisor->event);
	free(supervisor->seats);
	free(supervisor->stages);
	supervisor_forget_events(supervisor);
	lifecycle_deinit(&supervisor->lifecycle);
	free(supervisor->worker_path);
	fd_close(supervisor->worker_fd);
	free(supervisor->endpoint);
	free(supervisor->dead_letter_store);
	free(supervisor->positions);
	free(supervisor->state_folder);
	supervisor->lifeline_kept_fd = fd_close(supervisor->lifeline_kept_fd);
	estate_free(supervisor->estate);
	text_deinit(&supervisor->reload_why);
	free(supervisor->failure_message);
	supervisor->magic = 0;
	free(supervisor);
	return NULL;
}

/* ---- what others may know ---- */

bool supervisor_finished(const struct supervisor *supervisor)
{
	return supervisor->lifecycle.finished;
}

int supervisor_exit_code(const struct supervisor *supervisor)
{
	return supervisor->lifecycle.exit_code;
}

const struct plan *supervisor_plan(const struct supervisor *supervisor)
{
	return supervisor->plan;
}

struct supervisor_failure supervisor_failure(const struct supervisor *supervisor)
{
	return supervisor->failure;
}
