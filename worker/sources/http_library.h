/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd, loaded by the worker that needs it. Linked, it would bring GnuTLS and eight more libraries into every worker of every
 * pipeline, and make each start, and each restart after a death, take more than twice as long.
 */
#pragma once

#include <microhttpd.h>

struct http_library {
#define FUNCTION(name_) __typeof__(MHD_##name_) *name_;
#include "worker/sources/http_library.def"
#undef FUNCTION
};

/* In memory until the process ends; the same at each call. Returns NULL and *ret_why (static) if it is not there. Reads the disk. */
const struct http_library *http_library_load(const char **ret_why);
