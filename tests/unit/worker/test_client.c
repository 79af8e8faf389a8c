/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's control client against a ROUTER of the test: what it says, what it takes, and that no message is slept over. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/wire/heritage.h"
#include "worker/client.h"

#define BOUND_MS 20000 /* of waits that something ends */

struct fixture {
	char folder[32], path[64], endpoint[80];
	struct heritage heritage;
	void *context, *server;
	struct wire_peer peer;
	struct client *client;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->folder, "/tmp/weir-client-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/control", f->folder);
	snprintf(f->endpoint, sizeof(f->endpoint), "ipc://%s", f->path);
	f->heritage.control_endpoint = f->endpoint;
	f->heritage.slot = 3;
	f->heritage.generation = 2;
	memcpy(f->heritage.token, "0123456789abcdef", HERITAGE_TOKEN_SIZE);
	assert_int_equal(wire_context_open(2, &f->context), 0);
	assert_int_equal(wire_socket_open(f->context, WIRE_SERVER, &f->server), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r;

	assert_null(client_close(f->client));
	zmq_close(f->server);
	zmq_ctx_term(f->context);
	unlink(f->path);
	r = rmdir(f->folder);
	free(f);
	return r;
}

static void open_client(struct fixture *f)
{
	assert_int_equal(client_open(&f->heritage, &f->client), 0);
}

static void bind_server(struct fixture *f)
{
	assert_int_equal(zmq_bind(f->server, f->endpoint), 0);
}

static char *server_receive(struct fixture *f, struct message *message)
{
	uint64_t deadline_ns = clock_now_ns() + BOUND_MS * NS_PER_MS;
	char *buffer = NULL;
	int r;

	while ((r = wire_receive(f->server, WIRE_SIZE_MAX, &f->peer, message, &buffer)) == WIRE_E_NOTHING &&
	       clock_now_ns() < deadline_ns)
		poll(NULL, 0, 1);
	assert_int_equal(r, 0);
	return buffer;
}

/* As the worker sleeps: by the rule in client.h. Returns true if a message came, which a sleep to the end does not look for. */
static bool client_wait(struct fixture *f, int wait_ms, struct message *message)
{
	uint64_t deadline_ns = clock_now_ns() + (uint64_t)wait_ms * NS_PER_MS;
	struct pollfd fd = { .fd = client_fd(f->client), .events = POLLIN };

	for (;;) {
		while (client_unread(f->client))
			if (client_receive(f->client, message) == 0)
				return true;
		if (poll(&fd, 1, deadline_poll_ms(deadline_ns, clock_now_ns(), wait_ms)) <= 0)
			return false;
		client_rang(f->client);
	}
}

static bool same(struct message_bytes bytes, const char *string)
{
	return bytes.size_bytes == strlen(string) && memcmp(bytes.data, string, bytes.size_bytes) == 0;
}

static void test_says(void **state)
{
	struct fixture *f = *state;
	struct message message;

	open_client(f);
	assert_int_equal(client_send_hello(f->client), 0); /* before anybody listens */
	bind_server(f);
	free(server_receive(f, &message));
	assert_int_equal(message.type, MESSAGE_HELLO);
	assert_true(message.hello.slot == 3 && message.hello.generation == 2 &&
		    message.hello.pid == (uint64_t)getpid());
	assert_int_equal(message.hello.token.size_bytes, 16);
	assert_int_equal(client_send_ready(f->client), 0);
	free(server_receive(f, &message));
	assert_int_equal(message.type, MESSAGE_READY);
	assert_int_equal(message.ready.slot, 3);
	assert_int_equal(client_send_ack(f->client, 2, 17), 0);
	free(server_receive(f, &message));
	assert_true(message.type == MESSAGE_ACK && message.ack.order == 2 && message.ack.seen_ns == 17);
}

