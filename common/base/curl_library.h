/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl, loaded by the process that needs it (common/base/library.h): linked, it would bring TLS into every worker. */
#pragma once

#include <curl/curl.h>

struct curl_library {
#define FUNCTION(name_) __typeof__(curl_##name_) *name_;
#include "common/base/curl_library.def"
#undef FUNCTION
};

/* Its functions; none of them before curl_library_load() has returned 0. */
extern struct curl_library curl;

/* Ready to be used. Returns 0, also when it was loaded before; -ENOENT and *ret_why (static) if it is not there. Reads the disk. */
int curl_library_load(const char **ret_why);
