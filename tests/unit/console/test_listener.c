/* SPDX-License-Identifier: Apache-2.0 */
/* Where the console listens, and which names it answers to. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "console/listener.h"

/* A page whose name was made to lead here says that name. */
static void test_hosts(void **state)
{
	static const char *const good[] = { "127.0.0.1",      "127.0.0.1:9464", "10.1.2.3:80",    "[::1]",
					    "[fe80::1]:9464", "localhost",      "LocalHost:9464", "metrics.example:1" };
	static const char *const bad[] = { "",
					   "evil.example",
					   "evil.example:9464",
					   "127.0.0.1.evil.example",
					   "localhost.evil.example",
					   "metrics.example.evil",
					   "[::1",
					   "[evil.example]:1",
					   "[]",
					   ":80",
					   "127.0.0.1@evil.example",
					   "0x7f000001" };
	struct listener listener = { .fd = -1, .hosts = { "metrics.example" }, .n_hosts = 1 };
	char long_name[400];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(listener_takes_host(&listener, good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(listener_takes_host(&listener, bad[i]));
	assert_false(listener_takes_host(&listener, NULL));
	memset(long_name, '1', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_false(listener_takes_host(&listener, long_name));
	listener.path = long_name; /* no browser comes there */
	assert_true(listener_takes_host(&listener, NULL));
	assert_true(listener_takes_host(&listener, "evil.example"));
}

static void test_unix(void **state)
{
	char folder[] = "/tmp/weir-console.XXXXXX", where[64];
	struct listener listener = { .fd = -1 }, second = { .fd = -1 };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(where, sizeof(where), "unix:%s/c", folder);
	assert_int_equal(listener_open(&listener, where, &why), 0);
	assert_string_equal(listener.said, where);
	assert_int_equal(stat(where + 5, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(listener_open(&second, where, &why), -1); /* somebody listens */
	assert_non_null(strstr(text_get(&why), "another console"));
	assert_int_equal(stat(where + 5, &st), 0);
	listener_close(&listener);
	assert_int_equal(stat(where + 5, &st), -1);
	/* One that was killed has left its socket; a file is nobody's. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where + 5);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(listener_open(&listener, where, &why), 0);
	listener_close(&listener);
	fd = open(where + 5, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(listener_open(&listener, where, &why), -1);
	assert_int_equal(unlink(where + 5), 0);
	rmdir(folder);
}

static void test_tcp(void **state)
{
	static const char *const bad[] = { "",     "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "nowhere.invalid:80",
					   "unix:" };
	struct listener listener = { .fd = -1 };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	(void)state;
	assert_int_equal(listener_open(&listener, "127.0.0.1:0", &why), 0);
	assert_non_null(strstr(listener.said, "http://127.0.0.1:"));
	assert_null(strstr(listener.said, ":0/"));
	listener_close(&listener);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text_clear(&why);
		assert_int_equal(listener_open(&listener, bad[i], &why), -1);
		assert_true(why.length > 0);
		assert_int_equal(listener.fd, -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
