/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/zmq.md on what goes wrong, as a test: each row there is tried here. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "tests/unit/worker/document_cases.h"
#include "tests/unit/worker/stage_test.h"
#include "tests/unit/worker/zmq/peer.h"

static struct fake_host host;

static void open_at(const char *bind, const char *connect)
{
	zmq_source_init(&host, "pull", bind, connect);
	host.item_size_max = 1000;
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
}

/* ---- addresses ---- */

static void no_address(void)
{
	open_at("localhost:5555", NULL);
}

static void one_process(void)
{
	open_at("inproc://here", NULL);
}

static void connect_to_all(void)
{
	open_at(NULL, "tcp://*:5555");
}

static void long_path(void)
{
	char address[200];

	snprintf(address, sizeof(address), "ipc://%0120d", 0);
	open_at(address, NULL);
}

static void port_taken(void)
{
	char address[64];

	(void)peer_bind_tcp(ZMQ_PULL, address, sizeof(address));
	open_at(address, NULL);
}

static void not_ours(void)
{
	open_at("tcp://192.0.2.1:5555", NULL);
}

static void path_taken(void)
{
	(void)peer_bind(ZMQ_PULL, peer_address("taken"));
	open_at(peer_address("taken"), NULL);
}

static void file_in_the_way(void)
{
	file_write_text("file", "mine\n");
	open_at(peer_address("file"), NULL);
	assert_file_is("file", "mine\n");
}

static void no_folder(void)
{
	open_at(peer_address("absent/x"), NULL);
}

/* ---- messages ---- */

static void open_well(const char *parts, const char *too_long)
{
	zmq_source_init(&host, "pull", peer_address("case"), NULL);
	host.item_size_max = 1000;
	fake_host_option_string(&host, "parts", parts);
	fake_host_option_string(&host, "too_long", too_long);
	fake_host_option_number(&host, "size_max", 4000);
	assert_int_equal(fake_host_open(&host), 0);
}

static void say_hello(const char *address)
{
	peer_says(peer_connect_to(ZMQ_PUSH, address), "hello");
	zmq_turns(&host, 1);
	fprintf(stderr, "%.*s\n", (int)fake_host_item(&host, 0).size_bytes, fake_host_item(&host, 0).data);
}

static void left_over(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path("case"));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); /* as a kill does: the name stays */
	open_well("one", "reject");
	say_hello(peer_address("case"));
}

static void several_parts(void)
{
	open_well("one", "reject");
	peer_says_parts(peer_connect_to(ZMQ_PUSH, peer_address("case")), (const char *[]){ "a", "b", NULL });
	zmq_turns_refused(&host, 1);
	assert_int_equal(fake_host_items(&host), 0);
}

static void array_not_text(void)
{
	open_well("array", "reject");
	peer_says_parts(peer_connect_to(ZMQ_PUSH, peer_address("case")), (const char *[]){ "a", "\xff", NULL });
	zmq_turns_refused(&host, 1);
}

static void *say_much(size_t n)
{
	char bytes[8000];
	void *peer = peer_connect_to(ZMQ_PUSH, peer_address("case"));

	memset(bytes, 'y', sizeof(bytes));
	peer_says_bytes(peer, bytes, n, false);
	return peer;
}

static void long_message(void)
{
	open_well("one", "reject");
	(void)say_much(2000);
	zmq_turns_refused(&host, 1);
	assert_int_equal(host.last_rejection_size, 1000);
}

static void long_message_fails(void)
{
	int r;

	open_well("one", "fail");
	(void)say_much(2000);
	while ((r = fake_host_run_source(&host, false)) == WEIR_WAIT)
		usleep(1000);
	assert_int_equal(r, WEIR_FAILED);
}

static void beyond_size_max(void)
{
	open_well("one", "reject");
	(void)say_much(5000);
	usleep(100000);
	say_hello(peer_address("case"));
	assert_int_equal(host.n_rejected, 0);
}

/* ---- strangers ---- */

static char tcp_address[64];

static void open_tcp(void)
{
	unsigned port = 20000 + (unsigned)getpid() % 20000;
	int r;

	do {
		snprintf(tcp_address, sizeof(tcp_address), "tcp://127.0.0.1:%u", ++port);
		zmq_source_init(&host, "pull", tcp_address, NULL);
		r = fake_host_open(&host);
		if (r != 0)
			fake_host_deinit(&host);
	} while (r != 0);
}

static int stranger(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(strrchr(tcp_address, ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void web_page(void)
{
	/* 'G' is the length of the rest of a name in ZMTP 1.0, and what is behind it are messages. */
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody/1.0 (for ports!)\r\n"
				      "\x06\0items\x06\0items";
	char byte;
	int fd;

	open_tcp();
	fd = stranger();
	assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 2 }, sizeof(struct timeval));
	while (recv(fd, &byte, 1, 0) > 0)
		; /* libzmq greets, and then it hangs up */
	say_hello(tcp_address);
	assert_int_equal(host.n_rejected, 0);
	close(fd);
}

static void other_kind(void)
{
	void *peer;

	open_tcp();
	peer = peer_connect_to(ZMQ_PUB, tcp_address);
	for (unsigned i = 0; i < 50; i++) {
		peer_says(peer, "published");
		usleep(1000);
	}
	say_hello(tcp_address);
}

static void says_nothing(void)
{
	int fd;

	open_tcp();
	fd = stranger();
	say_hello(tcp_address);
	close(fd);
}

static void nobody_pulls(void)
{
	zmq_sink_init(&host, "push", peer_address("case"), NULL);
	host.patience_ns = 50 * NS_PER_MS;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "x", 1), WEIR_CANCELLED);
	fprintf(stderr, "waits\n");
}

static const struct {
	const char *what;
	void (*run)(void);
} cases[] = {
	{ "the address is none", no_address },
	{ "the address is of one process", one_process },
	{ "connecting to every host", connect_to_all },
	{ "the path is too long", long_path },
	{ "somebody is bound to the port", port_taken },
	{ "the address is not ours", not_ours },
	{ "somebody listens at the path", path_taken },
	{ "a file is in the way", file_in_the_way },
	{ "the folder is not there", no_folder },
	{ "a socket is left over", left_over },
	{ "several parts where one is expected", several_parts },
	{ "an array of parts that are not UTF-8", array_not_text },
	{ "a message longer than an item", long_message },
	{ "a message longer than an item, and too_long is fail", long_message_fails },
	{ "a part beyond size_max", beyond_size_max },
	{ "half a request for a web page", web_page },
	{ "another kind of socket", other_kind },
	{ "a peer that says nothing", says_nothing },
	{ "nobody pulls", nobody_pulls },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void run_case(size_t i)
{
	cases[i].run();
	document_case_say(&host);
	fake_host_deinit(&host);
	peer_deinit();
}

static const char *what(size_t i)
{
	return cases[i].what;
}

static void test_document(void **state)
{
	(void)state;
	document_cases_try(&(const struct document_cases){ .document = WEIR_SOURCE_DIR "/docs/zmq.md",
							   .heading = "ZeroMQ: what goes wrong",
							   .n = N_CASES,
							   .what = what,
							   .run = run_case });
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
