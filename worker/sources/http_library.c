/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sources/http_library.h"

#include <dlfcn.h>
#include <string.h>

#define SONAME "libmicrohttpd.so.12" /* of the headers' 0.9.75, and all that are compatible */

static void *find(void *library, const char *name, const char **ret_why)
{
	void *function = library ? dlsym(library, name) : NULL;

	if (!function && !*ret_why)
		*ret_why = dlerror();
	return function;
}

const struct http_library *http_library_load(const char **ret_why)
{
	static struct http_library all;
	void *library, *function;

	*ret_why = NULL;
	if (all.run)
		return &all;
	library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	/* A function's address by way of its bytes: ISO C knows no other way from dlsym(). */
#define FUNCTION(name_)                                   \
	function = find(library, "MHD_" #name_, ret_why); \
	memcpy(&all.name_, &function, sizeof(function));
#include "worker/sources/http_library.def"
#undef FUNCTION
	if (!*ret_why)
		return &all;
	all.run = NULL;
	return NULL;
}
