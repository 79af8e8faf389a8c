/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      loop thread                              courier's thread
 *      post --> waiting  --- swapped --->  under_way --> deliver() --> may block
 *                 |  bounded by who posts       |
 *                 '-- under the lock            '-- the thread's own while `busy`
 *
 * It can be cancelled inside of deliver() and nowhere else, so that it never dies with the lock.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "broker/cli/courier.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"

#define STACK_BYTES (256ul * 1024)
#define END_WAIT_S 1

struct courier {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted, changed;
	courier_deliver_fn *deliver;
	void *data;
	struct text waiting, under_way;
	uint64_t n_moved;
	bool busy, nudged, stop;
};

/* ---- the courier's thread ---- */

static void deliver_what_waits(struct courier *courier)
{
	struct text swapped = courier->under_way;

	courier->under_way = courier->waiting;
	courier->waiting = swapped;
	courier->nudged = false;
	courier->busy = true;
	pthread_mutex_unlock(&courier->lock);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	courier->deliver(courier->data, text_get(&courier->under_way), courier->under_way.length);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_mutex_lock(&courier->lock);
	text_clear(&courier->under_way);
	courier->busy = false;
	courier->n_moved++;
	pthread_cond_broadcast(&courier->changed);
}

static void *courier_main(void *data)
{
	struct courier *courier = data;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_mutex_lock(&courier->lock);
	while (!courier->stop) {
		if (courier->waiting.length || courier->nudged)
			deliver_what_waits(courier);
		else
			pthread_cond_wait(&courier->wanted, &courier->lock);
	}
	pthread_mutex_unlock(&courier->lock);
	return NULL;
}

void courier_moved(struct courier *courier)
{
	pthread_mutex_lock(&courier->lock);
	courier->n_moved++;
	pthread_cond_broadcast(&courier->changed);
	pthread_mutex_unlock(&courier->lock);
}

/* ---- birth and end ---- */

/* Signals are the loop's: it has a signalfd for them. */
static int start(struct courier *courier, const char *name)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&courier->thread, &attributes, courier_main, courier);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error)
		return error_origin(-error);
	pthread_setname_np(courier->thread, name);
	return 0;
}

static void dispose(struct courier *courier)
{
	pthread_cond_destroy(&courier->wanted);
	pthread_cond_destroy(&courier->changed);
	pthread_mutex_destroy(&courier->lock);
	text_deinit(&courier->waiting);
	text_deinit(&courier->under_way);
	free(courier);
}

int courier_new(const char *name, courier_deliver_fn *deliver, void *data, struct courier **ret_courier)
{
	struct courier *courier = calloc(1, sizeof(*courier));
	pthread_condattr_t monotonic;
	int r;

	must(courier);
	courier->deliver = deliver;
	courier->data = data;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&courier->lock, NULL);
	pthread_cond_init(&courier->wanted, NULL);
	pthread_cond_init(&courier->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = start(courier, name);
	if (r < 0)
		dispose(courier);
	else
		*ret_courier = courier;
	return r;
}

bool courier_free(struct courier *courier)
{
	struct timespec until;

	if (!courier)
		return true;
	pthread_mutex_lock(&courier->lock);
	courier->stop = true;
	pthread_cond_signal(&courier->wanted);
	pthread_mutex_unlock(&courier->lock);
	pthread_cancel(courier->thread);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_WAIT_S;
	if (pthread_timedjoin_np(courier->thread, NULL, &until) != 0) {
		pthread_detach(courier->thread);
		return false;
	}
	dispose(courier);
	return true;
}

/* ---- the loop's side ---- */

bool courier_post(struct courier *courier, const char *bytes, size_t size_bytes, size_t limit_bytes)
{
	bool taken;

	pthread_mutex_lock(&courier->lock);
	taken = (!courier->busy && !courier->waiting.length) || courier->waiting.length + size_bytes <= limit_bytes;
	if (taken) {
		text_add_bytes(&courier->waiting, bytes, size_bytes);
		pthread_cond_signal(&courier->wanted);
	}
	pthread_mutex_unlock(&courier->lock);
	return taken;
}

void courier_nudge(struct courier *courier)
{
	pthread_mutex_lock(&courier->lock);
	courier->nudged = true;
	pthread_cond_signal(&courier->wanted);
	pthread_mutex_unlock(&courier->lock);
}

static bool is_idle(const struct courier *courier)
{
	return !courier->busy && !courier->nudged && !courier->waiting.length;
}

bool courier_idle(struct courier *courier)
{
	bool idle;

	pthread_mutex_lock(&courier->lock);
	idle = is_idle(courier);
	pthread_mutex_unlock(&courier->lock);
	return idle;
}

size_t courier_load_bytes(struct courier *courier)
{
	size_t load_bytes;

	pthread_mutex_lock(&courier->lock);
	load_bytes = courier->waiting.length + (courier->busy ? courier->under_way.length : 0);
	pthread_mutex_unlock(&courier->lock);
	return load_bytes;
}

/* Until something moves, or the time has come. The lock is held. Returns whether something did. */
static bool wait_for_a_move(struct courier *courier, uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S),
					.tv_nsec = (long)(until_ns % NS_PER_S) };
	uint64_t seen = courier->n_moved;

	while (courier->n_moved == seen)
		if (pthread_cond_timedwait(&courier->changed, &courier->lock, &until) == ETIMEDOUT)
			return courier->n_moved != seen;
	return true;
}

bool courier_wait(struct courier *courier, uint64_t stall_ns, uint64_t all_ns)
{
	uint64_t end_ns = clock_now_ns() + all_ns;
	bool idle, moves = true;

	pthread_mutex_lock(&courier->lock);
	while (!is_idle(courier) && moves && clock_now_ns() < end_ns)
		moves = wait_for_a_move(courier, deadline_earlier(clock_now_ns() + stall_ns, end_ns));
	idle = is_idle(courier);
	pthread_mutex_unlock(&courier->lock);
	return idle;
}
