/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZeroMQ says of a wrong address EINVAL, or nothing, and tries to connect for ever. So it is looked at here first, by `weir check` too.
 * inproc:// leads to nobody, for a worker is a process of one stage.
 */
#include "worker/zmq/endpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "common/stage/listen_address.h"

#define TCP "tcp://"
#define IPC "ipc://"
#define PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static const char *behind(const char *endpoint, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncmp(endpoint, scheme, n) == 0 ? endpoint + n : NULL;
}

static const char *tcp_wrong(const char *rest, enum endpoint_use use)
{
	struct listen_address address;
	const char *why = listen_address_parse(rest, &address);

	if (why)
		return "expected tcp://HOST:PORT, for example tcp://127.0.0.1:5555, with brackets around an address of IPv6";
	if (use == ENDPOINT_CONNECT && !*address.host)
		return "* stands for every address of this host, which is for bind: say which host to connect to";
	if (use == ENDPOINT_CONNECT && !strcmp(address.port, "0"))
		return "port 0 stands for any that is free, which is for bind: say which port to connect to";
	return NULL;
}

static const char *ipc_wrong(const char *rest)
{
	if (!*rest || !strcmp(rest, "*"))
		return "expected ipc://PATH, for example ipc:///run/app/orders";
	return strlen(rest) > PATH_MAX_BYTES ? "a socket's path has at most 107 bytes: choose a shorter one" : NULL;
}

const char *endpoint_wrong(const char *endpoint, enum endpoint_use use)
{
	const char *rest = behind(endpoint, TCP);

	if (rest)
		return tcp_wrong(rest, use);
	rest = behind(endpoint, IPC);
	if (rest)
		return ipc_wrong(rest);
	if (behind(endpoint, "inproc://"))
		return "inproc:// joins threads of one process, and each worker is a process: use ipc://PATH";
	return "expected tcp://HOST:PORT or ipc://PATH, for example tcp://127.0.0.1:5555";
}

const char *endpoint_path(const char *endpoint)
{
	const char *rest = behind(endpoint, IPC);

	return rest && *rest != '@' ? rest : NULL;
}

bool endpoint_is_ipv6(const char *endpoint)
{
	const char *rest = behind(endpoint, TCP);

	return rest && *rest == '[';
}

const char *endpoint_advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program has it: end it, or choose another address";
	case ENODEV:
	case EADDRNOTAVAIL:
		return "no interface of this host has that address: use the number of one that has, 127.0.0.1, or *";
	case EACCES:
		return "the user who runs weir may not: choose a port from 1024 up, or a folder he may write to";
	case ENOENT:
		return "create its folder first";
	case EEXIST:
		return "it is no socket: move it away, or choose another path";
	default:
		return "choose another address";
	}
}
