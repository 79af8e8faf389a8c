/* SPDX-License-Identifier: Apache-2.0 */
/* Whether it is clear where a request ends. Worker process; does not block. */
#pragma once

#include "worker/sources/http_library.h"

/*
 * Looks at the headers of a request that has just come; version as libmicrohttpd names it. Returns NULL if whoever else reads them finds
 * the same end, else the reason (static, a line) and the status that is the answer to it: its connection can't be read on.
 */
const char *http_framing_fault(const struct http_library *library, struct MHD_Connection *connection,
			       const char *version, unsigned *ret_status);
