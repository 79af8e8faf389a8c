/* SPDX-License-Identifier: Apache-2.0 */
#include "console/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/stage/listen_address.h"

#define BACKLOG 64
#define UNIX_PREFIX "unix:"

/* ---- unix ---- */

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);

	fd_close(fd);
	return yes;
}

static bool is_left_behind(const struct sockaddr_un *address)
{
	struct stat st;

	return lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid() &&
	       !somebody_listens(address);
}

static int bind_unix(struct listener *listener, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int r = bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	if (r == -EADDRINUSE && is_left_behind(address) && unlink(address->sun_path) == 0)
		r = bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	umask(before);
	if (r == 0)
		listener->path = strdup(address->sun_path);
	return r == 0 && listen(listener->fd, BACKLOG) ? -errno : r;
}

static int open_unix(struct listener *listener, const char *path, struct text *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	if (!*path || strlen(path) >= sizeof(address.sun_path)) {
		text_printf(why, "the path of a socket has 1 to %zu bytes", sizeof(address.sun_path) - 1);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = listener->fd < 0 ? -errno : bind_unix(listener, &address);
	if (r == 0)
		return 0;
	text_printf(why, "can not listen at %s: %s%s", path, strerror(-r),
		    r == -EADDRINUSE ? "; is another console there?" : "");
	return -1;
}

/* ---- TCP ---- */

static int bind_tcp(struct listener *listener, const struct addrinfo *address)
{
	int one = 1;

	listener->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener->fd < 0)
		return -errno;
	setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener->fd, address->ai_addr, address->ai_addrlen) || listen(listener->fd, BACKLOG))
		return -errno;
	return 0;
}

/* With port 0 the kernel has chosen one. */
static void say_where(struct listener *listener)
{
	char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct text said = TEXT_NULL;

	if (getsockname(listener->fd, (struct sockaddr *)&address, &size) == 0)
		getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	text_printf(&said, strchr(host, ':') ? "http://[%s]:%s/" : "http://%s:%s/", host, port);
	listener->said = text_steal(&said);
}

static int open_tcp(struct listener *listener, const char *where, struct text *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct listen_address parsed;
	struct addrinfo *found = NULL;
	const char *wrong = listen_address_parse(where, &parsed);
	int r;

	if (wrong) {
		text_printf(why, "'%s': %s; or it is unix:PATH", where, wrong);
		return -1;
	}
	r = getaddrinfo(*parsed.host ? parsed.host : NULL, parsed.port, &hints, &found);
	if (r) {
		text_printf(why, "'%s': %s", where, gai_strerror(r));
		return -1;
	}
	r = bind_tcp(listener, found);
	freeaddrinfo(found);
	if (r == 0) {
		say_where(listener);
		return 0;
	}
	text_printf(why, "can not listen at %s: %s", where, strerror(-r));
	return -1;
}

int listener_open(struct listener *listener, const char *where, struct text *why)
{
	int r;

	listener->fd = -1;
	listener->path = listener->said = NULL;
	if (strncmp(where, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
		r = open_tcp(listener, where, why);
	else
		r = open_unix(listener, where + strlen(UNIX_PREFIX), why);
	if (r == 0 && !listener->said)
		listener->said = strdup(where);
	if (r)
		listener_close(listener);
	return r;
}

void listener_close(struct listener *listener)
{
	if (listener->path)
		unlink(listener->path);
	listener->fd = fd_close(listener->fd);
	free(listener->path);
	free(listener->said);
	listener->path = listener->said = NULL;
}

/* ---- Host ---- */

/* The name in "name:port", "[::1]:port". Returns false if it is too long, or none. */
static bool host_name(const char *host, char name[static 256], bool *ret_bracketed)
{
	const char *end;

	*ret_bracketed = *host == '[';
	if (*ret_bracketed)
		host++;
	end = strchr(host, *ret_bracketed ? ']' : ':');
	if (*ret_bracketed && !end)
		return false;
	if (!end)
		end = host + strlen(host);
	if (end == host || end - host > 255)
		return false;
	memcpy(name, host, (size_t)(end - host));
	name[end - host] = '\0';
	return true;
}

bool listener_takes_host(const struct listener *listener, const char *host)
{
	unsigned char address[16];
	char name[256];
	bool bracketed;

	if (listener->path)
		return true;
	if (!host || !host_name(host, name, &bracketed))
		return false;
	if (bracketed)
		return inet_pton(AF_INET6, name, address) == 1;
	if (inet_pton(AF_INET, name, address) == 1 || strcasecmp(name, "localhost") == 0)
		return true;
	for (unsigned i = 0; i < listener->n_hosts; i++)
		if (strcasecmp(name, listener->hosts[i]) == 0)
			return true;
	return false;
}
