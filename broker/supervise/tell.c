/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for people, with the name of whom they are about. Where they go is the callback's affair. */
#include <stdarg.h>
#include <stdio.h>

#include "broker/supervise/supervisor_priv.h"

#define LOG_LINE_MAX 4096u

static void log_line(const struct supervisor *supervisor, enum weir_log_level level, const char *stage, int worker,
		     pid_t pid, const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX];

	vsnprintf(line, sizeof(line), format, arguments);
	supervisor->callbacks.log(supervisor->callbacks.data, level, stage, worker, pid, NULL, line);
}

void supervisor_log(struct supervisor *supervisor, enum weir_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(supervisor, level, NULL, -1, 0, format, arguments);
	va_end(arguments);
}

void seat_log(const struct seat *seat, enum weir_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(seat->supervisor, level, seat->stage->name, (int)seat->worker_index, seat->last_pid, format,
		 arguments);
	va_end(arguments);
}

void seat_log_item(const struct seat *seat, enum weir_log_level level, uint64_t sequence, const char *line)
{
	const struct log_item item = { .has_sequence = true, .sequence = sequence };

	seat->supervisor->callbacks.log(seat->supervisor->callbacks.data, level, seat->stage->name,
					(int)seat->worker_index, seat->last_pid, &item, line);
}

void stage_log(const struct stage_watch *watch, enum weir_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(watch->supervisor, level, watch->supervisor->plan->stages[watch->number].name, -1, 0, format,
		 arguments);
	va_end(arguments);
}

void seat_pass_on(const struct seat *seat, enum weir_log_level level, const char *line)
{
	const struct supervisor_callbacks *callbacks = &seat->supervisor->callbacks;
	struct log_item item = seat->words.item;

	item.generation = seat->generation;
	item.has_generation = true;
	callbacks->log(callbacks->data, level, seat->stage->name, (int)seat->worker_index, seat->last_pid, &item, line);
}
