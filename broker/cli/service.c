/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      all are ready     SIGTERM, failure, weir drain that can't be taken back any more          the end
 *          READY=1 ............. STOPPING=1, EXTEND_TIMEOUT_USEC=45 s ..... again, while it moves .... STATUS=, barrier
 *                    WATCHDOG=1, as long as the loop turns and nothing is overdue
 *
 * For systemd a stop is for good: what has said that it stops is killed when TimeoutStopSec= is over, whatever it does then. So
 * `weir drain` becomes one only when `weir resume` is too late. And it may extend that time only while the drain gets on: a stage that
 * stands still is not a reason to wait for ever.
 */
#include <inttypes.h>
#include <string.h>

#include "broker/cli/notice.h"
#include "broker/cli/service.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define LOOK_US (1000u * 1000u)

static bool is_in_time(void *data, uint64_t limit_ns)
{
	return supervisor_behind_ns(data) < limit_ns;
}

int service_begin(struct service *service, struct notice *notice, sd_event *event, const struct plan *plan,
		  struct supervisor *supervisor)
{
	*service = (struct service){ .notice = notice, .event = event, .plan = plan, .supervisor = supervisor };
	drain_pace_begin(&service->pace, plan);
	return notice_watchdog(notice, event, is_in_time, supervisor);
}

static void extend(struct service *service)
{
	struct view view;

	view_take(service->supervisor, &view);
	if (drain_pace_moves(&service->pace, &view))
		notice_send(service->notice, "EXTEND_TIMEOUT_USEC=%" PRIu64, service->pace.window_ns / NS_PER_US);
	view_deinit(&view);
}

static void look(struct service *service)
{
	if (!service->stopping && !supervisor_may_resume(service->supervisor)) {
		service->stopping = true;
		notice_send(service->notice, "STOPPING=1");
	}
	if (service->stopping)
		extend(service);
}

static int on_look(sd_event_source *source, uint64_t at_us, void *data)
{
	int r = sd_event_source_set_time_relative(source, LOOK_US);

	(void)at_us;
	look(data);
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return r < 0 ? error_origin(r) : 0;
}

/* No room for a timer: systemd's own time has to do. */
static void watch_drain(struct service *service)
{
	look(service);
	if (!service->timer)
		(void)sd_event_add_time_relative(service->event, &service->timer, CLOCK_MONOTONIC, LOOK_US,
						 LOOK_US / 10, on_look, service);
}

void service_phase(struct service *service, const char *phase)
{
	if (!service->notice)
		return;
	if (strcmp(phase, "draining") == 0)
		watch_drain(service);
	if (strcmp(phase, "running") != 0)
		return;
	service->timer = sd_event_source_disable_unref(service->timer);
	notice_send(service->notice, "READY=1\nSTATUS=running %u stages, %u workers", service->plan->n_stages,
		    service->plan->n_slots);
}

void service_stop(struct service *service)
{
	if (!service->notice || service->stopping)
		return;
	service->stopping = true;
	notice_send(service->notice, "STOPPING=1");
}

void service_end(struct service *service)
{
	service->timer = sd_event_source_disable_unref(service->timer);
	if (service->supervisor)
		service_stop(service);
	notice_finish(service->notice);
}
