/* SPDX-License-Identifier: Apache-2.0 */
/* Times that come again: the five fields of cron, or every so often. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule {
	uint64_t every_ns; /* its multiples since 1970; 0: the fields */
	uint64_t minutes;  /* bit i: minute i; likewise below */
	uint32_t hours, days, months;
	uint32_t weekdays; /* bit 0: Sunday */
	bool any_day, any_weekday;
};

#define SCHEDULE_NEVER UINT64_MAX
#define SCHEDULE_WHY_SIZE 200u

/* Reads it. Returns 0; -EINVAL and what is wrong, for people. Pure. */
int schedule_parse(const char *text, struct schedule *ret, char ret_why[SCHEDULE_WHY_SIZE]);

/*
 * The first time behind after_ns (CLOCK_REALTIME), in the time zone of the process; SCHEDULE_NEVER: there is none in ten years. Pure but
 * for that.
 */
uint64_t schedule_next(const struct schedule *schedule, uint64_t after_ns);

/*
 * Makes it the time zone of the process: "UTC", "local" (as the host has it) or a name such as Europe/Berlin. Returns 0; -EINVAL: that is no
 * name; -ENOENT: this host does not know it.
 */
int schedule_zone(const char *name);
/* The same without changing anything. */
int schedule_zone_check(const char *name);
