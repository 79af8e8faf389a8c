/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal and a service manager send to the supervisor. */
#pragma once

#include <stdbool.h>

/* Whether SIGHUP is to be heard: not if whoever started this has it ignored. */
bool signals_hangup_wanted(void);
/* Blocks them all for this process: from now on the loop alone hears them. SIGPIPE is ignored. Before any thread is made. */
void signals_block(void);
