/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a pipeline lives, has started, is ready, and why not. Pure: what the supervisor says in, JSON out. */
#pragma once

#include <stdbool.h>

#include "broker/supervise/view.h"
#include "common/base/text.h"

/*
 * Append {"ready": ..., "reasons": [...]} or the like; the reason of why nothing is known is a sentence (asker_explain()). Return whether
 * it is so.
 */
bool health_live(const char *unknown, uint64_t age_ns, struct text *text);
bool health_startup(const struct view *view, const char *unknown, struct text *text);
/* why: the answer to the question of that name; NULL: there is none. */
bool health_ready(const struct view *view, const char *unknown, const char *why, struct text *text);
