/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "tests/unit/broker/observe/exhibition.h"

#define LOOK_US 2000u

static void make_stage(struct exhibition *exhibition, uint32_t number, uint32_t n_stages, uint32_t workers)
{
	struct plan_stage *stage = &exhibition->plan.stages[number];
	char name[16];

	snprintf(name, sizeof(name), "s%u", number);
	*stage = (struct plan_stage){ .name = strdup(name),
				      .kind = strdup("made"),
				      .role = number == 0            ? WEIR_SOURCE :
					      number + 1 == n_stages ? WEIR_SINK :
								       WEIR_OPERATOR,
				      .workers = workers,
				      .first_slot = number * workers,
				      .batch = 64,
				      .in_flight = 1 };
	assert_non_null(stage->name);
	assert_non_null(stage->kind);
}

static void make_lanes(struct plan *plan, uint32_t edge, uint32_t workers, const uint64_t *offsets)
{
	plan->edges[edge] = (struct plan_edge){ .from = edge,
						.to = edge + 1,
						.lane_bytes = EXHIBITION_LANE_BYTES,
						.first_lane = edge * workers * workers };
	for (uint32_t i = 0; i < workers * workers; i++)
		plan->lanes[edge * workers * workers + i] =
			(struct plan_lane){ .edge = edge,
					    .producer = edge * workers + i / workers,
					    .consumer = (edge + 1) * workers + i % workers,
					    .writer_index = i % workers,
					    .reader_index = i / workers,
					    .off_data = offsets[i % workers],
					    .capacity_bytes = EXHIBITION_LANE_BYTES };
}

static void make_plan_of(struct exhibition *exhibition, uint32_t n_stages, uint32_t workers)
{
	struct plan *plan = &exhibition->plan;
	uint64_t sizes[64], offsets[64];

	assert_true(workers <= 64 && n_stages >= 2);
	for (uint32_t i = 0; i < workers; i++)
		sizes[i] = EXHIBITION_LANE_BYTES;
	*plan = (struct plan){ .pipeline = strdup("shown"),
			       .spec_path = strdup("shown.yaml"),
			       .n_stages = n_stages,
			       .n_edges = n_stages - 1,
			       .n_lanes = (n_stages - 1) * workers * workers,
			       .n_slots = n_stages * workers,
			       .stages = calloc(n_stages, sizeof(struct plan_stage)),
			       .edges = calloc(n_stages - 1, sizeof(struct plan_edge)),
			       .lanes = calloc((n_stages - 1ul) * workers * workers, sizeof(struct plan_lane)),
			       .slots = calloc((size_t)n_stages * workers, sizeof(struct plan_slot)) };
	assert_true(plan->stages && plan->edges && plan->lanes && plan->slots);
	for (uint32_t i = 0; i < n_stages; i++)
		make_stage(exhibition, i, n_stages, workers);
	for (uint32_t i = 0; i < plan->n_slots; i++) {
		uint32_t stage = i / workers;

		plan->slots[i] = (struct plan_slot){ .stage = stage, .worker_index = i % workers };
		segment_plan(&plan->slots[i].geometry, i, stage ? workers : 0, stage + 1 < n_stages ? workers : 0,
			     sizes, offsets);
		if (i % workers == 0 && stage + 1 < n_stages)
			make_lanes(plan, stage, workers, offsets);
	}
}

/* What nobody touches takes no memory: of a large plan it would be more than there is. */
static void make_segment(struct exhibition *exhibition, uint32_t slot)
{
	const struct segment_geometry *geometry = &exhibition->plan.slots[slot].geometry;

	assert_int_equal(segment_create(geometry, "weir-shown", &exhibition->segment_fds[slot]), 0);
	assert_int_equal(fallocate(exhibition->segment_fds[slot], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   SEGMENT_PAGE_SIZE, (off_t)(geometry->size_bytes - SEGMENT_PAGE_SIZE)),
			 0);
	assert_int_equal(memfd_reopen_read_only(exhibition->segment_fds[slot], &exhibition->segment_read_fds[slot]), 0);
	assert_int_equal(
		segment_attach(&exhibition->segments[slot], exhibition->segment_fds[slot], geometry, SEGMENT_WRITE), 0);
}

