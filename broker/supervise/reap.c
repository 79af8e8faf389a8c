/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's word that a worker is dead to the next step, always in this order:
 *
 *      pidfd -> kill what is left of its group -> waitid -> its last words -> orphans -> repair, suspect -> ring neighbours
 *            -> (exit 1 without a goodbye: wait for it, 200 ms at most) -> verdict -> obituary
 *            -> ended | restart after the back-off | stage failed | start failed
 *
 * The group is killed while the dead leader is still a zombie: its number can't belong to anybody else yet. Repair comes at
 * once, verdict or not, so that neighbours see what was committed.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/status.h>

#include "broker/supervise/orphans.h"
#include "broker/supervise/supervisor_priv.h"
#include "broker/supervise/verdict.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/flow/commit.h"
#include "common/observe/worker_state.h"

#define REAP_STDERR_BYTES (1u << 20)
#define TEMPORARY "not restarted (restart: {type: temporary})"

/* ---- orphans ---- */

static bool is_worker(void *data, pid_t pid)
{
	const struct supervisor *supervisor = data;

	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].pid == pid)
			return true;
	return false;
}

static int on_sweep_again(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;

	(void)source;
	(void)at_us;
	timer_stop(&supervisor->orphans_timer);
	supervisor_sweep(supervisor);
	supervisor_check_end(supervisor);
	return 0;
}

void supervisor_sweep(struct supervisor *supervisor)
{
	struct orphans_report report = { 0 };
	int r = orphans_sweep(is_worker, supervisor, clock_now_ns() + ORPHANS_BUDGET_NS, &report);

	if (r < 0)
		supervisor_log(supervisor, WEIR_LOG_WARNING,
			       "processes that dead workers left behind can't be listed: %s", strerrordesc_np(-r));
	if (report.reaped)
		supervisor_log(supervisor, WEIR_LOG_INFO, "%u process%s that a dead worker had left behind: ended",
			       report.reaped, report.reaped == 1 ? "" : "es");
	if (report.left && !supervisor->finished)
		timer_set(supervisor, &supervisor->orphans_timer, clock_now_ns() + ORPHANS_AGAIN_NS, on_sweep_again,
			  supervisor);
}

/* ---- one death ---- */

static int read_exec_errno(const struct seat *seat)
{
	int error = 0;

	if (seat->exec_fd < 0 || read(seat->exec_fd, &error, sizeof(error)) != sizeof(error))
		return 0;
	return error;
}

/* Asleep it could not kill itself: somebody, or the kernel for want of memory, did. No fault of the stage's. */
static bool killed_from_outside(const struct death *death)
{
	if (death->exited || death->status != SIGKILL)
		return false;
	switch (death->worker_state) {
	case WORKER_STATE_READY:
	case WORKER_STATE_WAIT_DATA:
	case WORKER_STATE_WAIT_SPACE:
	case WORKER_STATE_WAIT_OUTSIDE:
		return true;
	default:
		return false;
	}
}

static void take_facts(struct seat *seat, const siginfo_t *info)
{
	const struct segment_status *status = seat->segment.status;
	bool own = load_acquire(&status->generation) == seat->generation; /* [S1] mate: worker_attach */

	seat->death = (struct death){ .exited = info->si_code == CLD_EXITED,
				      .status = info->si_status,
				      .exec_errno = read_exec_errno(seat),
				      .hung = seat->hung,
				      .stopped = seat->state == SEAT_STOPPING,
				      .when_ns = clock_now_ns() };
	if (!own)
		return; /* it never got so far as to attach: the status line is its predecessor's */
	seat->death.worker_state = load_relaxed(&status->state);
	seat->death.progressed = load_relaxed(&status->heartbeat) > 0 || killed_from_outside(&seat->death);
	seat->death.ended = seat->death.worker_state == WORKER_STATE_ENDED;
}

static bool died_clean(const struct seat *seat)
{
	return seat->death.ended && seat->death.exited && seat->death.status == 0;
}

static int on_goodbye_due(sd_event_source *source, uint64_t at_us, void *data)
{
	(void)source;
	(void)at_us;
	seat_conclude(data);
	return 0;
}

void seat_reap(struct seat *seat)
{
	struct supervisor *supervisor = seat->supervisor;
	siginfo_t info = { 0 };
	int r;

	if (seat->own_group)
		kill(-seat->pid, SIGKILL);
	r = waitid(P_PIDFD, (id_t)seat->pidfd, &info, WEXITED | WNOHANG);
	if (r == 0 && info.si_pid == 0)
		return;
	if (r < 0)
		seat_log(seat, WEIR_LOG_WARNING, "is dead, but somebody else reaped it: how it ended is not known");
	take_facts(seat, &info);
	seat->pid = 0;
	supervisor_sweep(supervisor);
	seat_read_stderr(seat, REAP_STDERR_BYTES);
	seat_unwatch(seat);
	seat_must_move(seat, SEAT_EVENT_DEATH);
	r = died_clean(seat) ? 0 : seat_mend(seat);
	if (r != 0) {
		seat_fail_corrupt(seat, r < 0 ? "its memory can't be mapped for repair; the slot is quarantined" :
						"its shared memory makes no sense; the slot is quarantined");
		return;
	}
	seat_note_attempt(seat);
	seat_ring_neighbours(seat);
	/* A goodbye that says why comes through a socket and may be slower than the kernel. */
	if (seat->death.exited && seat->death.status == 1 && !seat->goodbye.said)
		timer_set(supervisor, &seat->timer, clock_now_ns() + LAST_WORDS_WAIT_NS, on_goodbye_due, seat);
	else
		seat_conclude(seat);
}

