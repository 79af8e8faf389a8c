/* SPDX-License-Identifier: Apache-2.0 */
/* What it would take to turn a pipeline that runs by one plan into one that runs by another. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/spec/plan.h"
#include "common/base/text.h"

enum difference_verdict {
	DIFFERENCE_KEEP,    /* its workers stay; what only the supervisor knows of may change */
	DIFFERENCE_RESTART, /* new workers take its seats */
	DIFFERENCE_ADD,
	DIFFERENCE_REMOVE,
	DIFFERENCE_REFUSED, /* can't be changed while it runs */
};

/* Of one stage, or of the pipeline itself. */
struct stage_difference {
	enum difference_verdict verdict;
	char *name;       /* owned; NULL: the pipeline */
	struct text what; /* "batch: 64 -> 16; rate: 10 -> 20"; empty: nothing */
};

struct difference {
	struct stage_difference
		*list; /* owned: the pipeline, then the stages of the new plan, then those that only the old one has */
	size_t n;
	bool *restarts;     /* owned; by stage number: the new plan's, which is the old one's unless it is refused */
	uint32_t n_restart; /* stages */
	bool refused;       /* adding and removing is refused, too */
	bool changed;       /* anything at all */
};
#define DIFFERENCE_NULL \
	{               \
		0       \
	}

/* Both plans are of specs without errors. Returns 0 or -errno (no memory). difference_deinit() either way. */
int difference_of(const struct plan *old, const struct plan *new, struct difference *ret_difference);
void difference_deinit(struct difference *difference);
static inline void difference_deinit_cleanup(struct difference *difference)
{
	difference_deinit(difference);
}

/* "keep", "restart", ...; static. */
const char *difference_verdict_name(enum difference_verdict verdict);
/* For people, a line each; as a JSON array of {"stage" (null: the pipeline), "verdict", "what"}. */
void difference_format(const struct difference *difference, struct text *ret_text);
void difference_format_json(const struct difference *difference, struct text *ret_text);

/*
 * Exchanges what the two plans say of these stages, and of how the pipeline drains and restarts: for plans of which the
 * difference is not refused, so that whoever holds `running` sees the other one from then on. A second call takes it back.
 */
void plan_exchange(struct plan *running, struct plan *other);