void exhibition_init(struct exhibition *exhibition, uint32_t n_stages, uint32_t workers)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	pid_t pid = 0;
	uint32_t n;

	*exhibition = (struct exhibition){ .dir = RUN_DIR_NULL, .parent = "/tmp/weir-shown.XXXXXX" };
	make_plan_of(exhibition, n_stages, workers);
	n = exhibition->plan.n_slots;
	exhibition->segment_fds = calloc(n, sizeof(int));
	exhibition->segment_read_fds = calloc(n, sizeof(int));
	exhibition->segments = calloc(n, sizeof(*exhibition->segments));
	assert_true(exhibition->segment_fds && exhibition->segment_read_fds && exhibition->segments);
	for (uint32_t i = 0; i < n; i++)
		make_segment(exhibition, i);
	assert_int_equal(board_create(n, &exhibition->board, &exhibition->board_fd), 0);
	assert_int_equal(memfd_reopen_read_only(exhibition->board_fd, &exhibition->board_read_fd), 0);
	assert_non_null(mkdtemp(exhibition->parent));
	setenv("WEIR_RUN_DIR", exhibition->parent, 1);
	assert_int_equal(run_dir_open(&exhibition->dir, "shown", &pid, &why), 0);
}

/* ---- the door's thread ---- */

static void *loop(void *data)
{
	struct exhibition *exhibition = data;
	unsigned n_replans = 0;

	while (!atomic_load(&exhibition->stop)) {
		int r = sd_event_run(exhibition->event, LOOK_US);

		assert_true(r >= 0);
		if (r > 0)
			atomic_fetch_add(&exhibition->n_iterations, 1);
		while (n_replans < atomic_load(&exhibition->replans_wanted)) {
			door_replan(exhibition->door);
			n_replans++;
		}
		atomic_store(&exhibition->n_observers, door_observers(exhibition->door));
	}
	return NULL;
}

void exhibition_open(struct exhibition *exhibition)
{
	const struct door_exhibits exhibits = { .plan = &exhibition->plan,
						.board_fd = exhibition->board_read_fd,
						.segment_fds = exhibition->segment_read_fds,
						.patience_ns = exhibition->patience_ns };

	assert_true(sd_event_new(&exhibition->event) >= 0);
	assert_int_equal(door_new(exhibition->event, exhibition->dir.path, &exhibits, &exhibition->door), 0);
	atomic_store(&exhibition->stop, false);
	assert_int_equal(pthread_create(&exhibition->thread, NULL, loop, exhibition), 0);
	exhibition->runs = true;
}

void exhibition_shut(struct exhibition *exhibition)
{
	if (exhibition->runs) {
		atomic_store(&exhibition->stop, true);
		pthread_join(exhibition->thread, NULL);
		exhibition->runs = false;
	}
	exhibition->door = door_free(exhibition->door);
	exhibition->event = sd_event_unref(exhibition->event);
}

/* Only before the thread reads the plan again, which it does when it is told. */
void exhibition_replan(struct exhibition *exhibition, const char *kind)
{
	for (uint32_t i = 0; i < exhibition->plan.n_stages; i++) {
		free(exhibition->plan.stages[i].kind);
		exhibition->plan.stages[i].kind = strdup(kind);
		assert_non_null(exhibition->plan.stages[i].kind);
	}
	atomic_fetch_add(&exhibition->replans_wanted, 1);
}

void exhibition_await(const struct exhibition *exhibition, unsigned n_observers)
{
	uint64_t until_ns = clock_now_ns() + EXHIBITION_BOUND_NS;

	while (atomic_load(&exhibition->n_observers) != n_observers) {
		assert_true(clock_now_ns() < until_ns);
		poll(NULL, 0, 1);
	}
}

void exhibition_deinit(struct exhibition *exhibition)
{
	struct plan *plan = &exhibition->plan;

	exhibition_shut(exhibition);
	for (uint32_t i = 0; i < plan->n_slots; i++) {
		segment_detach(&exhibition->segments[i]);
		fd_close(exhibition->segment_fds[i]);
		fd_close(exhibition->segment_read_fds[i]);
	}
	board_detach(exhibition->board);
	fd_close(exhibition->board_fd);
	fd_close(exhibition->board_read_fd);
	run_dir_close(&exhibition->dir);
	rmdir(exhibition->parent);
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		free(plan->stages[i].name);
		free(plan->stages[i].kind);
	}
	free(plan->stages);
	free(plan->edges);
	free(plan->lanes);
	free(plan->slots);
	free(plan->pipeline);
	free(plan->spec_path);
	free(exhibition->segments);
	free(exhibition->segment_fds);
	free(exhibition->segment_read_fds);
}
