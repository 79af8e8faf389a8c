/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this supervisor leaves behind if it dies now. Everything that workers write outlives it in their segments and on the board; what
 * lifecycle_step() has decided lives in its private memory alone, so it is noted after every step, before anything of it is done:
 *
 *      event ---> lifecycle_step() ---> note ---> actions
 *
 * The next one finds a decision that may have been carried out or not. It need not know which: a generation that was not spawned is skipped
 * in the count, an order is given again, a slot is retired once more (that is why it is noted on its own).
 *
 * Doorbells and the other eventfds are not among the things: they hold nothing, and no worker that knew them lives when they would be
 * wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"

/* Things beside those of the seats: board and lifeline. */
#define THINGS_BESIDE 2u
#define THINGS_PER_SEAT (3u + STAGE_SPOOLS_MAX)

struct list {
	struct estate_thing *things;
	int *fds;
	uint32_t n;
	int error;
};

static void note_fd(struct list *list, int fd, enum estate_kind kind, uint32_t slot, uint32_t number)
{
	if (fd < 0 || list->error)
		return;
	list->error = estate_thing_of(fd, kind, slot, number, &list->things[list->n]);
	list->fds[list->n++] = fd;
}

static int list_things(const struct supervisor *supervisor, struct list *list)
{
	size_t n_max = THINGS_BESIDE + (size_t)supervisor->plan->n_slots * THINGS_PER_SEAT;

	*list = (struct list){ .things = calloc(n_max, sizeof(*list->things)), .fds = calloc(n_max + 1, sizeof(int)) };
	if (!list->things || !list->fds)
		return error_origin(-ENOMEM);
	note_fd(list, supervisor->board_fd, ESTATE_BOARD, 0, 0);
	note_fd(list, supervisor->lifeline_kept_fd, ESTATE_LIFELINE, 0, 0);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		const struct seat *seat = &supervisor->seats[i];

		note_fd(list, seat->segment_fd, ESTATE_SEGMENT, i, 0);
		for (uint32_t j = 0; j < STAGE_SPOOLS_MAX; j++)
			note_fd(list, seat->spool_fds[j], ESTATE_SPOOL, i, j);
		note_fd(list, seat->state_fd, ESTATE_STATE, i, 0);
		note_fd(list, seat->socket_fd, ESTATE_SOCKET, i, 0);
	}
	return list->error;
}

static void list_free(struct list *list)
{
	free(list->things);
	free(list->fds);
}

/*
 * The lock belongs to the open file that the workers inherit, and to nobody else: so whoever keeps the lifeline gets an open file of its
 * own.
 */
static int lock_lifeline(struct supervisor *supervisor)
{
	char path[32];

	if (flock(supervisor->lifeline_fds[0], LOCK_EX | LOCK_NB))
		return error_origin(-errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", supervisor->lifeline_fds[0]);
	supervisor->lifeline_kept_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return supervisor->lifeline_kept_fd < 0 ? error_origin(-errno) : 0;
}

int estate_leave(struct supervisor *supervisor)
{
	struct list list = { 0 };
	int r = lock_lifeline(supervisor);

	if (r == 0)
		r = list_things(supervisor, &list);
	if (r == 0)
		r = estate_create(supervisor->plan, supervisor->run, list.things, list.n, &supervisor->estate);
	list_free(&list);
	estate_note_decisions(supervisor);
	return error_trace(r);
}

int supervisor_kept_fds(const struct supervisor *supervisor, int **ret_fds, size_t *ret_n)
{
	struct list list = { 0 };
	int r = 0;

	if (supervisor->estate && !supervisor->goes_on)
		r = list_things(supervisor, &list);
	if (r == 0 && list.fds)
		list.fds[list.n++] = supervisor->estate->fd;
	free(list.things);
	*ret_fds = list.fds;
	*ret_n = list.n;
	return r;
}

bool supervisor_kept_plan(const struct supervisor *supervisor, uint64_t *ret_digest)
{
	if (!supervisor->estate)
		return false;
	*ret_digest = estate_plan(supervisor->estate);
	return true;
}

/* ---- notes ---- */

static uint32_t phase_of(const struct supervisor *supervisor)
{
	if (supervisor->estate_over)
		return ESTATE_ENDED;
	return supervisor->lifecycle.started_ns ? ESTATE_RUNNING : ESTATE_STARTING;
}

static void note_pipeline(const struct supervisor *supervisor, struct estate_note *note)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;
	bool begun = lifecycle->ladder.rung != RUNG_NONE;

	*note = (struct estate_note){
		.phase = phase_of(supervisor),
		.rung = (uint32_t)(begun ? lifecycle->ladder.rung : lifecycle->left_on),
		.cause = (uint32_t)lifecycle->cause,
		.stage_failed = lifecycle->outcome.stage_failed,
		.drain_deadline_passed = lifecycle->outcome.drain_deadline_passed,
		.signal_number = lifecycle->outcome.signal_number,
		.started_ns = lifecycle->started_ns,
		.run_due_ns = lifecycle->run_due_ns,
		.drain_for_ns = lifecycle->drain_for_ns,
		.supervisor_pid = (int32_t)supervisor->pid,
		.n_supervisors = supervisor->n_supervisors,
	};
}

static void note_seat(const struct seat *seat, struct estate_seat *note)
{
	*note = (struct estate_seat){
		.generation = seat->life->generation,
		.restarts = seat->life->restarts,
		.failures = seat->life->failures,
		.retiring = seat->retiring,
		.pid = (int32_t)seat->pid,
		.own_group = seat->own_group,
		.pid_start_ticks = seat->pid > 0 ? seat->pid_began_ticks : 0,
		.dealing = (uint16_t)seat->life->dealing,
		.rests = lifecycle_leaves_resting(&seat->supervisor->lifecycle, seat->slot),
		.has_pages = seat->has_pages,
	};
}

static void note_stage(const struct stage_life *stage, struct estate_stage *note)
{
	*note = (struct estate_stage){
		.abandoned = stage->abandoned,
		.cause = (uint32_t)stage->cause,
		.wanted = stage->wanted,
		.scaling = stage->scaling,
		.open = stage->open,
		.open_before = stage->open_before,
	};
}

void estate_note_decisions(struct supervisor *supervisor)
{
	struct estate *estate = supervisor->estate;
	struct estate_note *note;

	if (!estate)
		return;
	note = estate_next(estate);
	note_pipeline(supervisor, note);
	for (uint32_t i = 0; i < estate->n_slots; i++)
		note_seat(&supervisor->seats[i], &estate_seats(estate, note)[i]);
	for (uint32_t i = 0; i < estate->n_stages; i++)
		note_stage(&supervisor->lifecycle.stages[i], &estate_stages(estate, note)[i]);
	estate_publish(estate);
}

void supervisor_end_estate(struct supervisor *supervisor)
{
	supervisor->estate_over = true;
	estate_note_decisions(supervisor);
}

uint32_t supervisor_succession(const struct supervisor *supervisor)
{
	return supervisor->goes_on ? supervisor->n_supervisors : 0;
}
