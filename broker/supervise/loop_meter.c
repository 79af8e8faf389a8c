/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source that never comes has a prepare callback, which sd-event calls before each sleep; when it has woken up last it knows itself.
 */
#include "broker/supervise/loop_meter.h"

#include "common/base/clock.h"
#include "common/base/error.h"

static int on_time(sd_event_source *source, uint64_t now_us, void *data)
{
	(void)source;
	(void)now_us;
	(void)data;
	return 0;
}

static int before_sleep(sd_event_source *source, void *data)
{
	struct loop_meter *meter = data;
	uint64_t woken_us, now_ns, turn_ns;

	if (sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &woken_us) != 0)
		return 0; /* it has not slept yet */
	now_ns = clock_now_ns();
	turn_ns = now_ns > woken_us * NS_PER_US ? now_ns - woken_us * NS_PER_US : 0;
	meter->turns++;
	meter->busy_ns += turn_ns;
	meter->slowest_ns = turn_ns > meter->slowest_ns ? turn_ns : meter->slowest_ns;
	return 0;
}

int loop_meter_open(struct loop_meter *meter, sd_event *event)
{
	int r = sd_event_add_time(event, &meter->source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_time, meter);

	if (r >= 0)
		r = sd_event_source_set_prepare(meter->source, before_sleep);
	return r < 0 ? error_origin(r) : 0;
}

void loop_meter_close(struct loop_meter *meter)
{
	meter->source = sd_event_source_disable_unref(meter->source);
}
