/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"

int error_print(int r, const char *file, int line, const char *function)
{
	static int wanted = -1;

	if (r >= 0)
		return r;
	if (wanted < 0)
		wanted = getenv("WEIR_TRACE_ERRORS") ? 1 : 0;
	if (wanted) {
		int saved = errno;

		fprintf(stderr, "%s:%d: %s: %s\n", file, line, function, strerror(-r));
		errno = saved;
	}
	return r;
}
