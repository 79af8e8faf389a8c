/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for reading specs, which are small and bounded: running out of it here aborts, as it does in common/base/text. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"

/* n zeroed elements; never NULL. The caller frees. */
static inline void *spec_alloc(size_t n, size_t size_bytes)
{
	void *memory = calloc(n ? n : 1, size_bytes);

	must(memory);
	return memory;
}

/* Room for one more after n elements: grows by doubling at the powers of two from 8. Returns the (moved) array. */
static inline void *spec_grow(void *array, size_t n, size_t size_bytes)
{
	if (n && (n < 8 || (n & (n - 1))))
		return array;
	array = realloc(array, (n < 8 ? 8 : 2 * n) * size_bytes);
	must(array);
	return array;
}

static inline char *spec_strdup(const char *string)
{
	char *copy = strdup(string);

	must(copy);
	return copy;
}
