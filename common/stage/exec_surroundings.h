/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of exec stages say of a program's surroundings: read here for `weir check` and for the worker alike. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct text;

#define EXEC_LIMITS_MAX 16u
#define EXEC_GROUPS_MAX 64

struct exec_limit {
	int resource;   /* RLIMIT_* */
	uint64_t value; /* bytes, seconds or a count */
};

/* "memory=1GiB". Returns 0, or EXEC_SURROUNDINGS_E_BAD with a sentence appended to *why. */
enum { EXEC_SURROUNDINGS_E_BAD = 1 };
int exec_limit_parse(const char *text, struct exec_limit *ret, struct text *why);

struct exec_user {
	bool given;
	uid_t uid;
	gid_t gid;
	gid_t groups[EXEC_GROUPS_MAX];
	size_t n_groups;
};

/*
 * A name, or a number, which has no groups but its own. Reads the system's user database, which may block. Whoever is not root may only be
 * himself. Returns 0, or EXEC_SURROUNDINGS_E_BAD with a sentence appended to *why.
 */
int exec_user_find(const char *name, struct exec_user *ret, struct text *why);

/* Of "NAME=value": every program gets this one, if weir has it: PATH, HOME, LANG, LC_* ... */
bool exec_environment_is_everybodys(const char *variable);
/* An entry of `env`: NAME or NAME=value. Returns 0, or EXEC_SURROUNDINGS_E_BAD with a sentence appended to *why. */
int exec_environment_check(const char *entry, struct text *why);
