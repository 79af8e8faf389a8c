/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines from a stage: they go to the supervisor, which prints them with stage and worker. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* syslog's numbers */
enum weir_log_level {
	WEIR_LOG_ERROR = 3,
	WEIR_LOG_WARNING = 4,
	WEIR_LOG_NOTICE = 5,
	WEIR_LOG_INFO = 6,
	WEIR_LOG_DEBUG = 7
};

/*
 * Writes one line (cut at 1,000 bytes, newlines turned into spaces). Any thread of a worker; may block when
 * the supervisor is behind. In the thread that is called back, with an item in hand that has a scope or a trace id (baggage "trace-id"), the
 * line says so by itself. Log decisions and failures, never per item.
 */
void weir_log(enum weir_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
