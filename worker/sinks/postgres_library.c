/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sinks/postgres_library.h"

#include "common/base/library.h"

#define SONAME "libpq.so.5"

struct postgres_library pq;

int postgres_library_load(const char **ret_why)
{
	static const struct library_function functions[] = {
#define FUNCTION(name_) { "PQ" #name_, &pq.name_ },
#include "worker/sinks/postgres_library.def"
#undef FUNCTION
	};

	if (pq.unescapeBytea) /* the last: all are there */
		return 0;
	return library_load(SONAME, functions, sizeof(functions) / sizeof(functions[0]), ret_why);
}
