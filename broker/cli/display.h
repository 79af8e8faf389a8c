/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that `weir run` writes to standard error: log lines, the live block or progress lines, the summary. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include <weir/log.h>

#include "broker/cli/summary.h"
#include "broker/spec/plan.h"
#include "common/observe/log_item.h"

struct display;
struct notice;
struct supervisor;

enum progress { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER, PROGRESS_JSON };
enum display_log_format { DISPLAY_LOG_AUTO, DISPLAY_LOG_TEXT, DISPLAY_LOG_LOGFMT, DISPLAY_LOG_JSON };

struct display_settings {
	enum progress progress;
	enum display_log_format log_format;
	bool quiet, verbose;
	bool json;             /* the summary too */
	struct notice *notice; /* borrowed; NULL: nobody wants to know */
};

/* Looks at the terminal. Works at once; shows progress from display_watch() on. Never fails: see display_works(). */
struct display *display_new(const struct display_settings *settings);
/* False: there was no room for the thread that writes, so every line waits for its reader. Good enough to say why nothing is started. */
bool display_works(const struct display *display);
/* Waits for the reader, at most as long as output_finish(). */
struct display *display_free(struct display *display);

/*
 * The pipeline has been planned and its supervisor made (both borrowed): draws until display_end(). Supervisor thread.
 * Returns 0 or -errno.
 */
int display_watch(struct display *display, sd_event *event, const struct plan *plan, struct supervisor *supervisor);

/* One line of the supervisor or of a worker, as in struct supervisor_callbacks. Never waits for the reader. */
void display_log(struct display *display, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		 const struct log_item *item, const char *message);
/* A sentence of weir itself: "weir: ..." on a terminal. An error is what systemd shows as the status, too. */
void display_say(struct display *display, enum weir_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Text that is formatted already (diagnostics), in its two forms. */
void display_print(struct display *display, const char *text);
bool display_is_json(const struct display *display);
bool display_is_terminal(const struct display *display);
bool display_has_color(const struct display *display);
/* The window may have changed its size (SIGWINCH). */
void display_resize(struct display *display);

/* Takes the live block away; from here on nothing is drawn. Before the supervisor is freed. */
void display_end(struct display *display);
/* The last words. They are written when display_free() returns, if anybody takes them. */
void display_summary(struct display *display, const struct ending *ending);
