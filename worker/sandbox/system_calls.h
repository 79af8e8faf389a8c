/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of a worker in a sandbox. */
#pragma once

#include <stdbool.h>

struct text;

struct system_calls {
	bool network;            /* sockets other than those of this host's file system */
	bool processes;          /* it may start others */
	bool users;              /* ... and become another user for them */
	const char *const *more; /* names of calls, NULL-terminated; NULL: none */
};

enum { SYSTEM_CALLS_E_BAD = 1, SYSTEM_CALLS_E_MISSING = 2 };

/*
 * From now on this thread, and what it starts, is refused everything else: EPERM and EAFNOSUPPORT for what the switches above leave out;
 * SIGSYS for what no stage has any business with, after a line on stderr that names it (in this process: a program that is executed just
 * dies of it).
 * Returns 0; SYSTEM_CALLS_E_BAD with a sentence in *why: no such call in `more`; SYSTEM_CALLS_E_MISSING with one: the kernel or the library
 * can't; -errno.
 */
int system_calls_restrict(const struct system_calls *allowed, struct text *why);
