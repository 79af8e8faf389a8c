/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/sources/socket_test.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define PATIENCE_NS (20 * NS_PER_S) /* nothing here takes so long, unless it hangs */
#define FDS_MAX 4096

void socket_host_init(struct fake_host *host, const char *name)
{
	fake_host_init(host, &sockets_source_callbacks);
	if (name)
		fake_host_option_string(host, "path", folder_path(name));
	else
		fake_host_option_string(host, "listen", "127.0.0.1:0");
	fake_host_option_number(host, "connections", 1000);
	fake_host_option_number(host, "buffer", 16 << 20);
	fake_host_option_string(host, "too_long", "reject");
}

/* The stage runs in this process, so its socket is one of ours. */
static struct sockaddr_in find_port(void)
{
	for (int fd = 3; fd < FDS_MAX; fd++) {
		struct sockaddr_in address;
		socklen_t size = sizeof(address);
		int listens = 0;
		socklen_t n = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens &&
		    getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sin_family == AF_INET)
			return address;
	}
	fail_msg("nobody listens");
	return (struct sockaddr_in){ 0 };
}

int socket_of(const char *name)
{
	for (int fd = 3; fd < FDS_MAX; fd++) {
		struct sockaddr_un address = { 0 };
		socklen_t size = sizeof(address), n = sizeof(int);
		int listens = 0;

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens &&
		    getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sun_family == AF_UNIX &&
		    strcmp(address.sun_path, folder_path(name)) == 0)
			return fd;
	}
	fail_msg("nobody listens at %s", name);
	return -1;
}

int peer_connect(const char *name)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in address;
	int fd = socket(name ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (name) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", folder_path(name));
		assert_int_equal(connect(fd, (struct sockaddr *)&local, sizeof(local)), 0);
	} else {
		address = find_port();
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	}
	return fd;
}

void peer_send_bytes(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

void peer_send(int fd, const char *text)
{
	peer_send_bytes(fd, text, strlen(text));
}

void peer_reset(int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static void wait_for_watch(const struct fake_host *host, uint64_t until_ns)
{
	struct pollfd fd = { .fd = host->watch_fd, .events = host->watch_events };

	poll(&fd, 1, deadline_poll_ms(deadline_earlier(host->watch_wake_ns, until_ns), clock_now_ns(), 100));
}

static void turns_until(struct fake_host *host, const uint64_t *count, uint64_t n)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;

	while (fake_host_run_source(host, false) == WEIR_WAIT && *count < n) {
		if (clock_now_ns() > until_ns)
			fail_msg("%llu instead of %llu", (unsigned long long)*count, (unsigned long long)n);
		wait_for_watch(host, until_ns);
	}
	if (*count != n)
		fail_msg("%llu instead of %llu", (unsigned long long)*count, (unsigned long long)n);
}

void socket_turns(struct fake_host *host, uint64_t n_items)
{
	turns_until(host, &host->n_items, n_items);
}

void socket_turns_refused(struct fake_host *host, uint64_t n_refused)
{
	turns_until(host, &host->n_rejected, n_refused);
}

void socket_turns_for(struct fake_host *host, uint64_t time_ns)
{
	uint64_t until_ns = clock_now_ns() + time_ns;

	while (clock_now_ns() < until_ns) {
		assert_int_equal(fake_host_run_source(host, false), WEIR_WAIT);
		wait_for_watch(host, until_ns);
	}
}

void peer_hear(struct fake_host *host, int fd, char *text, size_t n_bytes)
{
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;
	size_t n = 0;

	while (n < n_bytes && clock_now_ns() < until_ns) {
		ssize_t got;

		assert_int_equal(fake_host_run_source(host, false), WEIR_WAIT);
		got = recv(fd, text + n, n_bytes - n, MSG_DONTWAIT);
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
		if (got < 0)
			usleep(1000);
	}
	text[n] = '\0';
}
