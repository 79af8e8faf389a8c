/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the pipeline shares, made before the first worker: no names anywhere, only file descriptors.
 *
 *      for each slot    segment (rw: its worker; ro: peers, views) · doorbell · spools
 *      once             board (rw: us; ro: workers) · lifeline (read end: workers; write end: us alone)
 *
 * The control pages of all segments, and the lanes between seats that work, are allocated before anybody touches them. What lies between
 * seats one of which rests (workers: {min, max}) is a hole in the file: pages come when that seat is first filled, and then stay.
 *
 * Everything here lives as long as the supervisor, so a seat's next generation finds what the last one left. What the
 * machine can't give is an outcome with a sentence, not an error: the start is given up and nothing was accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "common/memory/doorbell.h"
#include "common/memory/memfd.h"

#define FILES_PER_SEAT (5u + STAGE_SPOOLS_MAX + 3u) /* memory + pidfd, stderr, exec status */
#define FILES_BESIDE 64u                            /* loop, sockets, board, terminal, a spawn in progress */

/* A child has its own numbers and ours at once while they are put into place; the segments of origins come on top. */
static uint64_t files_wanted(const struct supervisor *supervisor)
{
	const struct plan *plan = supervisor->plan;
	uint32_t origins_max = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++) {
		uint32_t n = plan_origin_slots(plan, &plan->stages[i]);

		origins_max = n > origins_max ? n : origins_max;
	}
	return (uint64_t)plan->n_slots * FILES_PER_SEAT + origins_max + FILES_BESIDE;
}

