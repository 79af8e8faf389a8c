/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/must.h"

#define READER_WAIT_MS 1000

/* Whoever waits for this process to die need not wait for who reads what it says. */
noreturn void must_failed(const char *what, const char *file, int line, const char *function)
{
	struct pollfd reader = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&reader, 1, READER_WAIT_MS) > 0)
		fprintf(stderr, "<2>%s:%d: %s: assertion failed: %s\n", file, line, function, what);
	abort();
}
