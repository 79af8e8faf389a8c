/* SPDX-License-Identifier: Apache-2.0 */
/* What a program finds when it starts: its environment, folder, user, limits and nice value, as the spec says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/stage/exec_surroundings.h"

struct text;
struct weir_context;

struct surroundings {
	char **environment; /* NULL-terminated; owned, and so are its strings */
	size_t n_environment;
	const char *folder; /* borrowed from the options; NULL: weir's own */
	struct exec_limit limits[EXEC_LIMITS_MAX];
	size_t n_limits;
	struct exec_user user;
	int nice; /* on top of weir's own */
};

#define SURROUNDINGS_NULL \
	{                 \
		0         \
	}

/* Reads the options. Returns 0; SURROUNDINGS_E_BAD with a sentence appended to *why; -ENOMEM. surroundings_deinit() either way. */
enum { SURROUNDINGS_E_BAD = 1 };
int surroundings_init(struct surroundings *surroundings, const struct weir_context *context, struct text *why);
void surroundings_deinit(struct surroundings *surroundings);
/* One more variable. Returns 0 or -ENOMEM. */
int surroundings_set(struct surroundings *surroundings, const char *name, const char *value);

/*
 * In the child, before exec: async-signal-safe. Returns NULL, or what could not be done ("cwd", "user" ...), static, with errno set.
 */
const char *surroundings_enter(const struct surroundings *surroundings);
