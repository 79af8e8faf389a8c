/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that a few kinds and verbs need and that bring many others along: loaded by the process that needs them. Linked, they would
 * make each worker of every pipeline start, and start again after a death, twice as slowly or worse.
 */
#pragma once

#include <stddef.h>

struct library_function {
	const char *name;
	void *pointer; /* to the pointer that becomes the function's address */
};

/*
 * The library stays until the process ends. Returns 0; -ENOENT and *ret_why (static, until the next call) if it or one of the functions is
 * not there. Never in the supervisor; reads the disk.
 */
int library_load(const char *soname, const struct library_function *functions, size_t n, const char **ret_why);
