/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/sockets.md on what goes wrong, as a test: each row there is tried here. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/document_cases.h"
#include "tests/unit/worker/sources/socket_test.h"
#include "tests/unit/worker/stage_test.h"

#define NAME "case.sock"

static struct fake_host host;

/* ---- who is there first ---- */

static int other = -1; /* somebody else's socket */

static void end_other(void)
{
	if (other >= 0)
		close(other);
	other = -1;
	(void)unlink(folder_path(NAME));
}

static void listen_at_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char text[32];
	socklen_t size = sizeof(address);

	other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(other, 1), 0);
	assert_int_equal(getsockname(other, (struct sockaddr *)&address, &size), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
	socket_host_init(&host, NULL);
	fake_host_option_string(&host, "listen", text);
	fake_host_option_number(&host, "connections", 3);
	(void)fake_host_open(&host);
}

static void listen_at(const char *address)
{
	socket_host_init(&host, NULL);
	fake_host_option_string(&host, "listen", address);
	fake_host_option_number(&host, "connections", 3);
	(void)fake_host_open(&host);
}

static void foreign_address(void)
{
	listen_at("192.0.2.1:0");
}

static void no_such_name(void)
{
	listen_at("no-such-host.invalid:0");
}

static void bind_at_path(bool listens)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path(NAME));
	other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
	if (listens)
		assert_int_equal(listen(other, 1), 0);
}

static void open_case(const char *name)
{
	socket_host_init(&host, name);
	host.item_size_max = 1000;
	(void)fake_host_open(&host);
}

static void somebody_listens(void)
{
	bind_at_path(true);
	open_case(NAME);
}

static void file_in_the_way(void)
{
	file_write_text(NAME, "mine\n");
	open_case(NAME);
	assert_file_is(NAME, "mine\n");
}

static void no_folder(void)
{
	open_case("absent/x.sock");
}

static void too_long_a_path(void)
{
	char name[120];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	open_case(name);
}

static void left_over(void)
{
	int fd;

	bind_at_path(true);
	close(other); /* as a kill does: the name stays */
	other = -1;
	open_case(NAME);
	fd = peer_connect(NAME);
	peer_send(fd, "hello\n");
	socket_turns(&host, 1);
	fprintf(stderr, "%.*s\n", (int)fake_host_item(&host, 0).size_bytes, fake_host_item(&host, 0).data);
	close(fd);
}

/* ---- what peers do ---- */

static int send_long(void)
{
	char line[2001];
	int fd = peer_connect(NAME);

	memset(line, 'y', 2000);
	line[2000] = '\n';
	peer_send_bytes(fd, line, sizeof(line));
	return fd;
}

static void long_line(void)
{
	int fd;

	open_case(NAME);
	fd = send_long();
	socket_turns_refused(&host, 1);
	close(fd);
}

static void long_line_fails(void)
{
	int fd;

	socket_host_init(&host, NAME);
	host.item_size_max = 1000;
	fake_host_option_string(&host, "path", folder_path(NAME));
	fake_host_option_number(&host, "connections", 3);
	fake_host_option_number(&host, "buffer", 1 << 20);
	fake_host_option_string(&host, "too_long", "fail");
	assert_int_equal(fake_host_open(&host), 0);
	fd = send_long();
	assert_int_equal(fake_host_run_source(&host, true), WEIR_FAILED);
	close(fd);
}

static void half_a_line(void)
{
	int fd;
	char byte;

	socket_host_init(&host, NAME);
	fake_host_option_number(&host, "half_line", 50 * NS_PER_MS);
	assert_int_equal(fake_host_open(&host), 0);
	fd = peer_connect(NAME);
	peer_send(fd, "half");
	socket_turns_refused(&host, 1);
	assert_int_equal(host.last_rejection_size, 4);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static void reset(void)
{
	int fd;

	socket_host_init(&host, NULL);
	assert_int_equal(fake_host_open(&host), 0);
	fd = peer_connect(NULL);
	peer_send(fd, "whole\nhalf");
	socket_turns(&host, 1);
	peer_reset(fd);
	socket_turns_refused(&host, 1);
}

static void too_many_halves(void)
{
	int fds[4];

	socket_host_init(&host, NAME);
	fake_host_option_string(&host, "path", folder_path(NAME));
	fake_host_option_number(&host, "connections", 10);
	fake_host_option_number(&host, "buffer", 4096);
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 4; i++) {
		char text[1500];

		memset(text, 'a' + i, sizeof(text));
		fds[i] = peer_connect(NAME);
		peer_send_bytes(fds[i], text, i == 1 ? 1500 : 1000);
		(void)fake_host_run_source(&host, false);
	}
	socket_turns_refused(&host, 1);
	assert_int_equal(host.last_rejection_size, 1500);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	socket_turns(&host, 3);
}

static void too_many_connections(void)
{
	int fds[4];

	socket_host_init(&host, NAME);
	fake_host_option_string(&host, "path", folder_path(NAME));
	fake_host_option_number(&host, "connections", 3);
	fake_host_option_number(&host, "buffer", 4096);
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < 4; i++) {
		fds[i] = peer_connect(NAME);
		peer_send(fds[i], "x\n");
	}
	socket_turns(&host, 3);
	close(fds[0]);
	socket_turns(&host, 4);
	for (int i = 1; i < 4; i++)
		close(fds[i]);
}

static const struct {
	const char *what;
	void (*run)(void);
} cases[] = {
	{ "somebody listens at the port", listen_at_port },
	{ "the address is not ours", foreign_address },
	{ "the host has no such name", no_such_name },
	{ "somebody listens at the path", somebody_listens },
	{ "a file is in the way", file_in_the_way },
	{ "the folder is not there", no_folder },
	{ "the path is too long", too_long_a_path },
	{ "a socket is left over", left_over },
	{ "a line longer than an item", long_line },
	{ "a line longer than an item, and too_long is fail", long_line_fails },
	{ "half a line, and nothing more", half_a_line },
	{ "half a line, and a reset", reset },
	{ "more halves than the buffer holds", too_many_halves },
	{ "more connections than there may be", too_many_connections },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void run_case(size_t i)
{
	cases[i].run();
	document_case_say(&host);
	fake_host_deinit(&host);
	end_other();
}

static const char *what(size_t i)
{
	return cases[i].what;
}

static void test_document(void **state)
{
	(void)state;
	document_cases_try(&(const struct document_cases){ .document = WEIR_SOURCE_DIR "/docs/sockets.md",
							   .heading = "Sockets: what goes wrong",
							   .n = N_CASES,
							   .what = what,
							   .run = run_case });
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
