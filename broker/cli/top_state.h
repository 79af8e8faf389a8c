/* SPDX-License-Identifier: Apache-2.0 */
/* Where somebody who looks at `weir top` is, and where a key leads. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/cli/top_keys.h"
#include "broker/cli/top_rows.h"

enum top_level { TOP_STAGES, TOP_WORKERS, TOP_WORKER };

struct top_state {
	enum top_level level;
	uint32_t stage,
		worker; /* numbers of the line that is marked at each level: they stay while the order changes */
	enum top_sort sort;
	bool reverse;
	bool paused, help, quit;
	bool refresh; /* somebody wants a look now; whoever looks clears it */
};

/* What a picture is made of. All borrowed. */
struct top_picture {
	const char *pipeline;
	const struct view *view; /* NULL: there was no answer yet */
	const struct top_rates *rates;
	struct fy_node *why, *dump; /* the answers to those questions; NULL: there is none */
	const char *trouble;        /* why there is no new answer; NULL: there is one */
	double interval_s;
};

/* The view has changed: what is marked is there, or the nearest. */
void top_state_clamp(struct top_state *state, const struct view *view);
/* The rows of the level; of TOP_WORKER those of its stage. view not NULL. The caller frees them. */
size_t top_state_rows(const struct top_state *state, const struct top_picture *picture, struct top_row **ret_rows);
/* Which of them is marked. */
size_t top_state_marked(const struct top_state *state, const struct top_row *rows, size_t n);
void top_state_key(struct top_state *state, enum top_key key, const struct top_picture *picture);
