/* SPDX-License-Identifier: Apache-2.0 */
/* weir cancel of a part: one stage, or one scope of items. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cancel_part {
	const char *pipeline;
	const char *stage, *scope; /* one of them; the other NULL */
	const char *cause;
	uint64_t for_ns;     /* a scope stays cancelled so long; 0: the supervisor's own time */
	uint64_t timeout_ns; /* for all to acknowledge it */
	bool wait, json;
};

/* Gives the order, waits for the acknowledgements, says what has come of it. Returns the exit code. Blocks. */
int cancel_part(const struct cancel_part *part);
