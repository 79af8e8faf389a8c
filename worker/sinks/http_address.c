/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sinks/http_address.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PORT_MAX 65535L

/* Behind the scheme; NULL: it has none of these. */
static const char *behind(const char *url, const char *const *schemes)
{
	for (; *schemes; schemes++)
		if (!strncasecmp(url, *schemes, strlen(*schemes)))
			return url + strlen(*schemes);
	return NULL;
}

static bool has_blank(const char *url)
{
	for (; *url; url++)
		if ((unsigned char)*url <= ' ' || *url == 0x7f)
			return true;
	return false;
}

/* From the colon up to the end, or nothing. */
static bool is_port(const char *text, size_t n)
{
	size_t n_digits = 0;
	long port;

	if (!n)
		return true;
	while (n_digits + 1 < n && isdigit((unsigned char)text[1 + n_digits]))
		n_digits++;
	port = n_digits && n_digits < 6 ? strtol(text + 1, NULL, 10) : 0;
	return *text == ':' && n_digits + 1 == n && port > 0 && port <= PORT_MAX;
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT */
static const char *host_fault(const char *host, size_t n)
{
	const char *bracket = *host == '[' ? memchr(host, ']', n) : NULL;
	size_t n_host = bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":/?#");

	if (memchr(host, '@', n))
		return "no name or password in a URL, where everybody sees it: use auth and secret_file";
	if (!n || *host == ':')
		return "there is no host in it";
	if (*host == '[' && !bracket)
		return "an address in brackets ends with one, for example [::1]:8080";
	return is_port(host + n_host, n - n_host) ? NULL : "a port is a number from 1 to 65535, behind HOST:";
}

const char *http_url_fault(const char *url)
{
	static const char *const schemes[] = { "http://", "https://", NULL };
	const char *host = behind(url, schemes), *fault;

	if (!host)
		return "expected http://HOST/PATH or https://HOST/PATH";
	if (has_blank(url))
		return "a URL has no blanks: write them as %20";
	fault = host_fault(host, strcspn(host, "/?#"));
	if (fault)
		return fault;
	return strchr(host, '#') ? "what stands behind # is not sent: leave it out" : NULL;
}

const char *http_proxy_fault(const char *proxy)
{
	static const char *const schemes[] = { "http://",    "https://",  "socks4://", "socks4a://",
					       "socks5h://", "socks5://", NULL };
	const char *host = behind(proxy, schemes), *fault;

	if (!*proxy)
		return NULL; /* none */
	if (!host && strstr(proxy, "://"))
		return "expected http, https, socks4, socks4a, socks5 or socks5h before ://";
	host = host ? host : proxy;
	if (has_blank(proxy))
		return "there is a blank in it";
	if (memchr(host, '@', strlen(host)))
		return "no name or password in a spec, where everybody sees it: weir has no way to tell them to a proxy";
	fault = host_fault(host, strcspn(host, "/?#"));
	return fault ? fault : strcspn(host, "/?#") + 1 < strlen(host) ? "a proxy has no path" : NULL;
}
