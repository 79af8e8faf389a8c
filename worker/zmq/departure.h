/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on their way out of the process: their bytes, and whether libzmq still has any of them. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "common/base/atomic.h"

struct departure {
	char *room; /* the bytes; owned */
	size_t used_bytes, capacity_bytes;
	atomic_u32 n_left; /* messages that libzmq has, and one more while the stage may add others */
	bool waits;        /* the stage has taken its one back */
	int fd;            /* readable when the last has left after that; -1: none */
};

/* Returns 0 or -errno. */
int departure_init(struct departure *departure);
/* After zmq_ctx_term(): libzmq has none any more. Fine on one that failed. */
void departure_deinit(struct departure *departure);

enum { DEPARTURE_E_FULL = 330 };
/*
 * Makes a message with a copy of these bytes. Returns 0; DEPARTURE_E_FULL: not before all others have left, see below; -ENOMEM. The
 * message must be sent or closed.
 */
int departure_message(struct departure *departure, const void *bytes, size_t n, zmq_msg_t *ret_message);

/*
 * True: libzmq has none of the messages any more, and there is all the room again. False: wait until `fd` is readable (or something happens
 * at the socket, which libzmq has to be asked about), then ask again; meanwhile no message may be made.
 */
bool departure_is_over(struct departure *departure);
