/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread for what may wait: bytes go in at once, and are delivered in their order to somebody who may not take them for long, or
 * never: a full pipe, a stopped terminal, a disk that is out of breath. The event loop never waits for them.
 *
 * All calls are the loop thread's, but courier_moved(), which is for the deliverer alone. Both share memory under one mutex only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct courier;

/*
 * Called in the courier's thread, with all that was posted meanwhile, or with 0 bytes after courier_nudge(). It may block
 * for ever, but only in calls that
 * are cancellation points, and holding no lock.
 */
typedef void courier_deliver_fn(void *data, const char *bytes, size_t size_bytes);

/* `name`, of at most 15 bytes, is the thread's. It takes no signal. Returns 0 or -errno: -EAGAIN, there is no room for a thread. */
int courier_new(const char *name, courier_deliver_fn *deliver, void *data, struct courier **ret_courier);
/*
 * Takes the bytes if what waits is not more than limit_bytes with them, or if nothing waits. Returns whether they were taken. Never waits,
 * but for a mutex that is held for the time of a copy.
 */
bool courier_post(struct courier *courier, const char *bytes, size_t size_bytes, size_t limit_bytes);
/* Has it deliver, even if there is nothing. */
void courier_nudge(struct courier *courier);
/* Whether all is delivered. */
bool courier_idle(struct courier *courier);
/* How much waits, what is being delivered included. */
size_t courier_load_bytes(struct courier *courier);
/* Something got through. */
void courier_moved(struct courier *courier);
/* Waits until all is delivered, as long as something moves every stall_ns, and at most all_ns. Returns whether all is. */
bool courier_wait(struct courier *courier, uint64_t stall_ns, uint64_t all_ns);
/*
 * Ends the thread, whatever it waits for; what was not delivered never is. Returns false if it can't be ended within a
 * second (the kernel does
 * not interrupt a write to a disk): then its memory and that of the deliverer are left to it. Fine on NULL.
 */
bool courier_free(struct courier *courier);
