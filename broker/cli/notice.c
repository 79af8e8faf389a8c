/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "broker/cli/courier.h"
#include "broker/cli/notice.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"

#define FINISH_NS (2 * NS_PER_S)
#define MENTIONS_BYTES 512u
#define BARRIER "barrier" /* no assignment: what stands for sd_notify_barrier() */

struct notice {
	struct courier *courier;
	sd_event_source *watchdog;
	uint64_t watchdog_us;
	notice_in_time_fn *in_time;
	void *in_time_data;
};

/* In the courier's thread. Messages are NUL-terminated. */
static void deliver(void *data, const char *bytes, size_t size_bytes)
{
	(void)data;
	for (const char *end = bytes + size_bytes; bytes < end; bytes += strlen(bytes) + 1)
		if (strcmp(bytes, BARRIER) == 0)
			(void)sd_notify_barrier(0, FINISH_NS / NS_PER_US);
		else
			(void)sd_notify(0, bytes);
}

int notice_new(struct notice **ret_notice)
{
	const char *socket = getenv("NOTIFY_SOCKET");
	struct notice *notice;
	int r;

	if (!socket || !*socket)
		return 0;
	notice = calloc(1, sizeof(*notice));
	must(notice);
	r = courier_new("weir-notify", deliver, notice, &notice->courier);
	if (r < 0)
		free(notice);
	else
		*ret_notice = notice;
	return r;
}

static void post(struct notice *notice, size_t limit_bytes, const char *format, va_list arguments)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	text_vprintf(&text, format, arguments);
	(void)courier_post(notice->courier, text_get(&text), text.length + 1, limit_bytes);
}

void notice_send(struct notice *notice, const char *format, ...)
{
	va_list arguments;

	if (!notice)
		return;
	va_start(arguments, format);
	post(notice, SIZE_MAX, format, arguments);
	va_end(arguments);
}

void notice_mention(struct notice *notice, const char *format, ...)
{
	va_list arguments;

	if (!notice)
		return;
	va_start(arguments, format);
	post(notice, MENTIONS_BYTES, format, arguments);
	va_end(arguments);
}

void notice_status(struct notice *notice, const char *text)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	for (const char *c = text; *c; c++)
		text_add_char(&line, *c == '\n' ? ' ' : *c); /* a line's end would begin another assignment */
	notice_send(notice, "STATUS=%s", text_get(&line));
}

/* What is overdue now may just be the next in the loop, after a pause of the whole machine: it is looked at again soon. */
static int on_watchdog(sd_event_source *source, uint64_t at_us, void *data)
{
	struct notice *notice = data;
	bool in_time = notice->in_time(notice->in_time_data, notice->watchdog_us / 2 * NS_PER_US);
	int r;

	(void)at_us;
	if (in_time)
		notice_mention(notice, "WATCHDOG=1");
	r = sd_event_source_set_time_relative(source, in_time ? notice->watchdog_us : notice->watchdog_us / 16);
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return r < 0 ? error_origin(r) : 0;
}

int notice_watchdog(struct notice *notice, sd_event *event, notice_in_time_fn *in_time, void *data)
{
	uint64_t interval_us;
	int r;

	if (!notice || sd_watchdog_enabled(0, &interval_us) <= 0)
		return 0;
	notice->watchdog_us = interval_us / 2;
	notice->in_time = in_time;
	notice->in_time_data = data;
	r = sd_event_add_time_relative(event, &notice->watchdog, CLOCK_MONOTONIC, 0, notice->watchdog_us / 4,
				       on_watchdog, notice);
	return r < 0 ? error_origin(r) : 0;
}

void notice_finish(struct notice *notice)
{
	if (!notice)
		return;
	notice_send(notice, BARRIER);
	(void)courier_wait(notice->courier, FINISH_NS, FINISH_NS);
}

struct notice *notice_free(struct notice *notice)
{
	if (!notice)
		return NULL;
	sd_event_source_disable_unref(notice->watchdog);
	if (courier_free(notice->courier))
		free(notice);
	return NULL;
}
