/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker sleeps on: its doorbell, the control plane, its lifeline and a timer, in one descriptor. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sleeper {
	int epoll_fd, timer_fd;
	bool is_open;      /* zeroed: it is not */
	uint64_t timer_ns; /* when the timer goes off; 0: it is not set */
};

/* What has ended a sleep. Of the doorbell this is the only word: its count is never read. */
enum { SLEEPER_DOORBELL = 1, SLEEPER_CONTROL = 2, SLEEPER_LIFELINE = 4 };

/* Borrows the descriptors; a negative one is left out. A ring that came before counts. Returns 0 or -errno, and then it is not open. */
int sleeper_open(struct sleeper *sleeper, int doorbell_fd, int control_fd, int lifeline_fd);
/* Fine if it is not open. */
void sleeper_close(struct sleeper *sleeper);

/*
 * Sleeps until something happens, at most until until_ns (absolute, never 0), or not at all if that is not later than now_ns. Returns a set
 * of SLEEPER_*, 0: it was the time, or a signal; -errno.
 */
int sleeper_wait(struct sleeper *sleeper, uint64_t now_ns, uint64_t until_ns);
/*
 * The same for other descriptors besides, whose revents are set: *ret_n_ready of them. Coarser in time, and dearer, for it asks for
 * all of them each time.
 */
int sleeper_wait_with(struct sleeper *sleeper, struct pollfd *others, size_t n_others, int timeout_ms,
		      int *ret_n_ready);

#define SLEEPER_OTHERS_MAX 65u /* a select's cases, and its scope */
