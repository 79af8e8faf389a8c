/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observers' door of a running pipeline: a socket that hands out its memory, read-only, and what lies where. Whoever may run
 * processes as the pipeline's user may look; nobody may do anything. docs/observers.md has the packets.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

struct plan;
struct door;

/* At a time. Who comes when there are so many is told so. */
#define DOOR_OBSERVERS_MAX 16u
/* So long an observer may take over what it is given; then it is dropped. */
#define DOOR_PATIENCE_NS (5 * NS_PER_S)

/* What is shown; borrowed, for the door's life. The descriptors can be read only. */
struct door_exhibits {
	const struct plan *plan;
	int board_fd;
	const int *segment_fds; /* plan->n_slots of them */
	uint64_t patience_ns;   /* 0: DOOR_PATIENCE_NS */
};

/* Listens at "<run_dir>/observe", which must be ours, mode 0700. Supervisor thread. Returns 0 or -errno. */
int door_new(sd_event *event, const char *run_dir, const struct door_exhibits *exhibits, struct door **ret_door);
/* Tells all observers that the run is over, closes, removes the socket. Fine on NULL. Does not wait. */
struct door *door_free(struct door *door);
/* What the plan says of its stages has changed, its slots and lanes have not: observers are told. Does not wait. */
void door_replan(struct door *door);
/* Observers that are there now. */
uint32_t door_observers(const struct door *door);
