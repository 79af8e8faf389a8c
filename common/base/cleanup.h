/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound cleanup: _cleanup_(free) and friends; hand over with steal_pointer / steal_fd. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f_) __attribute__((cleanup(f_##_cleanup)))

static inline void free_cleanup(void *pointer)
{
	free(*(void **)pointer);
}

static inline void close_cleanup(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void fclose_cleanup(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

static inline void *steal_pointer_(void *pointer)
{
	void **from = pointer, *stolen = *from;

	*from = NULL;
	return stolen;
}

#define steal_pointer(p_) ((__typeof__(*(p_)))steal_pointer_(p_))

/* Closes and forgets; keeps errno; -1 is fine. Returns -1, to be stored in the same variable. */
static inline int fd_close(int fd)
{
	close_cleanup(&fd);
	return -1;
}
