/* SPDX-License-Identifier: Apache-2.0 */
/* libpq, loaded by the worker that needs it (common/base/library.h): linked, it would bring OpenSSL and Kerberos into every worker. */
#pragma once

#include <libpq-fe.h>

struct postgres_library {
#define FUNCTION(name_) __typeof__(PQ##name_) *name_;
#include "worker/sinks/postgres_library.def"
#undef FUNCTION
};

/* Its functions; none of them before postgres_library_load() has returned 0, which the sink's open() sees to. */
extern struct postgres_library pq;

/* Returns 0, also when it was loaded before; -ENOENT and *ret_why (static) if it is not there. Reads the disk. */
int postgres_library_load(const char **ret_why);
