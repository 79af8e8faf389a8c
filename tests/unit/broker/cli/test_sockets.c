/* SPDX-License-Identifier: Apache-2.0 */
/* Which socket is for which source: by name, by address; and what fits nothing. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/cli/sockets.h"

static char local_path[64], v4[64], v6[64], any[64];

static struct heritage_option options[] = {
	{ .name = (char *)"listen", .type = HERITAGE_STRING, .string = v4 },
	{ .name = (char *)"listen", .type = HERITAGE_STRING, .string = v6 },
	{ .name = (char *)"listen", .type = HERITAGE_STRING, .string = any },
	{ .name = (char *)"path", .type = HERITAGE_STRING, .string = local_path },
};

enum { TCP, WEB, ANY, LOCAL, PLUGIN, SINK, N_STAGES };

#define STAGE(name_, role_, kind_) .name = (char *)(name_), .role = (role_), .kind = (char *)(kind_)
static struct plan_stage stages[N_STAGES] = {
	[TCP] = { STAGE("tcp", WEIR_SOURCE, "tcp"), .options = &options[0], .n_options = 1 },
	[WEB] = { STAGE("web", WEIR_SOURCE, "http"), .options = &options[1], .n_options = 1 },
	[ANY] = { STAGE("any", WEIR_SOURCE, "tcp"), .options = &options[2], .n_options = 1 },
	[LOCAL] = { STAGE("local", WEIR_SOURCE, "unix"), .options = &options[3], .n_options = 1 },
	[PLUGIN] = { STAGE("mine", WEIR_SOURCE, "mine"), .plugin = (char *)"./mine.so" },
	[SINK] = { STAGE("write", WEIR_SINK, "discard") },
};
static const struct plan plan = { .stages = stages, .n_stages = N_STAGES };

static int listen_at(const void *address, socklen_t size, int type)
{
	int fd = socket(((const struct sockaddr *)address)->sa_family, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, address, size), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int listen_v4(const char *host, int type, char *ret_address)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd;

	assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
	fd = listen_at(&address, sizeof(address), type);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(ret_address, 64, "%s:%u", strcmp(host, "0.0.0.0") == 0 ? "*" : host, ntohs(address.sin_port));
	return fd;
}

static int listen_local(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(local_path, sizeof(local_path), "/tmp/weir-sockets.%d", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", local_path);
	unlink(local_path);
	return listen_at(&address, sizeof(address), SOCK_STREAM);
}

/* Assigns one or two, and gives the text of what is wrong; "": nothing. */
static const char *assign(struct sockets *sockets, int a, const char *name_a, int b, const char *name_b)
{
	static char text[512];
	struct text why = TEXT_NULL;
	int r;

	*sockets = (struct sockets){ .fds = calloc(2, sizeof(int)),
				     .names = calloc(2, sizeof(char *)),
				     .n = b < 0 ? 1 : 2 };
	sockets->fds[0] = a;
	sockets->fds[1] = b;
	sockets->names[0] = strdup(name_a);
	sockets->names[1] = b < 0 ? NULL : strdup(name_b);
	r = sockets_assign(sockets, &plan, &why);
	snprintf(text, sizeof(text), "%s", text_get(&why));
	assert_int_equal(r, *text ? SOCKETS_E_WRONG : 0);
	text_deinit(&why);
	return text;
}

static void is_for(int fd, const char *name, int stage)
{
	struct sockets sockets;

	assert_string_equal(assign(&sockets, fd, name, -1, NULL), "");
	for (int i = 0; i < N_STAGES; i++)
		assert_int_equal(sockets.of_stage[i], i == stage ? fd : -1);
	sockets_deinit(&sockets);
}

static void is_wrong(int a, const char *name_a, int b, const char *name_b, const char *words)
{
	struct sockets sockets;

	if (!strstr(assign(&sockets, a, name_a, b, name_b), words))
		fail_msg("'%s' is not in: %s", words, assign(&sockets, a, name_a, b, name_b));
	sockets_deinit(&sockets);
}

static void test_assign(void **state)
{
	int tcp = listen_v4("127.0.0.1", SOCK_STREAM, v4), every = listen_v4("0.0.0.0", SOCK_STREAM, any),
	    local = listen_local();
	char elsewhere[64], nowhere[64], at_first[64];
	int other = listen_v4("127.0.0.2", SOCK_STREAM, elsewhere),
	    datagrams = listen_v4("127.0.0.1", SOCK_DGRAM, nowhere);
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockets sockets;
	socklen_t size = sizeof(address);
	int six = socket(AF_INET6, SOCK_STREAM, 0);

	(void)state;
	snprintf(v6, sizeof(v6), "[::1]:1");
	snprintf(at_first, sizeof(at_first), "%s", v4);
	is_for(tcp, "unknown", TCP);
	is_for(tcp, "tcp", TCP);
	is_for(every, "weir@orders.socket", ANY);
	is_for(local, "unknown", LOCAL);
	is_for(other, "tcp", TCP); /* whatever its address is */
	is_for(other, "web", WEB);
	is_for(other, "mine", PLUGIN);
	is_wrong(local, "mine", -1, NULL, "but that is where stage 'local' listens");
	assert_string_equal(assign(&sockets, tcp, "unknown", local, "unknown"), "");
	assert_true(sockets.of_stage[TCP] == tcp && sockets.of_stage[LOCAL] == local);
	sockets_deinit(&sockets);
	is_wrong(other, "unknown", -1, NULL, "no source listens there, and no stage is called so");
	/* Its port is somebody's, and its address is not. */
	snprintf(any, sizeof(any), "*:%s", strchr(elsewhere, ':') + 1);
	snprintf(v4, sizeof(v4), "127.0.0.1:%s", strchr(elsewhere, ':') + 1);
	is_wrong(other, "unknown", -1, NULL, "no source listens there, and no stage is called so");
	is_wrong(other, "local", -1, NULL, "stage 'local' can't accept connections from it");
	is_wrong(other, "write", -1, NULL, "stage 'write' can't accept connections from it");
	snprintf(v4, sizeof(v4), "%s", at_first);
	is_wrong(tcp, "web", -1, NULL, "but that is where stage 'tcp' listens");
	is_wrong(tcp, "tcp", other, "tcp", "its stage has another one already");
	is_wrong(datagrams, "tcp", -1, NULL, "is no listening stream socket");
	is_wrong(STDIN_FILENO, "tcp", -1, NULL, "is no listening stream socket");
	if (six >= 0 && bind(six, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(six, 1) == 0) {
		assert_int_equal(getsockname(six, (struct sockaddr *)&address, &size), 0);
		is_wrong(six, "unknown", -1, NULL, "no source listens there");
		snprintf(v6, sizeof(v6), "[::1]:%u", ntohs(address.sin6_port));
		is_for(six, "unknown", WEB);
	}
	close(six);
	close(tcp);
	close(every);
	close(local);
	close(other);
	close(datagrams);
	unlink(local_path);
}

/* Nothing was handed over: nobody is asked. */
static void test_none(void **state)
{
	struct sockets sockets;
	struct text why = TEXT_NULL;

	(void)state;
	unsetenv("LISTEN_FDS");
	assert_int_equal(sockets_take(&sockets), 0);
	assert_int_equal(sockets_assign(&sockets, &plan, &why), 0);
	assert_null(sockets.of_stage);
	sockets_deinit(&sockets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assign),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
