/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugins share: the same message as the bare transports send, and the processor to run on. */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/stage.h>

#define MESSAGE_LINE 64u /* as in bench/transport.h */

#define MESSAGE_CPU_OPTION                                                                               \
	{                                                                                                \
		.name = "cpu", .type = WEIR_TYPE_LIST,                                                   \
		.summary = "processors, one for each worker in turn; none: wherever the kernel wants it" \
	}

#define MESSAGE_FILE_OPTION                                                                                  \
	{                                                                                                    \
		.name = "file", .type = WEIR_TYPE_PATH, .required = true, .summary = "where the result goes" \
	}

static inline uint64_t message_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline unsigned char message_byte(size_t at)
{
	return (unsigned char)(at / MESSAGE_LINE * 7 + 1);
}

static inline void message_fill(unsigned char *message, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes; at++)
		message[at] = message_byte(at);
}

/* What the bytes that the consumer touches add up to. */
static inline uint64_t message_sum(size_t size_bytes)
{
	uint64_t sum = 0;

	for (size_t at = MESSAGE_LINE; at < size_bytes; at += MESSAGE_LINE)
		sum += message_byte(at);
	return sum;
}

/* Puts this worker on its processor. Returns 0 or WEIR_FAILED. */
static inline int message_pin(struct weir_context *context)
{
	const char *const *cpus = weir_option_list(context, "cpu");
	uint32_t n_cpus = 0;
	cpu_set_t set;
	int cpu;

	if (!cpus)
		return 0;
	while (cpus[n_cpus])
		n_cpus++;
	cpu = atoi(cpus[weir_worker_index(context) % n_cpus]);
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		weir_fail(context, "cannot run on processor %d: %s", cpu, strerror(errno));
		return WEIR_FAILED;
	}
	return 0;
}

/* For stages that measure: also refuses to go on where another worker has died. Returns 0 or WEIR_FAILED. */
static inline int message_begin(struct weir_context *context)
{
	if (weir_generation(context) == 0)
		return message_pin(context);
	weir_fail(context, "a worker has died: this measurement is worth nothing");
	return WEIR_FAILED;
}

/* Writes the result, one line of JSON, into `file`, which is there when it is whole. Returns 0 or WEIR_FAILED. */
static inline __attribute__((format(printf, 2, 3))) int message_report(struct weir_context *context, const char *format,
								       ...)
{
	const char *path = weir_option_string(context, "file");
	char unfinished[4096];
	va_list arguments;
	bool good;
	FILE *file;

	snprintf(unfinished, sizeof(unfinished), "%s.unfinished", path);
	file = fopen(unfinished, "we");
	va_start(arguments, format);
	good = file && vfprintf(file, format, arguments) >= 0;
	va_end(arguments);
	good = (file && fclose(file) == 0) && good;
	if (good && rename(unfinished, path) == 0)
		return 0;
	weir_fail(context, "cannot write '%s': %s", path, strerror(errno));
	return WEIR_FAILED;
}