/* A source that failed after handing on all that it had: what it gave can still arrive. */
static bool closed_its_lanes(const struct seat *seat)
{
	return seat->stage->role == WEIR_SOURCE && seat->was_ready && cursor_current(&seat->segment)->finished;
}

static enum verdict seat_verdict(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;
	const struct death *death = &seat->death;
	int error = death->exec_errno;
	const struct verdict_facts facts = {
		.exited_zero = death->exited && death->status == 0,
		.ended = death->ended,
		.hung = death->hung,
		.failed = seat->goodbye.said && seat->goodbye.status == WEIR_FAILED,
		.closed = closed_its_lanes(seat) || seat_is_cut_off(seat),
		.stopped = death->stopped,
		.no_program =
			error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR || error == ELOOP,
		.started = supervisor->started_ns != 0,
		.restarts_off = supervisor->restarts_off,
		/* The stage may do without a successor, its stand-in may not. */
		.type = supervisor->stages[seat->stage_number].abandoned ? PLAN_TRANSIENT : seat->stage->restart_type,
	};

	return verdict_of(&facts);
}

/* A failure to open, told by the worker itself, has a place in the spec. */
static void fail_start(struct seat *seat)
{
	const struct goodbye *goodbye = &seat->goodbye;
	struct supervisor *supervisor = seat->supervisor;
	struct text why = TEXT_NULL;

	if (goodbye->said && goodbye->status == WEIR_FAILED) {
		seat_note_failure(seat);
		supervisor_fail_start(supervisor, seat->stage,
				      goodbye->option && strcmp(goodbye->option, "plugin") == 0,
				      supervisor->failure_message);
		return;
	}
	if (seat->death.exec_errno) {
		text_printf(&why, "cannot run %s: %s; install it beside weir, or name it in WEIR_WORKER",
			    supervisor->worker_path, strerrordesc_np(seat->death.exec_errno));
		supervisor_fail_start(supervisor, NULL, false, text_get(&why));
	} else {
		seat_obituary(seat, WEIR_LOG_ERROR, TEMPORARY);
		text_printf(&why, "worker %u died before the pipeline ran; " TEMPORARY, seat->worker_index);
		supervisor_fail_start(supervisor, seat->stage, false, text_get(&why));
	}
	text_deinit(&why);
}

static const char *goodbye_reason(const struct seat *seat)
{
	return seat->goodbye.reason ? seat->goodbye.reason : "its worker gave no reason";
}

static void fail_stage(struct seat *seat)
{
	if (!seat->was_ready)
		seat_note_failure(seat);
	seat_fail_stage(seat, goodbye_reason(seat));
}

/* After a cancel: it left by itself, or because we told it to. */
static bool expected_death(const struct seat *seat)
{
	return (seat->death.exited && seat->death.status == 0) || seat->supervisor->ladder.rung >= RUNG_TERM;
}

void seat_conclude(struct seat *seat)
{
	struct supervisor *supervisor = seat->supervisor;

	timer_stop(&seat->timer);
	switch (seat_verdict(seat)) {
	case VERDICT_DONE:
		seat_must_move(seat, SEAT_EVENT_END);
		break;
	case VERDICT_LOST:
		seat_obituary(seat, expected_death(seat) ? WEIR_LOG_DEBUG : WEIR_LOG_INFO, NULL);
		seat_must_move(seat, SEAT_EVENT_GIVE_UP);
		seat_close_lost(seat);
		break;
	case VERDICT_RESTART:
		seat_restart(seat, seat->death.progressed);
		break;
	case VERDICT_AGAIN:
		seat_return(seat);
		break;
	case VERDICT_GIVEN_UP:
		seat_obituary(seat, WEIR_LOG_ERROR, TEMPORARY);
		seat_give_up(seat, seat->death.stopped ? "a temporary worker was stopped because of a sibling" :
							 "a temporary worker died");
		break;
	case VERDICT_START_FAILED:
		seat_must_move(seat, SEAT_EVENT_GIVE_UP);
		fail_start(seat);
		break;
	case VERDICT_STAGE_FAILED:
		if (closed_its_lanes(seat)) {
			seat_must_move(seat, SEAT_EVENT_END);
			seat_fail_source(seat, goodbye_reason(seat));
		} else if (!seat_abandon(seat, goodbye_reason(seat))) {
			seat_must_move(seat, SEAT_EVENT_GIVE_UP);
			fail_stage(seat);
			seat_close_lost(seat);
		}
		break;
	}
	siblings_release(supervisor);
	supervisor_check_end(supervisor);
}
