/* SPDX-License-Identifier: Apache-2.0 */
/* The way back: from the JSON that a running pipeline answers to a view, so that ps shows what run shows. */
#pragma once

#include "broker/supervise/view.h"
#include "common/base/text.h"

struct fy_document;

struct view_copy {
	struct view view; /* strings belong to the document; now_ns is a clock of its own */
	struct fy_document *document;
};
#define VIEW_COPY_NULL \
	{              \
		0      \
	}

enum { VIEW_E_BAD = 1 }; /* not JSON, or not a view */

/* Reads what view_format_json() wrote. Missing keys count as zero or "". Returns 0, VIEW_E_BAD. */
int view_read(const char *json, struct view_copy *ret_copy);
/* Appends the "error" of a reply that is none; the whole reply if it has no such word. */
void reply_error(const char *json, struct text *text);
/* Appends the workers in "waiting" of a reply: "price#0 (pid 4711), ...". Returns how many. */
uint32_t reply_waiting(const char *json, struct text *text);
void view_copy_deinit(struct view_copy *copy);
static inline void view_copy_deinit_cleanup(struct view_copy *copy)
{
	view_copy_deinit(copy);
}
