/* SPDX-License-Identifier: Apache-2.0 */
/* What `weir top` knows of a pipeline: the last answers, and how they differ from those before. */
#pragma once

#include <stdbool.h>

#include "broker/cli/top_state.h"
#include "broker/cli/view_read.h"
#include "broker/control/client.h"

struct top_look {
	const char *name;
	struct view_copy copy;
	struct fy_document *why, *dump; /* NULL: not asked, or no answer */
	struct top_rates rates;
	struct text trouble; /* empty: the last look had an answer */
	bool known;          /* there was an answer */
	bool ended;          /* the pipeline has ended: it will not answer any more */
};
#define TOP_LOOK_NULL \
	{             \
		0     \
	}

/*
 * Asks the pipeline, and of the workers of one stage (dumped; NULL: of none) what they do. Waits two seconds at most for each of four
 * answers, and as long as waiting() wants to. Returns 0, or what pipeline_try() does: then the last answers stay, and `trouble` says why.
 */
int top_look_now(struct top_look *look, const char *dumped, control_waiting_fn *waiting, void *data);
void top_look_deinit(struct top_look *look);
/* What there is to be shown; borrowed from look. */
struct top_picture top_look_picture(const struct top_look *look, uint64_t interval_ns);
