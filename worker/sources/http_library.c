/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sources/http_library.h"

#include "common/base/library.h"

#define SONAME "libmicrohttpd.so.12" /* of the headers' 0.9.75, and all that are compatible */

const struct http_library *http_library_load(const char **ret_why)
{
	static struct http_library all;
	static const struct library_function functions[] = {
#define FUNCTION(name_) { "MHD_" #name_, &all.name_ },
#include "worker/sources/http_library.def"
#undef FUNCTION
	};

	if (all.run)
		return &all;
	if (library_load(SONAME, functions, sizeof(functions) / sizeof(functions[0]), ret_why) == 0)
		return &all;
	all.run = NULL;
	return NULL;
}
