/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sleep is one system call.
 *
 *     doorbell --- edge-triggered ---+
 *     timer ------ edge-triggered ---+--- epoll --- sleeper_wait()
 *     control, lifeline -------------+
 *
 * Edge-triggered, each ring is told once, and need not be read off the eventfd for the next one to be told: a ring that comes while
 * nobody sleeps is kept for the next sleep, which ends at once. So rings and sleeps are related as before, with clearing and sleeping
 * in one step. The count only grows; it would take centuries to be full.
 *
 * No sleep is without a bound, but a time-out with each would set and cancel a kernel timer each time. The timer here is set to the first
 * bound, and left alone while later sleeps end before it: their bounds lie behind it. When it goes off early it is set to the bound
 * that counts, once a second at most for a busy worker.
 */
#include "worker/sleeper.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/error.h"

#define TIMER_EVENT 8u
#define EVENTS_MAX 4

static int add(const struct sleeper *sleeper, int fd, uint32_t events, uint32_t event)
{
	struct epoll_event what = { .events = events, .data.u32 = event };

	if (fd < 0)
		return 0;
	return epoll_ctl(sleeper->epoll_fd, EPOLL_CTL_ADD, fd, &what) < 0 ? error_origin(-errno) : 0;
}

int sleeper_open(struct sleeper *sleeper, int doorbell_fd, int control_fd, int lifeline_fd)
{
	int r;

	*sleeper = (struct sleeper){ .is_open = true, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	sleeper->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r = sleeper->epoll_fd < 0 || sleeper->timer_fd < 0 ? error_origin(-errno) : 0;
	if (r == 0)
		r = add(sleeper, doorbell_fd, EPOLLIN | EPOLLET, SLEEPER_DOORBELL);
	if (r == 0)
		r = add(sleeper, control_fd, EPOLLIN, SLEEPER_CONTROL);
	if (r == 0)
		r = add(sleeper, lifeline_fd, EPOLLIN, SLEEPER_LIFELINE);
	if (r == 0)
		r = add(sleeper, sleeper->timer_fd, EPOLLIN | EPOLLET, TIMER_EVENT);
	if (r < 0)
		sleeper_close(sleeper);
	return r;
}

void sleeper_close(struct sleeper *sleeper)
{
	if (!sleeper->is_open)
		return;
	if (sleeper->epoll_fd >= 0)
		close(sleeper->epoll_fd);
	if (sleeper->timer_fd >= 0)
		close(sleeper->timer_fd);
	*sleeper = (struct sleeper){ .is_open = false };
}

static int set_timer(struct sleeper *sleeper, uint64_t until_ns)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S) },
	};

	if (sleeper->timer_ns && sleeper->timer_ns <= until_ns)
		return 0;
	if (timerfd_settime(sleeper->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return error_origin(-errno);
	sleeper->timer_ns = until_ns;
	return 0;
}

/* Returns a set of SLEEPER_* and TIMER_EVENT. */
static int collect(struct sleeper *sleeper, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	/* Not the C library's, which a thread may be cancelled in: with that come two locked instructions for each call. */
	int n = (int)syscall(SYS_epoll_pwait, sleeper->epoll_fd, events, EVENTS_MAX, timeout_ms, NULL, 0), happened = 0;

	if (n < 0)
		return errno == EINTR ? 0 : error_origin(-errno);
	for (int i = 0; i < n; i++)
		happened |= (int)events[i].data.u32;
	if (happened & (int)TIMER_EVENT)
		sleeper->timer_ns = 0;
	return happened;
}

int sleeper_wait(struct sleeper *sleeper, uint64_t now_ns, uint64_t until_ns)
{
	int r;

	if (until_ns <= now_ns) {
		r = collect(sleeper, 0);
		return r < 0 ? r : r & ~(int)TIMER_EVENT;
	}
	do {
		r = set_timer(sleeper, until_ns);
		if (r == 0)
			r = collect(sleeper, -1);
	} while (r == (int)TIMER_EVENT && clock_now_ns() < until_ns);
	return r < 0 ? r : r & ~(int)TIMER_EVENT;
}

int sleeper_wait_with(struct sleeper *sleeper, struct pollfd *others, size_t n_others, int timeout_ms, int *ret_n_ready)
{
	struct pollfd fds[1 + SLEEPER_OTHERS_MAX] = { { .fd = sleeper->epoll_fd, .events = POLLIN } };
	int r;

	*ret_n_ready = 0;
	if (n_others > SLEEPER_OTHERS_MAX)
		return error_origin(-EINVAL);
	for (size_t i = 0; i < n_others; i++)
		fds[1 + i] = others[i];
	if (poll(fds, 1 + n_others, timeout_ms) < 0)
		return errno == EINTR ? 0 : error_origin(-errno);
	for (size_t i = 0; i < n_others; i++) {
		others[i].revents = fds[1 + i].revents;
		*ret_n_ready += others[i].revents != 0;
	}
	r = fds[0].revents ? collect(sleeper, 0) : 0;
	return r < 0 ? r : r & ~(int)TIMER_EVENT;
}
