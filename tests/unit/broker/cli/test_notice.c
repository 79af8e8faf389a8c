/* SPDX-License-Identifier: Apache-2.0 */
/* Telling systemd must not wait for systemd. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/notice.h"
#include "common/base/clock.h"

static int systemd_fd;

static int open_socket(void **state)
{
	const struct timeval limit = { .tv_sec = 20 }; /* what does not come by then never does */
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64];
	int n = snprintf(name, sizeof(name), "@weir-test-notice-%d", (int)getpid());

	(void)state;
	setenv("NOTIFY_SOCKET", name, 1);
	memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
	systemd_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return systemd_fd < 0 || setsockopt(systemd_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	       bind(systemd_fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) < 0;
}

static int close_socket(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	return close(systemd_fd);
}

static const char *next_message(void)
{
	static char message[512];
	ssize_t n = recv(systemd_fd, message, sizeof(message) - 1, 0);

	assert_true(n >= 0);
	message[n] = '\0';
	return message;
}

static void test_in_order(void **state)
{
	struct notice *notice = NULL;

	(void)state;
	assert_int_equal(notice_new(&notice), 0);
	assert_non_null(notice);
	notice_send(notice, "READY=1\nSTATUS=running %d", 7);
	notice_send(notice, "STOPPING=1");
	assert_string_equal(next_message(), "READY=1\nSTATUS=running 7");
	assert_string_equal(next_message(), "STOPPING=1");
	notice_free(notice);
}

static void test_a_status_is_one_line(void **state)
{
	struct notice *notice = NULL;

	(void)state;
	assert_int_equal(notice_new(&notice), 0);
	notice_status(notice, "bad.yaml:1:2: what\nREADY=1\n");
	assert_string_equal(next_message(), "STATUS=bad.yaml:1:2: what READY=1 ");
	notice_free(notice);
}

static void test_systemd_that_reads_nothing(void **state)
{
	struct notice *notice = NULL;
	uint64_t begun_ns = clock_now_ns();
	unsigned n_statuses = 0;

	(void)state;
	assert_int_equal(notice_new(&notice), 0);
	for (int i = 0; i < 10000; i++)
		notice_mention(notice, "STATUS=%d", i);
	notice_send(notice, "STOPPING=1"); /* not dropped */
	notice_finish(notice);             /* gives up */
	assert_true(clock_now_ns() - begun_ns < 30 * NS_PER_S);
	while (strncmp(next_message(), "STATUS=", 7) == 0)
		n_statuses++; /* up to STOPPING=1, or this waits for ever */
	assert_in_range(n_statuses, 1, 5000);
	notice_free(notice);
}

static int stop(sd_event_source *source, uint64_t at_us, void *data)
{
	(void)source, (void)at_us;
	return sd_event_exit(data, 0);
}

static bool is_in_time(void *data, uint64_t limit_ns)
{
	unsigned *n_late = data;

	assert_int_equal(limit_ns, 5000 * NS_PER_US);
	return !*n_late || !--*n_late;
}

static void test_the_watchdog(void **state)
{
	struct notice *notice = NULL;
	sd_event *event = NULL;
	unsigned n_late = 0;

	(void)state;
	setenv("WATCHDOG_USEC", "20000", 1);
	assert_int_equal(notice_new(&notice), 0);
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(notice_watchdog(notice, event, is_in_time, &n_late), 0);
	assert_true(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, 100000, 1, stop, event) >= 0);
	assert_int_equal(sd_event_loop(event), 0);
	assert_string_equal(next_message(), "WATCHDOG=1");
	assert_string_equal(next_message(), "WATCHDOG=1");
	notice_free(notice);
	sd_event_unref(event);
}

/* Of 30 looks that find something overdue none is told of; they come sooner than the others, so there is time for all of them. */
static void test_the_watchdog_is_not_told_of_what_is_late(void **state)
{
	struct notice *notice = NULL;
	sd_event *event = NULL;
	unsigned n_late = 1000000;

	(void)state;
	setenv("WATCHDOG_USEC", "20000", 1);
	assert_int_equal(notice_new(&notice), 0);
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(notice_watchdog(notice, event, is_in_time, &n_late), 0);
	while (n_late > 1000000 - 30)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	n_late = 1;
	notice_send(notice, "STATUS=none before");
	while (n_late)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	assert_string_equal(next_message(), "STATUS=none before");
	assert_string_equal(next_message(), "WATCHDOG=1");
	notice_free(notice);
	sd_event_unref(event);
}

static void test_nobody_wants_to_know(void **state)
{
	struct notice *notice = NULL;

	(void)state;
	assert_int_equal(notice_new(&notice), 0);
	assert_null(notice);
	notice_send(notice, "READY=1");
	notice_mention(notice, "STATUS=1");
	notice_status(notice, "1");
	assert_int_equal(notice_watchdog(notice, NULL, is_in_time, NULL), 0);
	notice_finish(notice);
	assert_null(notice_free(notice));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, open_socket, close_socket),
		cmocka_unit_test_setup_teardown(test_a_status_is_one_line, open_socket, close_socket),
		cmocka_unit_test_setup_teardown(test_systemd_that_reads_nothing, open_socket, close_socket),
		cmocka_unit_test_setup_teardown(test_the_watchdog, open_socket, close_socket),
		cmocka_unit_test_setup_teardown(test_the_watchdog_is_not_told_of_what_is_late, open_socket,
						close_socket),
		cmocka_unit_test(test_nobody_wants_to_know),
	};

	unsetenv("NOTIFY_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
