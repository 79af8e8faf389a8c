/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told of a run, and when. Without NOTIFY_SOCKET all of this is nothing. The loop thread's; nothing here waits, but
 * service_end().
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "broker/cli/drain_pace.h"

struct notice;
struct supervisor;

struct service {
	struct notice *notice; /* borrowed; NULL: nobody wants to know */
	struct supervisor *supervisor;
	const struct plan *plan;
	sd_event *event;
	sd_event_source *timer; /* while it drains */
	struct drain_pace pace;
	bool stopping; /* systemd has been told so */
};

/*
 * There is a supervisor (all borrowed): from here on the watchdog is told that the loop turns, and that nothing it has set itself to do is
 * overdue. Returns 0 or -errno.
 */
int service_begin(struct service *service, struct notice *notice, sd_event *event, const struct plan *plan,
		  struct supervisor *supervisor);
/* A phase of pipeline_state.def has begun. A drain that can be taken back is no stop yet. */
void service_phase(struct service *service, const char *phase);
/* A signal has come: it stops, before it drains. */
void service_stop(struct service *service);
/* It is over, or was never begun. */
void service_end(struct service *service);
