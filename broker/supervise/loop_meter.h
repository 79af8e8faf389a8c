/* SPDX-License-Identifier: Apache-2.0 */
/* How often the supervisor's loop turns, and how long it is away each time. Supervisor thread. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

/* All zero: closed. */
struct loop_meter {
	sd_event_source *source; /* owned */
	uint64_t turns;
	uint64_t busy_ns;    /* between waking up and the next sleep, in all */
	uint64_t slowest_ns; /* the longest of them */
};

/* One clock each turn from here on. Returns 0 or -errno. */
int loop_meter_open(struct loop_meter *meter, sd_event *event);
/* Fine on a closed one. What it has counted stays. */
void loop_meter_close(struct loop_meter *meter);
