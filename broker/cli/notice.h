/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told (READY, STATUS, STOPPING, WATCHDOG). Its socket can be full for as long as systemd itself waits for a
 * disk, and sd_notify()
 * would wait for that: so a courier does. Without NOTIFY_SOCKET all of this is nothing. The loop thread's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct notice;

/* NULL without NOTIFY_SOCKET; all below are fine with that. Returns 0; -errno: no room for a thread. */
int notice_new(struct notice **ret_notice);
/* Newline-separated assignments, as sd_notify(3) takes them; sent in order, never dropped. */
void notice_send(struct notice *notice, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what soon will be said anew: dropped while systemd reads nothing. */
void notice_mention(struct notice *notice, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* STATUS: one line, whatever the text has in it; sent in order, never dropped. What `systemctl status` shows, also after the end. */
void notice_status(struct notice *notice, const char *text);
/*
 * Tells the watchdog that this loop turns, as often as WATCHDOG_USEC wants it, as long as in_time() says that nothing is overdue by more
 * than a part of that. Returns 0 or -errno.
 */
typedef bool notice_in_time_fn(void *data, uint64_t limit_ns);
int notice_watchdog(struct notice *notice, sd_event *event, notice_in_time_fn *in_time, void *data);
/* Waits until systemd has read all of it, two seconds at most: only when nothing else is left to do. */
void notice_finish(struct notice *notice);
struct notice *notice_free(struct notice *notice);
