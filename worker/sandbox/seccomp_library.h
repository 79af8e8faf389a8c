/* SPDX-License-Identifier: Apache-2.0 */
/* libseccomp, loaded by the worker that needs it (common/base/library.h). */
#pragma once

#include <seccomp.h>

struct seccomp_library {
#define FUNCTION(name_) __typeof__(seccomp_##name_) *name_;
#include "worker/sandbox/seccomp_library.def"
#undef FUNCTION
};

/* Its functions; none of them before seccomp_library_load() has returned 0. */
extern struct seccomp_library libseccomp;

/* Returns 0, also when it was loaded before; -ENOENT and *ret_why (static) if it is not there. Reads the disk. */
int seccomp_library_load(const char **ret_why);
