/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scope's descriptor. Nobody reads it, so what has made it readable stays.
 *
 *      by itself:                              eventfd        <- scope_fd_tell()
 *      below a worker, or with a deadline:     epoll of it, of the supervisor's descriptor for this slot, and of a timer
 *
 * Below an item's scope the descriptor for the scopes of all items is in it, too: that one is read, by whoever looks what the news is.
 *
 * A deadline above counts through the scope's own, which is never later.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/scope/scope_priv.h"

void scope_fd_tell(const struct scope *scope)
{
	const uint64_t one = 1;
	ssize_t written = scope->event_fd >= 0 ? write(scope->event_fd, &one, sizeof(one)) : 0;

	(void)written; /* it is written to once, so it has room */
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void scope_fd_close(struct scope *scope)
{
	if (scope->fd != scope->event_fd)
		fd_close(&scope->fd);
	fd_close(&scope->timer_fd);
	fd_close(&scope->event_fd);
}

static int event_open(struct scope *scope)
{
	if (scope->event_fd >= 0)
		return 0;
	scope->event_fd = eventfd(scope->weir.cause != 0, EFD_CLOEXEC | EFD_NONBLOCK);
	return scope->event_fd < 0 ? -errno : 0;
}

static int timer_open(struct scope *scope)
{
	uint64_t deadline_ns = scope->budget.deadline_ns;
	const struct itimerspec when = {
		/* 0 would be never */
		.it_value = { .tv_sec = (time_t)(deadline_ns / NS_PER_S),
			      .tv_nsec = deadline_ns ? (long)(deadline_ns % NS_PER_S) : 1 },
	};

	if (deadline_ns == WEIR_FOREVER)
		return 0;
	scope->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (scope->timer_fd < 0 || timerfd_settime(scope->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return -errno;
	return 0;
}

static int watch(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static bool hears_news(const struct scope *scope)
{
	return scope->id && scope->tree->order.news_fd >= 0;
}

static int join(struct scope *scope)
{
	int r = timer_open(scope);

	if (r < 0)
		return r;
	scope->fd = epoll_create1(EPOLL_CLOEXEC);
	if (scope->fd < 0)
		return -errno;
	r = watch(scope->fd, scope->event_fd);
	if (r == 0)
		r = watch(scope->fd, scope->tree->order.fd);
	if (r == 0 && hears_news(scope))
		r = watch(scope->fd, scope->tree->order.news_fd);
	return r == 0 ? watch(scope->fd, scope->timer_fd) : r;
}

static int fd_open(struct scope *scope)
{
	int r = event_open(scope);

	if (r == 0 && scope->fd < 0) {
		if (scope->tree->order.fd < 0 && !hears_news(scope) && scope->budget.deadline_ns == WEIR_FOREVER)
			scope->fd = scope->event_fd;
		else
			r = join(scope);
	}
	if (r < 0) { /* all or nothing: it may be tried again */
		scope_fd_close(scope);
		return r;
	}
	return scope->fd;
}

static int scope_fd(struct scope *scope, bool joined)
{
	int r;

	if (!scope_is_ours(scope))
		return -EPERM;
	pthread_mutex_lock(&scope->tree->lock);
	scope_look_up(scope->tree);
	if (joined)
		r = fd_open(scope);
	else
		r = event_open(scope) < 0 ? -errno : scope->event_fd;
	pthread_mutex_unlock(&scope->tree->lock);
	return r;
}

API int weir_scope_fd(struct weir_scope *scope)
{
	return scope_fd(scope_of(scope), true);
}

API int weir_scope_event_fd(struct weir_scope *scope)
{
	return scope_fd(scope_of(scope), false);
}
