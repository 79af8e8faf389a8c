/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/http.md on what goes wrong, as a test: each row there is tried here. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/document_cases.h"
#include "tests/unit/worker/sources/http_test.h"
#include "tests/unit/worker/stage_test.h"

static struct fake_host host;
static int client = -1;
static char answer[8192];

static void set(const char *name, int64_t value)
{
	for (uint32_t i = 0; i < host.n_options; i++)
		if (!strcmp(host.options[i].name, name))
			host.options[i].number = value;
}

static void begin(void)
{
	assert_int_equal(fake_host_open(&host), 0);
	client = peer_connect(NULL);
}

static void hear(void)
{
	snprintf(answer, sizeof(answer), "%s", http_hear(&host, client));
}

/* These bytes, and what is said to them. */
static void send_text(const char *text)
{
	begin();
	peer_send(client, text);
	hear();
}

static void send_body(const char *body)
{
	begin();
	http_post(client, body);
	hear();
}

static void taken_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char text[32];
	socklen_t size = sizeof(address);
	int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(other, 1), 0);
	assert_int_equal(getsockname(other, (struct sockaddr *)&address, &size), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
	fake_host_option_string(&host, "listen", text);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	snprintf(answer, sizeof(answer), "%s", host.reason);
	close(other);
}

static void other_path(void)
{
	send_text("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none");
}

static void other_method(void)
{
	send_text("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none");
	assert_non_null(strstr(answer, "Allow: POST"));
}

