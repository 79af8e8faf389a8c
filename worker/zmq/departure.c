/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zmq_send() takes a message into a queue in this process, where a SIGKILL ends it. Nothing in ZeroMQ says when it has left. But libzmq
 * gives back memory that is not its own when it is done with it: when the message has been written into what goes to the peer's socket
 * next.
 *
 *      room:  | message | message | message |         |         main thread: copies, counts up
 *                 ^         ^                                    libzmq's thread: counts down
 *                 +---------+--- libzmq refers to them           the last one, if somebody waits: rings `fd`
 *
 * The stage holds one of the count itself while it adds messages, so that nobody rings for each message that leaves before the
 * next one comes. The bytes are not used again before all have left, which is at each commit: so there is nothing to keep account of.
 */
#include "worker/zmq/departure.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

#define ROOM_BYTES ((size_t)1024 * 1024)

int departure_init(struct departure *departure)
{
	*departure = (struct departure){ .n_left = 1, .capacity_bytes = ROOM_BYTES };
	departure->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (departure->fd < 0)
		return error_origin(-errno);
	departure->room = malloc(departure->capacity_bytes);
	return departure->room ? 0 : error_origin(-ENOMEM);
}

void departure_deinit(struct departure *departure)
{
	free(departure->room);
	departure->room = NULL;
	departure->fd = fd_close(departure->fd);
}

/* Runs in libzmq's thread. */
static void has_left(void *bytes, void *data)
{
	struct departure *departure = data;
	const uint64_t one = 1;

	(void)bytes;
	/* Acquire and release: what libzmq has read must have been read before the room is used again. */
	if (atomic_fetch_sub_explicit(&departure->n_left, 1, memory_order_acq_rel) == 1 &&
	    write(departure->fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd that takes no one: can't be */
}

/* Nobody refers to the room when it grows. */
static int make_room(struct departure *departure, size_t n)
{
	char *room;

	if (n <= departure->capacity_bytes - departure->used_bytes)
		return 0;
	if (departure->used_bytes)
		return DEPARTURE_E_FULL;
	room = realloc(departure->room, n);
	if (!room)
		return error_origin(-ENOMEM);
	departure->room = room;
	departure->capacity_bytes = n;
	return 0;
}

int departure_message(struct departure *departure, const void *bytes, size_t n, zmq_msg_t *ret_message)
{
	char *place;
	int r = make_room(departure, n);

	if (r != 0)
		return r;
	place = departure->room + departure->used_bytes;
	if (n)
		memcpy(place, bytes, n);
	atomic_fetch_add_explicit(&departure->n_left, 1, memory_order_relaxed);
	if (zmq_msg_init_data(ret_message, place, n, has_left, departure)) {
		atomic_fetch_sub_explicit(&departure->n_left, 1, memory_order_relaxed);
		return error_origin(-ENOMEM);
	}
	departure->used_bytes += n ? n : 1;
	return 0;
}

bool departure_is_over(struct departure *departure)
{
	uint64_t count;

	if (!departure->waits) {
		departure->waits = true;
		if (atomic_fetch_sub_explicit(&departure->n_left, 1, memory_order_acq_rel) > 1)
			return false;
	} else if (atomic_load_explicit(&departure->n_left, memory_order_acquire) > 0) {
		return false;
	} else {
		/* Whoever took the last one rings, and may not have done so yet. */
		while (read(departure->fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
			cpu_relax();
	}
	departure->waits = false;
	departure->used_bytes = 0;
	atomic_store_explicit(&departure->n_left, 1, memory_order_relaxed);
	return true;
}
