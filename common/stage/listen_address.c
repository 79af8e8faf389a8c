/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stage/listen_address.h"

#include <stdio.h>
#include <string.h>

static const char *parse_port(const char *text, struct listen_address *ret)
{
	size_t n = strlen(text);
	unsigned port = 0;

	if (!n || strspn(text, "0123456789") != n)
		return "expected HOST:PORT, for example 127.0.0.1:7000";
	if (n >= sizeof(ret->port) || sscanf(text, "%u", &port) != 1 || port > 65535)
		return "a port is a number up to 65535";
	snprintf(ret->port, sizeof(ret->port), "%u", port);
	return NULL;
}

const char *listen_address_parse(const char *text, struct listen_address *ret)
{
	const char *host = text, *colon = strrchr(text, ':'), *end = colon;

	if (!colon || colon == text)
		return "expected HOST:PORT, for example 127.0.0.1:7000; * stands for every address of this host";
	if (*text == '[') {
		host++;
		end--;
		if (*end != ']')
			return "expected [ADDRESS]:PORT, for example [::1]:7000";
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return "an address with colons stands in brackets: [::1]:7000";
	}
	if ((size_t)(end - host) >= sizeof(ret->host) || end <= host)
		return "expected HOST:PORT, for example 127.0.0.1:7000";
	memcpy(ret->host, host, (size_t)(end - host));
	ret->host[end - host] = '\0';
	if (!strcmp(ret->host, "*"))
		*ret->host = '\0';
	return parse_port(colon + 1, ret);
}
