/* SPDX-License-Identifier: Apache-2.0 */
/* One-shot timers at absolute times. None is set unless something is being waited for. */
#include <time.h>

#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define TIMER_ACCURACY_US 1000u

static int on_nothing(sd_event_source *source, uint64_t at_us, void *data)
{
	(void)source;
	(void)at_us;
	(void)data;
	return 0;
}

int timer_prepare(sd_event *event)
{
	sd_event_source *timer = NULL;
	int r = sd_event_add_time(event, &timer, CLOCK_MONOTONIC, UINT64_MAX - 1, 0, on_nothing, NULL);

	timer_stop(&timer);
	return r < 0 ? error_origin(r) : 0;
}

void timer_stop(sd_event_source **timer)
{
	*timer = sd_event_source_disable_unref(*timer);
}

void timer_set(struct supervisor *supervisor, sd_event_source **timer, uint64_t at_ns, sd_event_time_handler_t handler,
	       void *data)
{
	uint64_t at_us = at_ns / NS_PER_US + 1; /* never early */
	int r;

	timer_stop(timer);
	r = sd_event_add_time(supervisor->event, timer, CLOCK_MONOTONIC, at_us, TIMER_ACCURACY_US, handler, data);
	/* The timerfd is there since timer_prepare(); what is left is memory, and without timers there is no ladder. */
	must(r >= 0);
}

/* One that is set stands at its time until it has been answered. */
static uint64_t timer_due_us(sd_event_source *timer)
{
	uint64_t at_us;
	int enabled;

	return timer && sd_event_source_get_enabled(timer, &enabled) > 0 &&
			       sd_event_source_get_time(timer, &at_us) >= 0 ?
		       at_us :
		       UINT64_MAX;
}

uint64_t supervisor_behind_ns(const struct supervisor *supervisor)
{
	uint64_t now_us = clock_now_ns() / NS_PER_US, due_us = timer_due_us(supervisor->timer),
		 look_us = timer_due_us(supervisor->look_timer), stalls_us = timer_due_us(stalls_timer(supervisor));

	due_us = look_us < due_us ? look_us : due_us;
	due_us = stalls_us < due_us ? stalls_us : due_us;
	return now_us > due_us ? (now_us - due_us) * NS_PER_US : 0;
}
