/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/sources/http_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define PATIENCE_NS (20 * NS_PER_S) /* nothing here takes so long, unless it hangs */

void http_host_init(struct fake_host *host)
{
	fake_host_init(host, &http_source_callbacks);
	fake_host_option_string(host, "listen", "127.0.0.1:0");
	fake_host_option_string(host, "path", "/");
	fake_host_option_string(host, "items", "lines");
	fake_host_option_number(host, "connections", 10);
	fake_host_option_number(host, "buffer", 1 << 20);
	fake_host_option_number(host, "request", 10000);
	fake_host_option_number(host, "retry_after", NS_PER_S);
	fake_host_option_number(host, "timeout", (int64_t)(30 * NS_PER_S));
	fake_host_option_number(host, "wait", (int64_t)(30 * NS_PER_S));
}

void http_post(int fd, const char *body)
{
	char head[128];

	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", strlen(body));
	peer_send(fd, head);
	peer_send(fd, body);
}

static bool is_whole(const char *answer, size_t n)
{
	const char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");

	return end && (!length || n >= (size_t)(end - answer) + 4 + strtoul(length + 16, NULL, 10));
}

const char *http_hear(struct fake_host *host, int fd)
{
	static char answer[4096];
	uint64_t until_ns = clock_now_ns() + PATIENCE_NS;
	size_t n = 0;

	answer[0] = '\0';
	while (!is_whole(answer, n)) {
		ssize_t got;

		if (clock_now_ns() > until_ns)
			fail_msg("no answer, but '%s'", answer);
		if (host->state)
			assert_int_equal(fake_host_run_source(host, false), WEIR_WAIT);
		got = recv(fd, answer + n, 1, MSG_DONTWAIT); /* the next answer may lie behind it */
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
		answer[n] = '\0';
		assert_true(n < sizeof(answer) - 1);
		if (got < 0)
			usleep(1000);
	}
	return answer;
}

bool http_is_answered(struct fake_host *host, int fd)
{
	char byte;

	assert_int_equal(fake_host_run_source(host, false), WEIR_WAIT);
	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
}