static void no_length(void)
{
	send_text("POST / HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void wrong_length(void)
{
	send_text("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: three\r\n\r\none");
}

/* One that is sent behind it is not heard: the answer is the last, and nothing came in. */
static void send_unclear(const char *headers, const char *status)
{
	char text[512];

	snprintf(text, sizeof(text), "POST / %s\r\n\r\n3\r\none\r\n0\r\n\r\n", headers);
	begin();
	peer_send(client, text);
	http_post(client, "two");
	hear();
	assert_non_null(strstr(answer, status));
	assert_non_null(strstr(answer, "Connection: close"));
	assert_string_equal(http_hear(&host, client), "");
	assert_int_equal(fake_host_items(&host), 0);
}

static void two_lengths(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\ncontent-length: 5", " 400 ");
}

static void same_lengths(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3", " 400 ");
}

static void length_and_chunks(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\nTransfer-Encoding: chunked", " 400 ");
}

static void other_coding(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked", " 501 ");
}

static void two_codings(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip", " 400 ");
}

static void old_chunks(void)
{
	send_unclear("HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked", " 400 ");
}

static void blank_before_colon(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\nTransfer-Encoding: chunked", " 400 ");
}

static void two_hosts(void)
{
	send_unclear("HTTP/1.1\r\nHost: x\r\nHost: y\r\nTransfer-Encoding: chunked", " 400 ");
}

static void no_host(void)
{
	send_text("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\none");
	assert_int_equal(fake_host_items(&host), 0);
}

static void compressed(void)
{
	send_text("POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\none");
}

/* The length is not known before. The connection goes on. */
static void large_body(void)
{
	char piece[512];

	begin();
	peer_send(client, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	memset(piece, 'x', sizeof(piece));
	for (unsigned i = 0; i < 100; i++) {
		peer_send(client, "200\r\n");
		peer_send_bytes(client, piece, sizeof(piece));
		peer_send(client, "\r\n");
		(void)fake_host_run_source(&host, false);
	}
	peer_send(client, "0\r\n\r\n");
	hear();
	assert_non_null(strstr(answer, "413 "));
	http_post(client, "one");
	assert_non_null(strstr(http_hear(&host, client), " 202 "));
	assert_int_equal(fake_host_items(&host), 1);
}

static void empty_body(void)
{
	send_body("");
}

static void bad_record(void)
{
	host.bad_record = "bad";
	send_body("one\nbad");
}

static void long_item(void)
{
	host.item_size_max = 5;
	send_body("one\nlonger");
}

static void long_headers(void)
{
	char line[1000];

	begin();
	peer_send(client, "POST / HTTP/1.1\r\n");
	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	for (unsigned i = 0; i < 20; i++)
		peer_send_bytes(client, line, sizeof(line));
	hear();
}

static void long_baggage(void)
{
	static const char *const headers[] = { "X-Id", NULL };
	char value[501] = "", text[800];

	fake_host_option_list(&host, "baggage", headers);
	memset(value, 'x', 500);
	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: x\r\nX-Id: %s\r\nContent-Length: 3\r\n\r\none", value);
	send_text(text);
	assert_non_null(strstr(answer, "431 "));
}

static void no_http(void)
{
	send_text("\x16\x03\x01 hello\r\n\r\n");
}

static void half(void)
{
	set("timeout", 50 * NS_PER_MS);
	send_text("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\none");
	assert_non_null(strstr(answer, "408 "));
}

static void half_and_reset(void)
{
	begin();
	peer_send(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\none\n");
	(void)http_is_answered(&host, client);
	peer_reset(client);
	client = peer_connect(NULL);
	http_post(client, "two");
	hear();
	assert_non_null(strstr(answer, " 202 "));
	assert_int_equal(fake_host_items(&host), 1);
	strcpy(answer, "nothing");
}

static void no_room(void)
{
	set("wait", 50 * NS_PER_MS);
	host.room = 0;
	send_body("one");
	assert_non_null(strstr(answer, "429 "));
}

static void refused(void)
{
	host.admits_not = true;
	send_body("one");
	assert_non_null(strstr(answer, "429 "));
}

static void no_buffer(void)
{
	char body[9001] = "";

	set("buffer", 5000);
	memset(body, 'x', sizeof(body) - 1);
	send_body(body);
	assert_non_null(strstr(answer, "429 "));
}

static void many(void)
{
	int first;

	set("connections", 1);
	begin();
	first = client;
	client = peer_connect(NULL);
	http_post(client, "one");
	hear();
	close(first);
	assert_non_null(strstr(answer, "503 "));
	assert_non_null(strstr(answer, "Retry-After: 1"));
}

static void drains(void)
{
	host.draining = true;
	send_body("one");
	assert_non_null(strstr(answer, "503 "));
}

static const struct {
	const char *what;
	void (*run)(void);
} cases[] = {
	{ "somebody listens at the port", taken_port },
	{ "another path", other_path },
	{ "another method", other_method },
	{ "a body without a length", no_length },
	{ "a body of a wrong length", wrong_length },
	{ "two lengths", two_lengths },
	{ "the same length twice", same_lengths },
	{ "a length, and chunks", length_and_chunks },
	{ "chunks, and another coding", other_coding },
	{ "chunks, and another coding in a header of its own", two_codings },
	{ "chunks in HTTP/1.0", old_chunks },
	{ "a blank before a colon", blank_before_colon },
	{ "two hosts", two_hosts },
	{ "no host", no_host },
	{ "a compressed body", compressed },
	{ "a body larger than a request", large_body },
	{ "a body without an item", empty_body },
	{ "a record that can't be decoded", bad_record },
	{ "an item longer than an item may be", long_item },
	{ "headers without an end", long_headers },
	{ "baggage beyond its bound", long_baggage },
	{ "no HTTP", no_http },
	{ "half a request, and nothing more", half },
	{ "half a request, and a reset", half_and_reset },
	{ "no room in time", no_room },
	{ "refused by the stage behind", refused },
	{ "more bodies than the buffer holds", no_buffer },
	{ "more connections than there may be", many },
	{ "a drain", drains },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void run_case(size_t i)
{
	http_host_init(&host);
	cases[i].run();
	fprintf(stderr, "%s\n", answer);
	if (client >= 0)
		close(client);
	client = -1;
	fake_host_deinit(&host);
}

static const char *what(size_t i)
{
	return cases[i].what;
}

static void test_document(void **state)
{
	(void)state;
	document_cases_try(&(const struct document_cases){ .document = WEIR_SOURCE_DIR "/docs/http.md",
							   .heading = "HTTP: what goes wrong",
							   .n = N_CASES,
							   .what = what,
							   .run = run_case });
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_document) };

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