static void test_says_words(void **state)
{
	struct fixture *f = *state;
	struct message message;
	char longer[10000], *buffer;

	open_client(f);
	bind_server(f);
	assert_int_equal(client_send_bye(f->client, 9, "caf\xe9 is not UTF-8", "path"), 0);
	buffer = server_receive(f, &message);
	assert_true(message.type == MESSAGE_BYE && message.bye.status == 9);
	assert_true(same(message.bye.reason, "caf\xef\xbf\xbd is not UTF-8"));
	assert_true(same(message.bye.option, "path"));
	free(buffer);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(client_send_bye(f->client, -ENOENT, longer, NULL), 0);
	buffer = server_receive(f, &message);
	assert_int_equal((int)(int64_t)message.bye.status, -ENOENT);
	assert_int_equal(message.bye.reason.size_bytes, 4096);
	assert_int_equal(message.bye.option.size_bytes, 0);
	free(buffer);
	assert_int_equal(client_send_status(f->client, "busy", NULL), 0);
	buffer = server_receive(f, &message);
	assert_true(message.type == MESSAGE_STATUS && same(message.status.state, "busy"));
	free(buffer);
}

static void test_takes(void **state)
{
	struct fixture *f = *state;
	struct message message, order = { .type = MESSAGE_CANCEL };

	open_client(f);
	bind_server(f);
	assert_int_equal(client_send_hello(f->client), 0);
	free(server_receive(f, &message));
	assert_false(client_wait(f, 20, &message));
	order.cancel.cause = 1;
	order.cancel.who = (struct message_bytes){ "a test", 6 };
	assert_int_equal(wire_send_to(f->server, &f->peer, &order), 0);
	assert_true(client_wait(f, BOUND_MS, &message));
	assert_true(message.type == MESSAGE_CANCEL && message.cancel.cause == 1 && same(message.cancel.who, "a test"));
	/* what only others may be told, and what is no message, is thrown away */
	order = (struct message){ .type = MESSAGE_REPLY };
	assert_int_equal(wire_send_to(f->server, &f->peer, &order), 0);
	assert_true(zmq_send(f->server, f->peer.bytes, f->peer.size_bytes, ZMQ_SNDMORE) >= 0 &&
		    zmq_send(f->server, "\xc1", 1, 0) == 1);
	order = (struct message){ .type = MESSAGE_QUERY };
	assert_int_equal(wire_send_to(f->server, &f->peer, &order), 0);
	assert_true(client_wait(f, BOUND_MS, &message));
	assert_int_equal(message.type, MESSAGE_QUERY);
	assert_int_equal(client_refused(f->client), 2);
}

/* A send may swallow the descriptor's word of a message that has come: the rule finds it all the same, at once. */
static void test_no_message_slept_over(void **state)
{
	struct fixture *f = *state;
	struct message message, order = { .type = MESSAGE_QUERY };

	open_client(f);
	bind_server(f);
	assert_int_equal(client_send_hello(f->client), 0);
	free(server_receive(f, &message));
	for (int i = 0; i < 300; i++) {
		assert_int_equal(wire_send_to(f->server, &f->peer, &order), 0);
		if (i % 3 == 0)
			poll(NULL, 0, 1);
		assert_int_equal(client_send_ack(f->client, 1, 1), 0);
		assert_true(client_wait(f, BOUND_MS, &message));
		free(server_receive(f, &message));
	}
}

/* A goodbye sent right before closing arrives; with nobody there, closing ends all the same. */
static void test_goodbye(void **state)
{
	struct fixture *f = *state;
	struct message message;

	bind_server(f);
	for (int i = 0; i < 20; i++) {
		open_client(f);
		assert_int_equal(client_send_bye(f->client, 0, NULL, NULL), 0);
		f->client = client_close(f->client);
		free(server_receive(f, &message));
		assert_true(message.type == MESSAGE_BYE && message.bye.status == 0);
	}
	assert_int_equal(zmq_unbind(f->server, f->endpoint), 0);
	unlink(f->path);
	open_client(f);
	assert_int_equal(client_send_bye(f->client, 0, NULL, NULL), 0);
	f->client = client_close(f->client); /* not for ever */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_says, setup, teardown),
		cmocka_unit_test_setup_teardown(test_says_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_message_slept_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goodbye, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
