/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP address that a killed worker had is free at once (SO_REUSEADDR; who listens there now is not disturbed). Of a Unix socket the name
 * stays: if nobody answers behind it, it is left over, and goes; if somebody does, it is his.
 *
 * A socket that weir was started with is bound, listened at and named by somebody else, and stays his: it is only accepted from.
 */
#include "worker/sources/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/stage/listen_address.h"

#define BACKLOG 1024
#define MODE_MAX 0777

static int refuse(struct weir_context *context, const char *where, const char *why, const char *advice)
{
	weir_fail(context, "cannot listen at %s: %s; %s", where, why, advice);
	return WEIR_FAILED;
}

static const char *advice_for(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program listens there: end it, or choose another address";
	case EADDRNOTAVAIL:
		return "no interface of this host has that address: use one that has, 127.0.0.1, or *";
	case EACCES:
		return "choose a port from 1024 up, or give the user who runs weir the right to bind it";
	default:
		return "choose another address";
	}
}

/* ---- TCP ---- */

static int bind_tcp(const struct addrinfo *address)
{
	int one = 1, r, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	r = -errno;
	fd_close(fd);
	return r;
}

static void name_address(const struct sockaddr *address, socklen_t size, char *text, size_t text_size)
{
	char host[64], port[16];

	if (getnameinfo(address, size, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(text, text_size, "somebody");
	else
		snprintf(text, text_size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void say_where(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char text[LISTENER_PEER_SIZE + 32];

	if (getsockname(fd, (struct sockaddr *)&address, &size))
		return;
	name_address((struct sockaddr *)&address, size, text, sizeof(text));
	weir_log(WEIR_LOG_NOTICE, "listening at %s", text);
}

static int open_tcp(struct listener *listener, struct weir_context *context)
{
	const char *where = weir_option_string(context, "listen"), *why;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct listen_address address;
	struct addrinfo *found = NULL;
	int r;

	why = listen_address_parse(where, &address);
	if (why)
		return refuse(context, where, "this is no address", why);
	r = getaddrinfo(*address.host ? address.host : NULL, address.port, &hints, &found);
	if (r != 0)
		return refuse(context, where, gai_strerror(r), "use a name or a number of this host");
	r = -EADDRNOTAVAIL;
	for (const struct addrinfo *at = found; at && listener->fd < 0; at = at->ai_next) {
		r = bind_tcp(at);
		listener->fd = r < 0 ? -1 : r;
	}
	freeaddrinfo(found);
	if (listener->fd >= 0) {
		say_where(listener->fd);
		return 0;
	}
	if (r == -EADDRINUSE && weir_generation(context) > 0)
		return error_origin(r);
	return refuse(context, where, strerror(-r), advice_for(-r));
}

/* ---- Unix ---- */

int listener_clear_way(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(close) int fd = -1;
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int bind_local(struct listener *listener, const struct sockaddr_un *address, mode_t mode)
{
	_cleanup_(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fchmod(fd, mode) || bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -errno;
	listener->path = strdup(address->sun_path);
	if (!listener->path)
		return -ENOMEM;
	/* fchmod() before has made sure that nobody else gets in between; now the exact mode, whatever the umask is. */
	if (chmod(address->sun_path, mode) || listen(fd, BACKLOG) || stat(address->sun_path, &st))
		return -errno;
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	listener->fd = steal_fd(&fd);
	return 0;
}

static const char *local_advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program listens there: end it, or choose another path";
	case EEXIST:
		return "it is no socket: move it away, or choose another path";
	case ENOENT:
		return "create its folder first";
	default:
		return "choose another path";
	}
}

static int open_local(struct listener *listener, struct weir_context *context)
{
	const char *path = weir_option_string(context, "path"), *mode = weir_option_string(context, "mode");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	unsigned long bits;
	char *end;
	int r;

	bits = strtoul(mode ? mode : "0600", &end, 8);
	if (*end || bits > MODE_MAX)
		return refuse(context, path, "this is no mode", "write it in octal, for example mode: '0660'");
	if (strlen(path) >= sizeof(address.sun_path)) {
		weir_fail(
			context,
			"cannot listen at %s: a socket's path has at most %zu bytes, and this has %zu; choose a shorter one",
			path, sizeof(address.sun_path) - 1, strlen(path));
		return WEIR_FAILED;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = listener_clear_way(path);
	if (r == 0)
		r = bind_local(listener, &address, (mode_t)bits);
	if (r == 0)
		return 0;
	if (r == -EADDRINUSE && weir_generation(context) > 0)
		return error_origin(r);
	return refuse(context, path, strerror(-r), local_advice(-r));
}

/* ---- both ---- */

/* What kind it is has been looked at by whoever has handed it over (broker/cli/sockets.c). */
static int open_handed(struct listener *listener, int fd)
{
	int flags;

	listener->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	flags = listener->fd < 0 ? -1 : fcntl(listener->fd, F_GETFL);
	if (flags < 0 || fcntl(listener->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_origin(-errno);
	if (listener->local)
		weir_log(WEIR_LOG_NOTICE, "listening at the socket that weir was started with");
	else
		say_where(listener->fd);
	return 0;
}

int listener_open(struct listener *listener, struct weir_context *context)
{
	int handed = weir_listen_fd(context), r;

	*listener = (struct listener){ .fd = -1, .local = !weir_option_given(context, "listen") };
	if (handed >= 0)
		r = open_handed(listener, handed);
	else
		r = listener->local ? open_local(listener, context) : open_tcp(listener, context);
	if (r != 0)
		listener_close(listener);
	return r;
}

void listener_close(struct listener *listener)
{
	struct stat st;

	if (listener->path && listener->fd >= 0 && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
	    st.st_ino == listener->inode)
		(void)unlink(listener->path);
	listener->fd = fd_close(listener->fd);
	free(listener->path);
	listener->path = NULL;
}

int listener_accept(const struct listener *listener, char ret_peer[LISTENER_PEER_SIZE])
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct ucred who;
	int one = 1, fd = accept4(listener->fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!listener->local) {
		name_address((struct sockaddr *)&address, size, ret_peer, LISTENER_PEER_SIZE);
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		return fd;
	}
	size = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		who.pid = 0;
	snprintf(ret_peer, LISTENER_PEER_SIZE, "process %d", (int)who.pid);
	return fd;
}
