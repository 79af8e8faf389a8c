/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal of which the whole window is ours for a while, and is given back as it was. One at a time in a process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <termios.h>

#include "broker/cli/terminal.h"
#include "common/base/text.h"

struct top_screen {
	struct terminal terminal;
	struct termios before; /* of standard input */
	sigset_t outside;      /* signals that were blocked before */
	bool entered;
};

/* Both standard input and standard output are terminals, and the cursor can be moved. */
bool top_screen_possible(void);
/*
 * Takes the window: another buffer of the terminal, no cursor, keys come one by one. From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT end
 * it, ^Z gives the window back while the process stands still. Returns 0 or -errno, and then nothing has changed.
 */
int top_screen_open(struct top_screen *screen);
/* Gives it back. Fine if it was not opened. */
void top_screen_close(struct top_screen *screen);
/* Draws the page over what is there. May block until the terminal takes it, or a signal has come. Returns 0 or -errno. */
int top_screen_draw(struct top_screen *screen, const struct text *page);

/* What the wait has brought. */
enum top_news { TOP_NOTHING, TOP_KEYS, TOP_REDRAW, TOP_END };
/*
 * Waits for keys, a signal or the time (absolute; 0: only looks), whatever comes first. KEYS: up to size bytes are there, *ret_n of them.
 * REDRAW: the window has another size, or is ours again. END: a signal, or the terminal has gone.
 */
enum top_news top_screen_wait(struct top_screen *screen, uint64_t until_ns, char *bytes, size_t size, size_t *ret_n);
