/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about a death; what it means is decided in broker/lifecycle/death.c. Always in this order:
 *
 *      pidfd -> kill what is left of its group -> waitid -> orphans -> its last words -> EXITED -> repair, suspect -> REPAIRED
 *            -> ring neighbours -> what its memory says -> EXAMINED
 *
 * The group is killed while the dead leader is still a zombie: its number can't belong to anybody else yet.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/status.h>

#include "broker/supervise/orphans.h"
#include "broker/supervise/spawn_child.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/flow/commit.h"
#include "common/observe/worker_state.h"

#define REAP_STDERR_BYTES (1u << 20)

/* ---- orphans ---- */

static bool is_worker(void *data, pid_t pid)
{
	const struct supervisor *supervisor = data;

	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++)
		if (supervisor->seats[i].pid == pid)
			return true;
	return newcomers_have(supervisor, pid);
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
	supervisor_answer(supervisor, &(struct event){ .kind = EVENT_SWEPT, .done = !report.left });
}

/* ---- one death ---- */

/* As the child has said it: spawn_child.h. */
static int read_failure(const struct seat *seat)
{
	int failure = 0;

	if (seat->exec_fd < 0 || read(seat->exec_fd, &failure, sizeof(failure)) != sizeof(failure))
		return 0;
	return failure;
}

/* Asleep it could not kill itself: somebody, or the kernel for want of the machine's memory, did. No fault of the stage's. */
static bool killed_from_outside(const struct death *death)
{
	if (death->exited || death->status != SIGKILL || death->oom_kills)
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

uint64_t seat_books(const struct seat *seat)
{
	struct cursor cursor;

	return cursor_snapshot(&seat->segment, &cursor) == 0 ? hash_bytes(0, &cursor, sizeof(cursor)) : 0;
}

/* It has committed a turn in which something has happened: who looks and finds nothing, and dies of the next look, has not got on. */
static bool has_got_on(const struct seat *seat)
{
	return load_relaxed(&seat->segment.status->heartbeat) > 0 && seat_books(seat) != seat->books_before;
}

/* There is none, or it is none: trying again is in vain. */
static bool is_no_program(int error)
{
	return error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR || error == ELOOP;
}

static void take_facts(struct seat *seat, const siginfo_t *info, struct death_facts *ret_facts)
{
	const struct segment_status *status = seat->segment.status;
	struct death *death = &seat->death;
	bool own = load_acquire(&status->generation) == seat->generation; /* [S1] mate: worker_attach */
	int failure = read_failure(seat), error = spawn_failure_errno(failure);

	*death = (struct death){ .exited = info->si_code == CLD_EXITED,
				 .status = info->si_status,
				 .exec_errno = error,
				 .exec_step = (int)spawn_failure_step(failure),
				 .oom_kills = limits_oom_kills(seat, seat->group),
				 .stopped = life_is_stopped(seat->life),
				 .when_ns = clock_now_ns() };
	*ret_facts = (struct death_facts){
		.exited_zero = death->exited && death->status == 0,
		.exited_one = death->exited && death->status == 1,
		.not_run = error != 0,
		.no_program = death->exec_step == SPAWN_EXEC && is_no_program(error),
	};
	if (!own)
		return; /* it never got so far as to attach: the status line is its predecessor's */
	death->worker_state = load_relaxed(&status->state);
	ret_facts->progressed = has_got_on(seat) || killed_from_outside(death);
	ret_facts->cancelled = death->worker_state == WORKER_STATE_CANCELLED;
	ret_facts->ended = death->worker_state == WORKER_STATE_ENDED || ret_facts->cancelled;
}

void seat_reap(struct seat *seat)
{
	struct event event = { .kind = EVENT_EXITED, .seat = seat->slot };
	siginfo_t info = { 0 };
	int r;

	if (seat->own_group)
		kill(-seat->pid, SIGKILL);
	r = waitid(P_PIDFD, (id_t)seat->pidfd, &info, WEXITED | WNOHANG);
	if (r == 0 && info.si_pid == 0)
		return;
	if (r < 0)
		seat_log(seat, WEIR_LOG_WARNING, "is dead, but somebody else reaped it: how it ended is not known");
	take_facts(seat, &info, &event.death);
	seat_keep_last_events(seat);
	seat_record(seat, RECORDER_EXIT, seat->death.exited ? (uint32_t)seat->death.status : 0,
		    seat->death.exited ? 0 : (uint64_t)seat->death.status, (uint64_t)seat->pid);
	seat_hear_last_order(seat);
	metrics_exited(seat);
	seat->pid = 0;
	supervisor_sweep(seat->supervisor);
	limits_forget(seat, seat->group);
	seat_read_stderr(seat, REAP_STDERR_BYTES);
	seat_unwatch(seat);
	supervisor_post(seat->supervisor, &event);
}

void seat_repair(struct seat *seat)
{
	struct event event = { .kind = EVENT_REPAIRED, .seat = seat->slot };
	int r = seat_mend(seat);

	event.repair = r == 0 ? REPAIR_DONE : r < 0 ? REPAIR_UNMAPPABLE : REPAIR_SENSELESS;
	if (r == 0) {
		const struct repair_report *report = &seat->death.report;

		seat_note_attempt(seat);
		seat_record(seat, RECORDER_REPAIR, report->applied, report->in_hand ? report->suspect_sequence : 0,
			    report->in_hand ? report->suspect_position : 0);
	}
	supervisor_answer(seat->supervisor, &event);
}

/* A stand-in before it has ended: more will not come, and what came is not all. */
static bool is_cut_off(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;

	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];
		const struct seat *producer = &supervisor->seats[lane->producer];

		if (lane->consumer == seat->slot && supervisor->lifecycle.stages[producer->stage_number].abandoned &&
		    load_acquire(&producer->segment.writers[lane->writer_index].closed) ==
			    LANE_CLOSED_LOST) /* [L3] mate: lane_out_lose */
			return true;
	}
	return false;
}

struct memory_facts seat_memory_facts(const struct seat *seat)
{
	return (struct memory_facts){
		.closed = seat->stage->role == WEIR_SOURCE && cursor_current(&seat->segment)->finished,
		.cut_off = is_cut_off(seat),
		.idle = seat_is_done_with_all(seat),
	};
}
