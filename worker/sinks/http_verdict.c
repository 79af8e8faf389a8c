/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      transfer failed    -> passing, unless the spec must be wrong (a certificate that nobody vouches for)
 *      2xx                -> delivered
 *      3xx                -> denied: nobody followed it
 *      401 403 404 405 407 -> denied
 *      400 413 422 431    -> too much, or refused
 *      408 425 429        -> passing, and whatever the spec names
 *      other 4xx          -> refused
 *      5xx, and what is no status at all -> passing
 */
#include "worker/sinks/http_verdict.h"

#include <stdbool.h>
#include <stddef.h>

static bool is_redirect(long status)
{
	return status >= 300 && status < 400;
}

static enum http_verdict judge_failure(CURLcode code, long status)
{
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL: /* of the URL that it is sent to, or of an answer */
		return is_redirect(status) ? HTTP_DENIED : HTTP_PASSING;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM: /* ours */
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_URL_MALFORMAT:
		return HTTP_DENIED;
	default:
		return HTTP_PASSING;
	}
}

enum http_verdict http_judge(CURLcode code, long status, const uint16_t *retry)
{
	if (code != CURLE_OK)
		return judge_failure(code, status);
	for (; retry && *retry; retry++)
		if (*retry == status)
			return HTTP_PASSING;
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 405:
	case 407:
		return HTTP_DENIED;
	case 400:
	case 413:
	case 422:
	case 431:
		return HTTP_TOO_MUCH;
	case 408:
	case 425:
	case 429:
		return HTTP_PASSING;
	default:
		break;
	}
	if (status >= 200 && status < 300)
		return HTTP_DELIVERED;
	if (is_redirect(status))
		return HTTP_DENIED;
	return status >= 400 && status < 500 ? HTTP_REFUSED : HTTP_PASSING;
}

const char *http_status_name(long status)
{
	static const struct {
		long status;
		const char *name;
	} names[] = {
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 407, "Proxy Authentication Required" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].status == status)
			return names[i].name;
	return "";
}
