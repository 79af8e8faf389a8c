/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal and a service manager send to the supervisor. */
#pragma once

#include <stdbool.h>

/* Whether SIGHUP is to be heard: not if whoever started this has it ignored. */
bool signals_hangup_wanted(void);
/*
 * Whether this process has a controlling terminal now. When it goes the kernel takes it from the whole session, and sends
 * SIGHUP: who had one
 * and has it still is told by somebody else.
 */
bool signals_have_terminal(void);
/* Blocks them all for this process: from now on the loop alone hears them. SIGPIPE is ignored. Before any thread is made. */
void signals_block(void);
