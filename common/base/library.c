/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int library_load(const char *soname, const struct library_function *functions, size_t n, const char **ret_why)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library && i < n; i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			library = NULL;
		else /* by way of its bytes: ISO C knows no other way from dlsym() to a function */
			memcpy(functions[i].pointer, &function, sizeof(function));
	}
	if (library)
		return 0;
	*ret_why = dlerror();
	return -ENOENT; /* no error of weir's: the caller says it */
}
