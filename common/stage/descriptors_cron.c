/* SPDX-License-Identifier: Apache-2.0 */
/* Items by the clock on the wall, as data. */
#include "common/stage/descriptors.h"

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const struct weir_option cron_options[] = {
	{ .name = "schedule",
	  .type = WEIR_TYPE_STRING,
	  .required = true,
	  .summary =
		  "minute, hour, day of the month, month, day of the week: *, numbers, names, ranges, lists, steps; or @every 5s, @hourly, @daily, @weekly, @monthly, @yearly",
	  .example = "'30 2 * * MON-FRI'" },
	{ .name = "timezone",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "UTC",
	  .summary = "whose clock on the wall: a name such as Europe/Berlin, UTC, or local for the host's",
	  .example = "Europe/Berlin" },
	{ .name = "missed",
	  .type = WEIR_TYPE_CHOICE,
	  .fallback = "once",
	  .choices = "skip|once|all",
	  .summary =
		  "times that passed while nobody could give an item (worker dead, host asleep, lane full): none of them, the last of those in a row, or all",
	  .example = "all" },
	{ .name = "late",
	  .type = WEIR_TYPE_DURATION,
	  .fallback = "10s",
	  .minimum = 1000000,
	  .maximum = INT64_C(86400000000000),
	  .summary = "a time is missed when its item is so late; before that it comes in any case",
	  .example = "1m" },
	{ .name = "text",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "{time}",
	  .summary =
		  "the item: {time} is the time that it stands for, {unix} that in seconds since 1970, {n} its number from 1, {missed} how many were left out before it",
	  .example = "'{\"due\": \"{time}\", \"number\": {n}}'" },
	{ .name = "count",
	  .type = WEIR_TYPE_INTEGER,
	  .minimum = 1,
	  .maximum = INT64_MAX,
	  .summary = "how many items; without it, items without end",
	  .example = "10" },
};

const struct weir_stage descriptor_source_cron = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.flags = WEIR_STAGE_CHECKS,
	.role = WEIR_SOURCE,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.name = "cron",
	.summary = "an item at each time of a schedule",
	.description =
		"Gives one item for each time, from the start of the pipeline on; it says which time it stands for. A kill of the worker neither "
		"loses a time nor repeats it. When clocks are set forward and back for the summer, a time that is left out comes at that moment, and one that "
		"comes twice counts once; unless the schedule has every hour, which goes by the time that passes.",
	.options = cron_options,
	.n_options = COUNT(cron_options),
};
