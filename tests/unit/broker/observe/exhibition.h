/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline without processes: a run directory with its lock, a board, segments that the test writes as it likes, and a door whose loop
 * runs in a thread. Stages are a line, s0 -> s1 -> ..., of `workers` each.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/control/run_dir.h"
#include "broker/observe/door.h"
#include "broker/spec/plan.h"
#include "common/memory/board.h"

#define EXHIBITION_BOUND_NS (30 * NS_PER_S) /* of waits that something ends */
#define EXHIBITION_LANE_BYTES 4096u

struct exhibition {
	struct plan plan;
	struct board *board;
	int board_fd, board_read_fd;
	int *segment_fds, *segment_read_fds; /* plan.n_slots */
	struct segment *segments;            /* writable */
	char parent[32];
	struct run_dir dir;
	sd_event *event;
	struct door *door;
	uint64_t patience_ns; /* set it before the door is opened */
	pthread_t thread;
	bool runs; /* the thread */
	atomic_bool stop;
	atomic_uint replans_wanted, n_iterations, n_observers;
};

/* The plan, board and segments; and the run directory, where WEIR_RUN_DIR then points. Asserts that all of it can be made. */
void exhibition_init(struct exhibition *exhibition, uint32_t n_stages, uint32_t workers);
/* Listens, in a thread. */
void exhibition_open(struct exhibition *exhibition);
/* Ends the thread and frees the door: observers hear that the run is over. Fine if it is not open. */
void exhibition_shut(struct exhibition *exhibition);
/* Puts another plan of the same shape into force: the kinds of all stages are called that. */
void exhibition_replan(struct exhibition *exhibition, const char *kind);
/* Until the door has so many observers. */
void exhibition_await(const struct exhibition *exhibition, unsigned n_observers);
void exhibition_deinit(struct exhibition *exhibition);
