/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl, loaded by the worker that needs it (worker/library.h): linked, it would bring a TLS library and twenty more into every worker. */
#pragma once

#include <curl/curl.h>

/* Both libraries of Debian have the same functions; the one with GnuTLS, whose headers these are, is asked for first. */
#define CURL_SONAME "libcurl-gnutls.so.4"
#define CURL_SONAME_OPENSSL "libcurl.so.4"

struct curl_library {
#define FUNCTION(name_) __typeof__(curl_##name_) *name_;
#include "worker/sinks/curl_library.def"
#undef FUNCTION
};

/* Its functions; none of them before curl_library_load() has returned 0. */
extern struct curl_library curl;

/*
 * The first that there is of these two, ready to be used; the names of libraries, for tests of what is said when there is none. Returns 0,
 * also when it was loaded before; -ENOENT and *ret_why (static). Reads the disk.
 */
int curl_library_load(const char *soname, const char *other_soname, const char **ret_why);