/* The soft limit is a courtesy to select(2) users; we take what the hard one allows. Workers get the old one back. */
static void files_raise(struct supervisor *supervisor)
{
	struct rlimit limit = supervisor->files_before;

	if (limit.rlim_cur >= files_wanted(supervisor))
		return;
	limit.rlim_cur = limit.rlim_max < files_wanted(supervisor) ? limit.rlim_max : files_wanted(supervisor);
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int shortage_of_files(struct supervisor *supervisor, struct text *why)
{
	text_printf(
		why,
		"too many open files: %u workers need about %llu, the limit is %llu; raise it (ulimit -n) or lower 'workers'",
		supervisor->plan->n_slots, (unsigned long long)files_wanted(supervisor),
		(unsigned long long)supervisor->files_before.rlim_max);
	return SUPERVISOR_E_NO_START;
}

static int shortage_of_memory(struct supervisor *supervisor, const struct seat *seat, struct text *why)
{
	char wanted[QUANTITY_TEXT_SIZE], available[QUANTITY_TEXT_SIZE];
	uint64_t wanted_bytes = 0;

	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		wanted_bytes += supervisor->plan->slots[i].geometry.size_bytes;
	text_printf(why, "no memory for the lanes: %s wanted for %u workers",
		    quantity_format_size(wanted_bytes, wanted), supervisor->plan->n_slots);
	if (seat)
		text_printf(why, ", out of it at %s#%u", seat->stage->name, seat->worker_index);
	text_printf(why, ", %s left; lower 'lane' or 'workers', or free memory",
		    quantity_format_size(memory_available_bytes(), available));
	return SUPERVISOR_E_NO_START;
}

/* What a person can mend gets a sentence; anything else is passed on. */
static int shortage(struct supervisor *supervisor, const struct seat *seat, int r, struct text *why)
{
	if (r == -EMFILE || r == -ENFILE)
		return shortage_of_files(supervisor, why);
	if (r == -ENOMEM || r == -ENOSPC)
		return shortage_of_memory(supervisor, seat, why);
	if (supervisor->goes_on)
		return adopt_senseless(seat, why);
	text_printf(why, "shared memory can't be made: %s", strerror(-r));
	return error_trace(r);
}

static int seat_memory(struct seat *seat)
{
	const struct segment_geometry *geometry = &seat->supervisor->plan->slots[seat->slot].geometry;
	char name[128];
	int r;

	snprintf(name, sizeof(name), "weir-%.64s-%u", seat->stage->name, seat->worker_index);
	r = seat_inherits(seat, ESTATE_SEGMENT, 0, &seat->segment_fd) ?
		    0 :
		    segment_create_hollow(geometry, name, &seat->segment_fd);
	if (r < 0)
		return error_trace(r);
	r = memfd_reopen_read_only(seat->segment_fd, &seat->segment_read_fd);
	if (r < 0)
		return error_trace(r);
	r = segment_attach(&seat->segment, seat->segment_read_fd, geometry, SEGMENT_READ);
	if (r)
		return error_fold(r);
	r = doorbell_open(&seat->doorbell_fd);
	if (r == 0)
		r = doorbell_open(&seat->cancel_fd);
	if (r == 0)
		r = doorbell_open(&seat->scopes_fd);
	for (uint32_t i = 0; r == 0 && i < seat->stage->n_spools && i < STAGE_SPOOLS_MAX; i++)
		if (!seat_inherits(seat, ESTATE_SPOOL, i, &seat->spool_fds[i]))
			r = memfd_new("weir-spool", &seat->spool_fds[i]);
	if (r == 0 && seat->stage->state_bytes && !seat_inherits(seat, ESTATE_STATE, 0, &seat->state_fd))
		r = memfd_new("weir-state", &seat->state_fd);
	if (seat->socket_fd < 0)
		(void)seat_inherits(seat, ESTATE_SOCKET, 0, &seat->socket_fd);
	return error_trace(r);
}

/* ---- pages of lanes ---- */

static uint64_t lane_bytes(const struct plan_lane *lane)
{
	return lane->capacity_bytes * (lane->off_hold ? 2 : 1);
}

/* Both ends work, or are about to; of: only what this seat needs for that; NULL: all. */
static bool lane_wants_pages(const struct supervisor *supervisor, const struct plan_lane *lane, const struct seat *of)
{
	if (of && lane->producer != of->slot && lane->consumer != of->slot)
		return false;
	return supervisor->seats[lane->producer].has_pages && supervisor->seats[lane->consumer].has_pages;
}

static int lane_allocate(const struct supervisor *supervisor, const struct plan_lane *lane)
{
	int r = memfd_allocate(supervisor->seats[lane->producer].segment_fd, lane->off_data, lane->capacity_bytes);

	if (r == 0 && lane->off_hold)
		r = memfd_allocate(supervisor->seats[lane->consumer].segment_fd, lane->off_hold, lane->capacity_bytes);
	return r;
}

/* The sum, and whether the machine has it; else at which seat it ends. */
static int lanes_check(const struct supervisor *supervisor, const struct seat *of, const struct seat **ret_seat)
{
	uint64_t wanted_bytes = 0, bytes = 0;

	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++)
		if (lane_wants_pages(supervisor, &supervisor->plan->lanes[i], of))
			wanted_bytes += lane_bytes(&supervisor->plan->lanes[i]);
	if (memory_check(wanted_bytes) == 0)
		return 0;
	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		if (!lane_wants_pages(supervisor, &supervisor->plan->lanes[i], of))
			continue;
		bytes += lane_bytes(&supervisor->plan->lanes[i]);
		*ret_seat = &supervisor->seats[supervisor->plan->lanes[i].producer];
		if (memory_check(bytes) != 0)
			break;
	}
	return error_origin(-ENOMEM);
}

static int lanes_allocate(struct supervisor *supervisor, const struct seat *of, const struct seat **ret_seat)
{
	bool inherited = supervisor->goes_on && !of; /* they are there, and the machine need not have them once more */
	int r = inherited ? 0 : lanes_check(supervisor, of, ret_seat);

	for (uint32_t i = 0; r == 0 && i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];

		if (!lane_wants_pages(supervisor, lane, of))
			continue;
		r = lane_allocate(supervisor, lane);
		if (r < 0)
			*ret_seat = &supervisor->seats[lane->producer];
	}
	return error_trace(r);
}

