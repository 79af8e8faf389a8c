/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer, or its absence, means for the items of a request. */
#pragma once

#include <curl/curl.h>
#include <stdint.h>

enum http_verdict {
	HTTP_DELIVERED = 0,
	HTTP_PASSING, /* the server can't now: the same request again, later */
	HTTP_REFUSED, /* the items are bad */
	HTTP_TOO_MUCH, /* so may one of them be, or they are too many: the same, and of several each half is tried by itself */
	HTTP_DENIED, /* it is not the items: the address, the rights, the certificate */
};

/*
 * `code`: of the transfer; `status`: of the answer, if one has begun, 0: none; `retry`: statuses that mean HTTP_PASSING, ends with 0,
 * may be NULL. Pure.
 */
enum http_verdict http_judge(CURLcode code, long status, const uint16_t *retry);

/* "Not Found"; "" if it has no name here. Static. */
const char *http_status_name(long status);
