/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/seccomp_library.h"

#include "common/base/library.h"

#define SONAME "libseccomp.so.2"

struct seccomp_library libseccomp;

int seccomp_library_load(const char **ret_why)
{
	static const struct library_function functions[] = {
#define FUNCTION(name_) { "seccomp_" #name_, &libseccomp.name_ },
#include "worker/sandbox/seccomp_library.def"
#undef FUNCTION
	};

	return library_load(SONAME, functions, sizeof(functions) / sizeof(functions[0]), ret_why);
}