int seat_give_pages(struct seat *seat)
{
	const struct seat *last;
	int r;

	if (seat->has_pages)
		return 0;
	seat->has_pages = true;
	r = lanes_allocate(seat->supervisor, seat, &last);
	seat->has_pages = r == 0;
	return error_trace(r);
}

static int common_memory(struct supervisor *supervisor)
{
	bool inherits = supervisor->goes_on;
	int r = inherits ? board_inherit(supervisor) :
			   board_create(supervisor->plan->n_slots, &supervisor->board, &supervisor->board_fd);

	if (r < 0)
		return error_trace(r);
	recorder_init(&supervisor->recorder, board_recorder_to_write(supervisor->board), RECORDER_BOARD_EVENTS);
	r = memfd_reopen_read_only(supervisor->board_fd, &supervisor->board_read_fd);
	if (r < 0)
		return error_trace(r);
	supervisor->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (supervisor->null_fd < 0 || (!inherits && pipe2(supervisor->lifeline_fds, O_CLOEXEC) < 0))
		return error_origin(-errno);
	return 0;
}

static bool has_pages_at_first(const struct seat *seat)
{
	if (seat->supervisor->goes_on)
		return seat_inherits_pages(seat);
	return !plan_rests_at_first(seat->stage, seat->worker_index);
}

int memory_open(struct supervisor *supervisor, struct text *why)
{
	const struct seat *last = NULL;
	int r;

	files_raise(supervisor);
	r = common_memory(supervisor);
	if (r == 0)
		r = repair_room_open(supervisor);
	if (r < 0)
		return shortage(supervisor, NULL, r, why);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++) {
		r = seat_memory(&supervisor->seats[i]);
		if (r < 0)
			return shortage(supervisor, &supervisor->seats[i], r, why);
		supervisor->seats[i].has_pages = has_pages_at_first(&supervisor->seats[i]);
	}
	r = lanes_allocate(supervisor, NULL, &last);
	return r < 0 ? shortage(supervisor, last, r, why) : 0;
}

static void seat_memory_close(struct seat *seat)
{
	segment_detach(&seat->segment);
	seat->segment_fd = fd_close(seat->segment_fd);
	seat->segment_read_fd = fd_close(seat->segment_read_fd);
	seat->doorbell_fd = fd_close(seat->doorbell_fd);
	seat->cancel_fd = fd_close(seat->cancel_fd);
	seat->scopes_fd = fd_close(seat->scopes_fd);
	for (uint32_t i = 0; i < STAGE_SPOOLS_MAX; i++)
		seat->spool_fds[i] = fd_close(seat->spool_fds[i]);
	seat->state_fd = fd_close(seat->state_fd);
	seat->socket_fd = fd_close(seat->socket_fd);
}

void memory_close(struct supervisor *supervisor)
{
	for (uint32_t i = 0; supervisor->seats && i < supervisor->plan->n_slots; i++)
		seat_memory_close(&supervisor->seats[i]);
	repair_room_close(supervisor);
	supervisor->recorder.ring = NULL;
	board_detach(supervisor->board);
	supervisor->board_fd = fd_close(supervisor->board_fd);
	supervisor->board_read_fd = fd_close(supervisor->board_read_fd);
	supervisor->null_fd = fd_close(supervisor->null_fd);
	supervisor->lifeline_fds[0] = fd_close(supervisor->lifeline_fds[0]);
	supervisor->lifeline_fds[1] = fd_close(supervisor->lifeline_fds[1]);
	setrlimit(RLIMIT_NOFILE, &supervisor->files_before);
}

int supervisor_read_fds(const struct supervisor *supervisor, int *ret_board_fd, int **ret_segment_fds)
{
	int *fds = calloc(supervisor->plan->n_slots, sizeof(*fds));

	if (!fds)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		fds[i] = supervisor->seats[i].segment_read_fd;
	*ret_board_fd = supervisor->board_read_fd;
	*ret_segment_fds = fds;
	return 0;
}

void doorbells_ring_all(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->plan->n_slots; i++)
		doorbell_ring(supervisor->seats[i].doorbell_fd);
}
