/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot's doorbell: one eventfd for data, space, cancel and control alike. A doorbell is a hint, never a count.
 */
#pragma once

#include <stdint.h>

#include "common/memory/segment_layout.h"

/* Creates an eventfd, non-blocking, close-on-exec. Returns 0 and the fd, or -errno. Supervisor. */
int doorbell_open(int *ret_fd);
/* Rings; never blocks, never fails that anyone could use. Any process. */
void doorbell_ring(int fd);

/* Waker's side of one peer: remembers for which epoch it rang, so that it rings once per sleep. */
struct doorbell_peer {
	const struct segment_armed *armed; /* peer's segment, read-only */
	uint64_t rung_word;                /* last armed word that was rung for */
	int fd;                            /* peer's doorbell; borrowed */
};

/*
 * After publishing and one seq_cst fence: rings if the peer sleeps for one of `events` (ARM_*), and for ARM_SPACE only
 * if room_bytes covers what it needs. Returns 1 if it rang, 0 if not. Wait-free but for the write(2).
 */
int doorbell_wake(struct doorbell_peer *peer, uint32_t events, uint64_t room_bytes);
