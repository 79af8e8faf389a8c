/* SPDX-License-Identifier: Apache-2.0 */
/* What there is at which path (route.def), and what is answered. Called from any thread; waits two seconds at most. */
#pragma once

#include <stddef.h>

#include "common/base/text.h"

struct asker;
struct watch;

/* What answers are made of; borrowed. */
struct console {
	struct asker *asker;
	struct watch *watch;
	const char *dead_letter_store; /* folder */
};

struct reply {
	unsigned status;
	const char *type;     /* Content-Type; static */
	struct text body;     /* or: */
	const char *constant; /* not NULL: this instead, static */
	size_t constant_bytes;
};
#define REPLY_NULL \
	{          \
		0  \
	}
void reply_deinit(struct reply *reply);

/* Fills the reply to a GET of that path (without a query). */
void route_answer(const struct console *console, const char *path, struct reply *ret_reply);
/* Fills a reply that is an error, with a sentence. */
void reply_fail(struct reply *reply, unsigned status, const char *sentence);
