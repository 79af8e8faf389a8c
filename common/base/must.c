/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/must.h"

noreturn void must_failed(const char *what, const char *file, int line, const char *function)
{
	fprintf(stderr, "<2>%s:%d: %s: assertion failed: %s\n", file, line, function, what);
	abort();
}
