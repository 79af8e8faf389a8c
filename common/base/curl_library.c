/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/curl_library.h"

#include <errno.h>

#include "common/base/library.h"

/* Debian has two with the same functions; the one with GnuTLS, whose headers these are, is asked for first. */
#define SONAME "libcurl-gnutls.so.4"
#define SONAME_OPENSSL "libcurl.so.4"

struct curl_library curl;

int curl_library_load(const char **ret_why)
{
	static const struct library_function functions[] = {
#define FUNCTION(name_) { "curl_" #name_, &curl.name_ },
#include "common/base/curl_library.def"
#undef FUNCTION
	};
	const size_t n = sizeof(functions) / sizeof(functions[0]);
	int r = library_load(SONAME, functions, n, ret_why);

	if (r != 0)
		r = library_load(SONAME_OPENSSL, functions, n, ret_why);
	if (r == 0 && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		*ret_why = "it can't be set up";
		r = -ENOENT;
	}
	return r;
}
