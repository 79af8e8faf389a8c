/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks over a whole msgpack document before anybody builds anything from it: msgpack's own unpacker allocates by the counts
 * that a document claims (five bytes can ask for 2 GB), so nothing goes to it, or to a decoder that allocates, unseen.
 */
#pragma once

#include <stddef.h>

#define PRESCAN_DEPTH_MAX 8u /* arrays and maps within each other */

enum {
	PRESCAN_E_TOO_LONG = 1, /* more bytes than allowed */
	PRESCAN_E_TOO_DEEP = 2,
	PRESCAN_E_TRUNCATED = 3, /* it ends inside a value, or claims more values than it has bytes for */
	PRESCAN_E_TRAILING = 4,  /* bytes after the document's one value */
	PRESCAN_E_TYPE = 5,      /* an extension type, or the tag that is never used */
	PRESCAN_E_TEXT = 6,      /* a str that is not UTF-8, or holds NUL */
};

/*
 * Checks data: one msgpack value with an exact end, at most size_max_bytes long, at most PRESCAN_DEPTH_MAX deep, every count covered
 * by bytes. Allocates nothing; time linear in size_bytes. Any process. Returns 0, PRESCAN_E_*.
 */
int prescan(const void *data, size_t size_bytes, size_t size_max_bytes);
